/** What a terminal shows of a run: the fold of its events, and of what the fold leaves to the viewer. */
import { RUNNER_EVENTS, STRATEGY_EVENTS, type RunEvent } from '../core/event.ts'
import { reduceRun, type RunState } from '../core/run-state.ts'

export type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>

/** Changed in place by `showEvent`. */
export interface RunView {
  readonly question: string
  run: RunState | undefined
  budget: EventOf<'budget.updated'> | undefined
  votes: EventOf<'vote.updated'> | undefined
  gate: EventOf<'gate.decided'> | undefined
  comparison: EventOf<'comparison.completed'> | undefined
  /** The last critique of each candidate, as far as it is written. */
  readonly critiques: Map<number, LiveCritique>
  warning: string | undefined
}

export interface LiveCritique {
  readonly text: string
  readonly isComplete: boolean
  readonly verdict?: 'right' | 'wrong'
  readonly step?: number
}

export const createView = (question: string): RunView => ({
  question,
  run: undefined,
  budget: undefined,
  votes: undefined,
  gate: undefined,
  comparison: undefined,
  critiques: new Map(),
  warning: undefined,
})

const KNOWN = new Set<string>(
  [...RUNNER_EVENTS, ...STRATEGY_EVENTS].map((event) => event.properties.type.const),
)

const addCritique = (view: RunView, { candidate, text }: EventOf<'critique.delta'>): void => {
  const before = view.critiques.get(candidate)
  const begun = before === undefined || before.isComplete ? '' : before.text
  view.critiques.set(candidate, { text: begun + text, isComplete: false })
}

const endCritique = (view: RunView, event: EventOf<'critique.completed'>): void => {
  const { candidate, text, verdict, step } = event
  view.critiques.set(candidate, {
    text,
    isComplete: true,
    ...(verdict === undefined ? {} : { verdict }),
    ...(step === undefined ? {} : { step }),
  })
}

/** Adds an event to the view. An event type of a newer server is passed over. */
export const showEvent = (view: RunView, event: RunEvent): void => {
  if (!KNOWN.has(event.type)) return
  view.run = reduceRun(view.run, event)
  if (event.type === 'budget.updated') view.budget = event
  if (event.type === 'vote.updated') view.votes = event
  if (event.type === 'gate.decided') view.gate = event
  if (event.type === 'comparison.completed') view.comparison = event
  if (event.type === 'critique.delta') addCritique(view, event)
  if (event.type === 'critique.completed') endCritique(view, event)
  if (event.type === 'warning') view.warning = `${event.code}: ${event.message}`
}
