/**
 * The candidates of one run as its events tell them, and the incumbent. State follows the events that were delivered,
 * not the work behind them, so it always agrees with the log.
 */
import { answerOf } from '../../core/answer.ts'
import type { CandidateRole, StrategyEvent } from '../../core/event.ts'
import type { Task } from '../../core/task.ts'
import type { ToolCall } from '../../core/tools.ts'
import { canonicalProposal, faultOf, proposalText } from '../../core/validity.ts'
import { RefineError } from '../../core/errors.ts'
import { isNearCopy } from '../../core/similarity.ts'
import type { Draft } from '../../core/scorer.ts'

type Scored = Extract<StrategyEvent, { type: 'candidate.scored' }>
type Completed = Extract<StrategyEvent, { type: 'candidate.completed' }>
type Revised = Extract<StrategyEvent, { type: 'answer.revised' }>

interface Entry {
  status: 'open' | 'completed' | 'ended'
  readonly role: CandidateRole
  readonly parents: readonly number[]
  text: string
  toolCalls: readonly ToolCall[]
  fault: string | undefined
  answer: { readonly value: string | undefined } | undefined
  readonly scores: Map<string, Scored>
}

const emptyEntry = (role: CandidateRole, parents: readonly number[]): Entry => ({
  status: 'open',
  role,
  parents,
  text: '',
  toolCalls: [],
  fault: undefined,
  answer: undefined,
  scores: new Map(),
})

export class Pool {
  readonly #task: Task
  readonly #isDropped: (candidate: number) => boolean
  readonly #entries: Entry[] = []
  readonly #likelihoods = new Map<number, Omit<Draft, 'text'>>()
  readonly #failures: RefineError[] = []
  #allocated = 0
  #revision = 0
  #incumbent: number | undefined

  /** `isDropped`: whether those who watch have given a candidate up. */
  constructor(task: Task, isDropped: (candidate: number) => boolean = () => false) {
    this.#task = task
    this.#isDropped = isDropped
  }

  /** The number of the next candidate; its `candidate.created` must follow at once. */
  allocate(): number {
    return this.#allocated++
  }

  /** What the model told about a draft beside its text. */
  note(candidate: number, likelihood: Omit<Draft, 'text'>): void {
    this.#likelihoods.set(candidate, likelihood)
  }

  fail(error: RefineError): void {
    this.#failures.push(error)
  }

  /** Follows an event that is being delivered. */
  observe(event: StrategyEvent): void {
    switch (event.type) {
      case 'candidate.created':
        this.#entries[event.candidate] = emptyEntry(event.role, event.parents)
        return
      case 'candidate.delta':
        this.#entry(event.candidate).text += event.text
        return
      case 'candidate.completed':
        return this.#complete(event)
      case 'candidate.failed':
      case 'candidate.dropped':
        this.#entry(event.candidate).status = 'ended'
        return
      case 'candidate.scored':
        this.#entry(event.candidate).scores.set(event.scorer, event)
        return
      case 'answer.revised':
        this.#incumbent = event.candidate
        this.#revision = event.revision
        return
      case 'critique.delta':
      case 'critique.completed':
      case 'comparison.completed':
      case 'vote.updated':
      case 'workspace.completed':
      case 'gate.decided':
      case 'warning':
    }
  }

  /** Candidates created so far. */
  get size(): number {
    return this.#entries.length
  }

  /** Numbers of the completed candidates, rising. */
  get completed(): readonly number[] {
    return this.#withStatus('completed')
  }

  /** Numbers of the candidates that were begun and have not ended. */
  get open(): readonly number[] {
    return this.#withStatus('open')
  }

  /** The best answer so far, undefined until a candidate is completed. */
  get incumbent(): number | undefined {
    return this.#incumbent
  }

  role(candidate: number): CandidateRole {
    return this.#entry(candidate).role
  }

  /** What it was made from. */
  parents(candidate: number): readonly number[] {
    return this.#entry(candidate).parents
  }

