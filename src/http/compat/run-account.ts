/** What a run adds up to, for protocols that tell an answer, why it ended and what it took. Pure: events in. */
import { RefineError } from '../../core/errors.ts'
import {
  isTerminal,
  type FinishReason,
  type RunEvent,
  type TokenLogprob,
  type Usage,
} from '../../core/event.ts'
import type { ToolCall } from '../../core/tools.ts'
import { emptyUsage, type RunStatus } from '../../core/run-state.ts'
import type { RunService } from '../../runs/run-service.ts'
import { errorOfRun } from '../foreground-run.ts'

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>
type Terminal = EventOf<'run.completed'> | EventOf<'run.failed'> | EventOf<'run.cancelled'>

const STATUS = {
  'run.completed': 'completed',
  'run.failed': 'failed',
  'run.cancelled': 'cancelled',
} as const

interface Tokens {
  readonly input: number
  /** Of all models in all calls, the answer among them. */
  readonly output: number
  readonly cached: number
  /** What did not become the answer. */
  readonly reasoning: number
}

export class RunAccount {
  readonly #runId: string
  readonly #ignored: readonly string[]
  readonly #finished = new Map<number, EventOf<'candidate.completed'>>()
  #strategy = ''
  #model = ''
  readonly #spoken = new Map<number, { text: string; readonly tokens: TokenLogprob[] }>()
  #candidates = 0
  #revisions = 0
  #end: Terminal | undefined

  /** `ignored`: fields of the request that had no effect. */
  constructor(runId: string, ignored: readonly string[] = []) {
    this.#runId = runId
    this.#ignored = ignored
  }

  add(event: RunEvent): void {
    if (event.type === 'run.created') {
      this.#strategy = event.strategy
      this.#model = event.model
    }
    if (event.type === 'candidate.created') this.#candidates++
    if (event.type === 'candidate.delta') this.#listen(event)
    if (event.type === 'candidate.completed') this.#finished.set(event.candidate, event)
    if (event.type === 'answer.revised') this.#revisions = event.revision
    if (isTerminal(event)) this.#end = event
  }

  get strategy(): string {
    return this.#strategy
  }

  get model(): string {
    return this.#model
  }

  get status(): RunStatus {
    return this.#end === undefined ? 'running' : STATUS[this.#end.type]
  }

  get spent(): Usage {
    return this.#end?.usage ?? emptyUsage()
  }

  /**
   * The event that the run ended with.
   * @throws RefineError shutting_down when the events ended before the run did: the server is closing.
   */
  get ended(): Terminal {
    if (this.#end === undefined) throw new RefineError('shutting_down', 'The server is closing.')
    return this.#end
  }

  /**
   * The answer's text.
   * @throws RefineError if there is none: the run's own, conflict when it was cancelled, shutting_down when it never ended.
   */
  get text(): string {
    const end = this.ended
    if (end.answer !== null) return end.answer.text
    if (end.type === 'run.failed') throw errorOfRun(end.error)
    if (end.type === 'run.completed') return '' // its time was over before there was a word
    throw new RefineError('conflict', 'The run was cancelled before there was any answer.')
  }

  /** What the answer asks the caller to call. */
  get toolCalls(): readonly ToolCall[] {
    return this.#end?.answer?.tool_calls ?? []
  }

  /** Of the answer's tokens; null unless they were asked for and make up the whole of it. */
  get logprobs(): readonly TokenLogprob[] | null {
    const answer = this.#end?.answer
    const spoken =
      answer === undefined || answer === null ? undefined : this.#spoken.get(answer.candidate)
    return spoken !== undefined && spoken.text === answer?.text ? spoken.tokens : null
  }

  /** Why the draft that became the answer ended: `length` for one that was not finished when the run ended, or never begun. */
  get finishReason(): FinishReason {
    if (this.toolCalls.length > 0) return 'tool_calls'
    return this.#answered()?.finish_reason ?? (this.#end === undefined ? 'stop' : 'length')
  }

  /** Which stop string ended that draft; undefined where none did, or its model does not say. */
  get stopString(): string | undefined {
    return this.#answered()?.stop_string
  }

  get tokens(): Tokens {
    const { input_tokens: input, output_tokens: output, cached_tokens: cached } = this.spent
    const answer = Math.min(output, this.#answered()?.usage.output_tokens ?? 0)
    return { input, output, cached, reasoning: output - answer }
  }

  /** The extension that every answer carries. */
  get refine() {
    const end = this.#end
    return {
      run_id: this.#runId,
      strategy: this.#strategy,
      status: this.status,
      stop_reason: end === undefined || end.type === 'run.failed' ? null : end.stop_reason,
      score: end?.answer?.score ?? null,
      revisions: this.#revisions,
      candidates: this.#candidates,
      calls: this.spent.calls,
      cost: this.spent.cost,
      ...(end?.type === 'run.failed' ? { error: end.error } : {}),
      ...(this.#ignored.length === 0 ? {} : { ignored: this.#ignored }),
    }
  }

  /** Keeps tokens, which come only where they were asked for, as long as nothing was written without them. */
  #listen({ candidate, logprobs }: EventOf<'candidate.delta'>): void {
    if (logprobs === undefined) return
    const spoken = this.#spoken.get(candidate) ?? { text: '', tokens: [] }
    spoken.text += logprobs.map(({ token }) => token).join('')
    spoken.tokens.push(...logprobs)
    this.#spoken.set(candidate, spoken)
  }

  #answered(): EventOf<'candidate.completed'> | undefined {
    const answer = this.#end?.answer
    return answer === undefined || answer === null
      ? undefined
      : this.#finished.get(answer.candidate)
  }
}

/** Strategies without feedback: their only draft is the answer, so it can flow before the run has ended. */
export const directStrategies = (runs: RunService): ReadonlySet<string> =>
  new Set(
    runs
      .strategies()
      .filter(({ feedback }) => feedback === 'none')
      .map(({ name }) => name),
  )

/** What is left to send of the answer when a part of it has flowed: what was sent can never be taken back. */
export const restOf = (text: string, sent: string): string => {
  if (text.startsWith(sent)) return text.slice(sent.length)
  return `\n\n${text}`
}
