/** What the page shows of a run: more than the run's own JSON, which forgets votes, gates and comparisons. */
import {
  isTerminal,
  type Answer,
  type Revision,
  type RunEvent,
  type TerminalEvent,
} from '../client/wire.ts'

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>

type CandidateEvent = Extract<RunEvent, { candidate: number }>
type CandidateChange = Exclude<CandidateEvent, { type: 'candidate.created' | 'answer.revised' }>

export interface CritiqueView {
  text: string
  isDone: boolean
  verdict?: 'right' | 'wrong'
  step?: number
}

export type ScoreView = Pick<EventOf<'candidate.scored'>, 'scorer' | 'score' | 'range' | 'steps'>

export interface CandidateView {
  readonly number: number
  readonly parents: readonly number[]
  readonly round: number
  readonly role: string
  readonly model: string
  text: string
  /** Null while it is written. */
  finish: string | null
  readonly scores: ScoreView[]
  readonly critiques: CritiqueView[]
  /** Changes whenever anything of it does: what is drawn is drawn again only then. */
  version: number
}

export interface Note {
  readonly subject: string
  readonly text: string
}

/** Notes kept; a long run makes thousands. */
const MAX_NOTES = 300

export class RunView {
  created: EventOf<'run.created'> | undefined
  status = 'queued'
  /** The connection broke for good: what is shown may be old. */
  isLost = false
  stopReason: string | undefined
  error: string | undefined
  answer: Answer | undefined
  budget: EventOf<'budget.updated'> | undefined
  vote: EventOf<'vote.updated'> | undefined
  readonly candidates = new Map<number, CandidateView>()
  readonly revisions: Revision[] = []
  /** The last ones. */
  readonly notes: Note[] = []
  /** How many there were in all. */
  noted = 0

  get isOver(): boolean {
    return this.status !== 'queued' && this.status !== 'running'
  }

  /** Events of types it does not know, from a newer server, change nothing. */
  apply(event: RunEvent): void {
    if (event.type === 'run.created') {
      this.created = event
      return
    }
    if (this.status === 'queued' && event.type !== 'run.steered') this.status = 'running'
    if (event.type === 'budget.updated') this.budget = event
    else if (event.type === 'vote.updated') this.vote = event
    else if (isTerminal(event)) this.#end(event)
    else if ('candidate' in event) this.#applyToCandidate(event)
    this.#note(event)
  }

  #end(event: TerminalEvent): void {
    this.status = event.type.slice('run.'.length)
    this.answer = event.answer ?? undefined
    if (event.type === 'run.failed') this.error = event.error.message
    else this.stopReason = event.stop_reason
  }

  #applyToCandidate(event: CandidateEvent): void {
    if (event.type === 'candidate.created') {
      this.candidates.set(event.candidate, newCandidate(event))
      return
    }
    const candidate = this.candidates.get(event.candidate)
    if (candidate === undefined) return
    candidate.version++
    if (event.type === 'answer.revised') this.#revise(event)
    else change(candidate, event)
  }

  #revise({ revision, candidate, text, reason, score }: EventOf<'answer.revised'>): void {
    this.revisions.push({ revision, candidate, text, reason, score })
    this.answer = { text, candidate, revision, score }
  }

  #note(event: RunEvent): void {
    const write = NOTES[event.type] as ((event: RunEvent) => Note) | undefined
    if (write === undefined) return
    this.notes.push(write(event))
    this.noted++
    if (this.notes.length > MAX_NOTES) this.notes.shift()
  }
}

const newCandidate = (event: EventOf<'candidate.created'>): CandidateView => ({
  number: event.candidate,
  parents: event.parents,
  round: event.round,
  role: event.role,
  model: event.model,
  text: '',
  finish: null,
  scores: [],
  critiques: [],
  version: 0,
})

const change = (candidate: CandidateView, event: CandidateChange): void => {
  switch (event.type) {
    case 'candidate.delta':
      candidate.text += event.text
      break
    case 'candidate.completed':
      candidate.finish = event.finish_reason
      break
    case 'candidate.failed':
      candidate.finish = 'failed'
      break
    case 'candidate.dropped':
      candidate.finish = 'dropped'
      break
    case 'candidate.scored':
      candidate.scores.push(event)
      break
    case 'critique.delta':
      openCritique(candidate).text += event.text
      break
    case 'critique.completed':
      closeCritique(candidate, event)
      break
    case 'behaviours.observed': // a note
    default:
  }
}

/** What is worth a line among the decisions. */
const NOTES: { readonly [Type in RunEvent['type']]?: (event: EventOf<Type>) => Note } = {
  'candidate.failed': ({ candidate, error }) => ({
    subject: `#${candidate} failed`,
    text: error.message,
  }),
  'candidate.dropped': ({ candidate, reason }) => ({
    subject: `#${candidate} dropped`,
    text: reason,
  }),
  'answer.revised': ({ revision, candidate, reason }) => ({
    subject: `Revision ${revision}`,
    text: `is #${candidate}: ${reason}`,
  }),
  'comparison.completed': ({ candidates, winner, orders }) => ({
    subject: candidates.map((candidate) => `#${candidate}`).join(' against '),
    text:
      orders.length === 0
        ? 'a draw: they look the same to the judge, who was not asked'
        : `${winner === null ? 'a draw' : `#${winner} wins`}, asked in ${orders.length} orders`,
  }),
  'gate.decided': ({ gate, outcome, values }) => ({
    subject: `Gate ${gate}`,
    text: `${outcome} ${valuesOf(values)}`,
  }),
  'workspace.completed': ({ candidates, text }) => ({
    subject: `Notes on ${candidates.map((candidate) => `#${candidate}`).join(', ')}`,
    text,
  }),
  'behaviours.observed': ({ candidate, marks }) => ({
    subject: `#${candidate} shows`,
    text: [...new Set(marks.map(({ behaviour }) => behaviour.replace('_', ' ')))].join(', '),
  }),
  'run.steered': ({ steering: { action, ...rest } }) => ({
    subject: 'Steered',
    text: `${action} ${Object.keys(rest).length === 0 ? '' : JSON.stringify(rest)}`,
  }),
  warning: ({ message }) => ({ subject: 'Warning', text: message }),
}

const valuesOf = (values: EventOf<'gate.decided'>['values']): string => {
  const parts = Object.entries(values).map(
    ([name, value]) => `${name} ${value === null ? '–' : Number(value.toFixed(3))}`,
  )
  return parts.length === 0 ? '' : `(${parts.join(', ')})`
}

const openCritique = ({ critiques }: CandidateView): CritiqueView => {
  const last = critiques.at(-1)
  if (last !== undefined && !last.isDone) return last
  const critique = { text: '', isDone: false }
  critiques.push(critique)
  return critique
}

const closeCritique = (candidate: CandidateView, event: EventOf<'critique.completed'>): void => {
  const critique = openCritique(candidate)
  critique.text = event.text
  critique.isDone = true
  if (event.verdict !== undefined) critique.verdict = event.verdict
  if (event.step !== undefined) critique.step = event.step
}