  /** The candidate as others see it: its text, and its tool calls as text. */
  text(candidate: number): string {
    return proposalText(this.#entry(candidate))
  }

  /** What is wrong with the form of a completed candidate; undefined when it has the form that the task asks for. */
  fault(candidate: number): string | undefined {
    return this.#entry(candidate).fault
  }

  /** Whether two completed candidates are nearly the same text, with the same answer. */
  resemble(one: number, other: number): boolean {
    const isSame = this.answer(one) === this.answer(other)
    return isSame && isNearCopy(this.text(one), this.text(other))
  }

  draft(candidate: number): Draft {
    return { text: this.text(candidate), ...this.#likelihoods.get(candidate) }
  }

  /** Canonical answer of a completed candidate; undefined when it has none, or has not the form asked for. */
  answer(candidate: number): string | undefined {
    const entry = this.#entry(candidate)
    entry.answer ??= {
      value:
        entry.fault === undefined
          ? (canonicalProposal(this.#task, entry) ?? answerOf(entry.text))
          : undefined,
    }
    return entry.answer.value
  }

  /** Null when the scorer could not tell, undefined when it was not asked yet. */
  score(candidate: number, scorer: string): number | null | undefined {
    return this.#entry(candidate).scores.get(scorer)?.score
  }

  steps(candidate: number, scorer: string): readonly number[] | undefined {
    return this.#entry(candidate).scores.get(scorer)?.steps
  }

  /** Whether a candidate may replace the incumbent: it was not dropped, and has the form asked for where that one has it. */
  mayLead(candidate: number): boolean {
    const isFormless = this.fault(candidate) !== undefined
    const wouldLose = this.#incumbent !== undefined && this.fault(this.#incumbent) === undefined
    return !(isFormless && wouldLose) && !this.#isDropped(candidate)
  }

  /** Makes a candidate the incumbent; the caller knows why it is better. */
  promote(candidate: number, reason: string, score: number | null): Revised {
    const revision = this.#revision + 1
    const { text, toolCalls } = this.#entry(candidate)
    return {
      type: 'answer.revised',
      revision,
      candidate,
      text,
      ...(toolCalls.length === 0 ? {} : { tool_calls: [...toolCalls] }),
      reason,
      score,
    }
  }

  /**
   * Promotes the best-scored candidate (of all, or of those that were scored together) when it beats the incumbent under the same scorer. An incumbent that waits for
   * its score is kept; one that the scorer could not read loses to any that it could. Ties keep the incumbent.
   */
  *promoteBest(
    scorer: string,
    among: readonly number[] = this.completed,
  ): Generator<StrategyEvent, void, void> {
    if (this.#incumbent === undefined) return
    const held = this.score(this.#incumbent, scorer)
    if (held === undefined) return
    let best: { readonly candidate: number; readonly score: number } | undefined
    for (const candidate of among) {
      const score = this.score(candidate, scorer)
      if (score === undefined || score === null || !this.mayLead(candidate)) continue
      if (score > (best?.score ?? held ?? -Infinity)) best = { candidate, score }
    }
    if (best !== undefined) yield this.promote(best.candidate, 'better score', best.score)
  }

  /** Says of every unfinished candidate why it was given up. */
  *drop(reason: string): Generator<StrategyEvent, void, void> {
    for (const candidate of this.open) yield { type: 'candidate.dropped', candidate, reason }
  }

  /** @throws RefineError all_candidates_failed, with the failures as its cause, when no candidate was completed. */
  requireCompleted(): void {
    if (this.#incumbent !== undefined) return
    const [first] = this.#failures
    const told = [...new Set(this.#failures.map(({ message }) => message))].slice(0, 3).join(' ')
    throw new RefineError(
      'all_candidates_failed',
      `No candidate could be generated. ${told}`.trim(),
      first === undefined ? {} : { cause: new AggregateError(this.#failures, told) },
    )
  }

  #complete({ candidate, tool_calls: toolCalls = [] }: Completed): void {
    const entry = this.#entry(candidate)
    Object.assign(entry, { status: 'completed', toolCalls })
    entry.fault = faultOf(this.#task, entry)
  }

  #withStatus(status: Entry['status']): number[] {
    return [...this.#entries.keys()].filter((at) => this.#entries[at]!.status === status)
  }

  #entry(candidate: number): Entry {
    const entry = this.#entries[candidate]
    if (entry === undefined) throw new RangeError(`Candidate ${candidate} was never created.`)
    return entry
  }
}
