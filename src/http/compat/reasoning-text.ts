/**
 * Tells a run as text, for clients that can show nothing but "reasoning": a heading per revision, lines for scores, votes
 * and comparisons, and, as far as is asked for, critiques and drafts. Pure: events in, text to append out.
 */
import { assertNever } from '../../core/errors.ts'
import type { RunEvent } from '../../core/event.ts'

/** none: nothing; status: what happens; summary: also critiques and revisions; full: also every draft, as it is written. */
export const SHOW_MODES = ['none', 'status', 'summary', 'full'] as const
export type ShowMode = (typeof SHOW_MODES)[number]

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>
type Remark =
  | EventOf<'workspace.completed'>
  | EventOf<'comparison.completed'>
  | EventOf<'vote.updated'>
  | EventOf<'gate.decided'>
  | EventOf<'warning'>

interface Block {
  readonly key: string
  text: string
  closed: boolean
}

/** Texts that grow at the same time, put one after another: the first flows, those behind it wait until it is closed. */
class BlockQueue {
  readonly #blocks: Block[] = []

  open(key: string, heading: string): string {
    this.#blocks.push({ key, text: heading, closed: false })
    return this.#flow()
  }

  append(key: string, text: string): string {
    const block = this.#blocks.find((each) => each.key === key)
    if (block !== undefined) block.text += text
    return this.#flow()
  }

  close(key: string, text: string): string {
    const block = this.#blocks.find((each) => each.key === key && !each.closed)
    if (block === undefined) return this.#flow()
    block.text += text
    block.closed = true
    return this.#flow()
  }

  line(text: string): string {
    this.#blocks.push({ key: '', text, closed: true })
    return this.#flow()
  }

  closeAll(): string {
    for (const block of this.#blocks) block.closed = true
    return this.#flow()
  }

  #flow(): string {
    let flowing = ''
    for (;;) {
      const block = this.#blocks[0]
      if (block === undefined) return flowing
      flowing += block.text
      block.text = ''
      if (!block.closed) return flowing
      this.#blocks.shift()
    }
  }
}

const rounded = (value: number): string => String(Number(value.toPrecision(3)))

const NAMES = { draft: 'Draft', revision: 'Revised draft', step: 'Step', aggregate: 'Synthesis' }

const describeVote = ({ answers }: EventOf<'vote.updated'>): string =>
  answers
    .slice(0, 3)
    .map(({ answer, weight }) => `${answer} (${rounded(weight)})`)
    .join(', ')

export class ReasoningText {
  readonly #show: ShowMode
  readonly #blocks = new BlockQueue()
  readonly #names = new Map<number, string>()

  constructor(show: ShowMode) {
    this.#show = show
  }

  /** The text that this event adds, '' for none. */
  add(event: RunEvent): string {
    return this.#show === 'none' ? '' : this.#tell(event)
  }

  #tell(event: RunEvent): string {
    switch (event.type) {
      case 'candidate.created':
        return this.#create(event)
      case 'candidate.delta':
        return this.#show === 'full'
          ? this.#blocks.append(`draft ${event.candidate}`, event.text)
          : ''
      case 'candidate.completed':
        return this.#blocks.close(`draft ${event.candidate}`, '\n\n')
      case 'candidate.failed':
      case 'candidate.dropped':
        return this.#giveUp(event)
      case 'critique.delta':
      case 'critique.completed':
        return this.#criticise(event)
      case 'candidate.scored':
        return this.#score(event)
      case 'answer.revised':
        return this.#revise(event)
      case 'run.completed':
      case 'run.failed':
      case 'run.cancelled':
        return this.#blocks.closeAll()
      case 'workspace.completed':
      case 'comparison.completed':
      case 'vote.updated':
      case 'gate.decided':
      case 'warning':
        return this.#blocks.line(this.#remark(event))
      case 'run.created':
      case 'run.steered':
      case 'budget.updated':
      case 'measures.reported':
      case 'behaviours.observed':
        return ''
      default:
        return assertNever(event)
    }
  }

  #name(candidate: number): string {
    return this.#names.get(candidate) ?? `Draft ${candidate + 1}`
  }

  #create({ candidate, role }: EventOf<'candidate.created'>): string {
    const name = `${NAMES[role]} ${candidate + 1}`
    this.#names.set(candidate, name)
    if (this.#show === 'full') return this.#blocks.open(`draft ${candidate}`, `**${name}**\n\n`)
    return this.#blocks.line(`${name} begun.\n`)
  }

  #giveUp(event: EventOf<'candidate.failed'> | EventOf<'candidate.dropped'>): string {
    const name = this.#name(event.candidate)
    const flowed = this.#blocks.close(`draft ${event.candidate}`, '\n\n')
    const line =
      event.type === 'candidate.failed'
        ? `${name} failed: ${event.error.message}\n`
        : `${name} given up: ${event.reason}\n`
    return flowed + this.#blocks.line(line)
  }

  /** Critiques are told when they are complete: those of several drafts may be written at once. */
  #criticise(event: EventOf<'critique.delta'> | EventOf<'critique.completed'>): string {
    if (event.type === 'critique.delta') return ''
    const name = this.#name(event.candidate)
    return this.#blocks.line(
      this.#show === 'status'
        ? `${name} reviewed.\n`
        : `\n**Review of ${name.toLowerCase()}**\n\n${event.text}\n\n`,
    )
  }

  #score({ candidate, scorer, score }: EventOf<'candidate.scored'>): string {
    const told = score === null ? 'no score' : rounded(score)
    return this.#blocks.line(`${this.#name(candidate)}: ${told} by ${scorer}.\n`)
  }

  #revise({ revision, reason, score, text }: EventOf<'answer.revised'>): string {
    const told = score === null ? reason : `${reason}, ${rounded(score)}`
    const heading = `\n### Revision ${revision} (${told})\n\n`
    return this.#blocks.line(this.#show === 'status' ? heading : `${heading}${text}\n\n`)
  }

  #remark(event: Remark): string {
    switch (event.type) {
      case 'workspace.completed':
        return this.#show === 'status' ? 'Notes taken.\n' : `\n**Notes**\n\n${event.text}\n\n`
      case 'vote.updated':
        return `Vote: ${describeVote(event)}.\n`
      case 'comparison.completed': {
        const names = event.candidates.map((candidate) => this.#name(candidate)).join(' and ')
        const won = event.winner === null ? 'a tie' : `${this.#name(event.winner)} is better`
        return `${names} compared: ${won}.\n`
      }
      case 'gate.decided':
        return `${event.gate}: ${event.outcome}.\n`
      case 'warning':
        return `Note: ${event.message}\n`
      default:
        return assertNever(event)
    }
  }
}
