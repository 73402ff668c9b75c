/**
 * Maps run events to chat completions, whole or in chunks. Pure. Work is told as reasoning, under both names that clients
 * read; only the answer is `content`, since content can never be taken back. Nothing but ordinary chunks is ever sent:
 * a foreign event breaks OpenAI's own stream helper; one extra key, `refine`, is what every client lets pass.
 */
import { RefineError } from '../../core/errors.ts'
import { emptyUsage, type RunStatus } from '../../core/run-state.ts'
import { isTerminal, type FinishReason, type RunEvent, type Usage } from '../../core/event.ts'
import { errorOfRun } from '../foreground-run.ts'
import { ReasoningText, type ShowMode } from './reasoning-text.ts'

export interface CompletionOptions {
  readonly runId: string
  /** As the request named it. */
  readonly model: string
  /** Unix time, in seconds. */
  readonly created: number
  readonly show: ShowMode
  readonly includeUsage: boolean
  /** Strategies without feedback: their only draft is the answer, so it can flow as content. */
  readonly direct: ReadonlySet<string>
  readonly ignored: readonly string[]
}

const FINISH: Readonly<Record<FinishReason, string>> = {
  stop: 'stop',
  length: 'length',
  content_filter: 'content_filter',
  tool_calls: 'tool_calls',
  other: 'stop',
}

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>
type Terminal = EventOf<'run.completed'> | EventOf<'run.failed'> | EventOf<'run.cancelled'>
type Delta = Readonly<Record<string, unknown>>

const reasoning = (text: string): Delta => ({ reasoning_content: text, reasoning: text })

/** What a run adds up to in OpenAI's terms. */
export class CompletionAccount {
  readonly #options: CompletionOptions
  readonly #finished = new Map<number, EventOf<'candidate.completed'>>()
  #strategy = ''
  #candidates = 0
  #revisions = 0
  #end: Terminal | undefined

  constructor(options: CompletionOptions) {
    this.#options = options
  }

  add(event: RunEvent): void {
    if (event.type === 'run.created') this.#strategy = event.strategy
    if (event.type === 'candidate.created') this.#candidates++
    if (event.type === 'candidate.completed') this.#finished.set(event.candidate, event)
    if (event.type === 'answer.revised') this.#revisions = event.revision
    if (isTerminal(event)) this.#end = event
  }

  get strategy(): string {
    return this.#strategy
  }

  get spent(): Usage {
    return this.#end?.usage ?? emptyUsage()
  }

  /**
   * The answer's text.
   * @throws RefineError if there is none: the run's own, conflict when it was cancelled, shutting_down when it never ended.
   */
  get text(): string {
    const end = this.#end
    if (end === undefined) throw new RefineError('shutting_down', 'The server is closing.')
    if (end.answer !== null) return end.answer.text
    if (end.type === 'run.failed') throw errorOfRun(end.error)
    if (end.type === 'run.completed') return ''
    throw new RefineError('conflict', 'The run was cancelled before there was any answer.')
  }

  get finishReason(): string {
    const last = this.#answered()
    return last === undefined ? 'stop' : FINISH[last.finish_reason]
  }

  /** Of the whole strategy; what did not become the answer is reasoning. */
  get usage() {
    const { input_tokens: input, output_tokens: output, cached_tokens: cached } = this.spent
    const answer = Math.min(output, this.#answered()?.usage.output_tokens ?? 0)
    return {
      prompt_tokens: input,
      completion_tokens: output,
      total_tokens: input + output,
      prompt_tokens_details: { cached_tokens: cached },
      completion_tokens_details: { reasoning_tokens: output - answer },
    }
  }

  get refine() {
    const end = this.#end
    const status: RunStatus = end === undefined ? 'running' : STATUS[end.type]
    return {
      run_id: this.#options.runId,
      strategy: this.#strategy,
      status,
      stop_reason: end === undefined || end.type === 'run.failed' ? null : end.stop_reason,
      score: end?.answer?.score ?? null,
      revisions: this.#revisions,
      candidates: this.#candidates,
      calls: this.spent.calls,
      cost: this.spent.cost,
      ...(end?.type === 'run.failed' ? { error: end.error } : {}),
      ...(this.#options.ignored.length === 0 ? {} : { ignored: this.#options.ignored }),
    }
  }

  #answered(): EventOf<'candidate.completed'> | undefined {
    const answer = this.#end?.answer
    return answer === undefined || answer === null
      ? undefined
      : this.#finished.get(answer.candidate)
  }
}

const STATUS = {
  'run.completed': 'completed',
  'run.failed': 'failed',
  'run.cancelled': 'cancelled',
} as const

const idOf = (runId: string): string => `chatcmpl-${runId.replace(/^run_/, '')}`

/** @throws RefineError of a run that ended without an answer. */
export const toCompletion = (
  options: CompletionOptions,
  account: CompletionAccount,
  reasoningText: string,
) => ({
  id: idOf(options.runId),
  object: 'chat.completion',
  created: options.created,
  model: options.model,
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: account.text,
        refusal: null,
        ...(reasoningText === '' ? {} : reasoning(reasoningText)),
      },
      logprobs: null,
      finish_reason: account.finishReason,
    },
  ],
  usage: account.usage,
  refine: account.refine,
})

/** Turns events into chunks as they come. */
export class CompletionChunks {
  readonly #options: CompletionOptions
  readonly #account: CompletionAccount
  readonly #reasoning: ReasoningText
  #content = ''

  constructor(options: CompletionOptions) {
    this.#options = options
    this.#account = new CompletionAccount(options)
    this.#reasoning = new ReasoningText(options.show)
  }

  /** @throws RefineError of a run that ended without an answer. */
  *add(event: RunEvent): Generator<object, void, void> {
    this.#account.add(event)
    if (event.type === 'run.created') {
      const { runId: run_id } = this.#options
      const refine = { run_id, strategy: this.#account.strategy }
      yield this.#chunk({ role: 'assistant', content: '' }, null, { refine })
    }
    if (this.#options.direct.has(this.#account.strategy)) yield* this.#flow(event)
    else {
      const text = this.#reasoning.add(event)
      if (text !== '') yield this.#chunk(reasoning(text))
    }
    if (isTerminal(event)) yield* this.#finish()
  }

  /** @throws RefineError shutting_down when the events ended before the run did: the server is closing. */
  close(): void {
    void this.#account.text
  }

  *#flow(event: RunEvent): Generator<object, void, void> {
    if (event.type !== 'candidate.delta' || event.candidate !== 0) return
    this.#content += event.text
    yield this.#chunk({ content: event.text })
  }

  *#finish(): Generator<object, void, void> {
    const { text, finishReason, usage, refine } = this.#account
    const rest = text.startsWith(this.#content) ? text.slice(this.#content.length) : `\n\n${text}`
    if (rest !== '') yield this.#chunk({ content: rest })
    yield this.#chunk({}, finishReason, { refine })
    if (this.#options.includeUsage) {
      yield { ...this.#envelope(), choices: [], usage, refine }
    }
  }

  #envelope() {
    const { runId, created, model } = this.#options
    return { id: idOf(runId), object: 'chat.completion.chunk', created, model }
  }

  #chunk(delta: Delta, finish: string | null = null, extra: object = {}): object {
    return {
      ...this.#envelope(),
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
      ...(this.#options.includeUsage ? { usage: null } : {}),
      ...extra,
    }
  }
}
