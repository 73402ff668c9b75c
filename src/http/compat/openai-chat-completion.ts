/**
 * Maps run events to chat completions, whole or in chunks. Pure. Work is told as reasoning, under both names that clients
 * read; only the answer is `content`, since content can never be taken back. Nothing but ordinary chunks is ever sent:
 * a foreign event breaks OpenAI's own stream helper; one extra key, `refine`, is what every client lets pass.
 */
import { isTerminal, type FinishReason, type RunEvent } from '../../core/event.ts'
import { ReasoningText, type ShowMode } from './reasoning-text.ts'
import { restOf, RunAccount } from './run-account.ts'

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

type Delta = Readonly<Record<string, unknown>>

const reasoning = (text: string): Delta => ({ reasoning_content: text, reasoning: text })

const usageOf = ({ tokens }: RunAccount) => ({
  prompt_tokens: tokens.input,
  completion_tokens: tokens.output,
  total_tokens: tokens.input + tokens.output,
  prompt_tokens_details: { cached_tokens: tokens.cached },
  completion_tokens_details: { reasoning_tokens: tokens.reasoning },
})

const idOf = (runId: string): string => `chatcmpl-${runId.replace(/^run_/, '')}`

/** @throws RefineError of a run that ended without an answer. */
export const toCompletion = (
  options: CompletionOptions,
  account: RunAccount,
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
      finish_reason: FINISH[account.finishReason],
    },
  ],
  usage: usageOf(account),
  refine: account.refine,
})

/** Turns events into chunks as they come. */
export class CompletionChunks {
  readonly #options: CompletionOptions
  readonly #account: RunAccount
  readonly #reasoning: ReasoningText
  #content = ''

  constructor(options: CompletionOptions) {
    this.#options = options
    this.#account = new RunAccount(options.runId, options.ignored)
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
    const { text, finishReason, refine } = this.#account
    const rest = restOf(text, this.#content)
    if (rest !== '') yield this.#chunk({ content: rest })
    yield this.#chunk({}, FINISH[finishReason], { refine })
    if (this.#options.includeUsage) {
      yield { ...this.#envelope(), choices: [], usage: usageOf(this.#account), refine }
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
