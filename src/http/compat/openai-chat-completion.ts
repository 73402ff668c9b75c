/**
 * Maps run events to chat completions, whole or in chunks. Pure. Work is told as reasoning, under both names that clients
 * read; only the answer is `content`, since content can never be taken back. Nothing but ordinary chunks is ever sent:
 * a foreign event breaks OpenAI's own stream helper; one extra key, `refine`, is what every client lets pass.
 */
import {
  isTerminal,
  type FinishReason,
  type RunEvent,
  type TokenLogprob,
} from '../../core/event.ts'
import { ReasoningText, type ShowMode } from './reasoning-text.ts'
import { restOf, RunAccount } from './run-account.ts'

export interface CompletionOptions {
  /** Of the first choice’s run. */
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

const bytesOf = (text: string): number[] => [...Buffer.from(text)]

const withBytes = <Token extends { readonly token: string }>(token: Token) => ({
  ...token,
  bytes: bytesOf(token.token),
})

/** Tokens as OpenAI tells them. */
export const toldTokens = (tokens: readonly TokenLogprob[]) =>
  tokens.map((token) => ({ ...withBytes(token), top_logprobs: token.top_logprobs.map(withBytes) }))

/** Those of the answer; null where they were not asked for or are not known. */
export const tokensOf = ({ logprobs }: RunAccount) =>
  logprobs === null ? null : toldTokens(logprobs)

const logprobsOf = (account: RunAccount) => {
  const content = tokensOf(account)
  return content === null ? null : { content, refusal: null }
}

type Delta = Readonly<Record<string, unknown>>

const reasoning = (text: string): Delta => ({ reasoning_content: text, reasoning: text })

/** Of all choices together: each was paid for. */
const usageOf = (accounts: readonly RunAccount[]) => {
  const sum = (count: (tokens: RunAccount['tokens']) => number): number =>
    accounts.reduce((total, { tokens }) => total + count(tokens), 0)
  return {
    prompt_tokens: sum(({ input }) => input),
    completion_tokens: sum(({ output }) => output),
    total_tokens: sum(({ input, output }) => input + output),
    prompt_tokens_details: { cached_tokens: sum(({ cached }) => cached) },
    completion_tokens_details: { reasoning_tokens: sum(({ reasoning: work }) => work) },
  }
}

const idOf = (runId: string): string => `chatcmpl-${runId.replace(/^run_/, '')}`

const envelopeOf = ({ runId, created, model }: CompletionOptions) => ({
  id: idOf(runId),
  object: 'chat.completion.chunk',
  created,
  model,
})

/** One choice: what its run came to, and the work it took, told as reasoning. */
export interface Choice {
  readonly account: RunAccount
  readonly reasoning: string
}

const toChoice = ({ account, reasoning: work }: Choice, index: number) => {
  const { text, toolCalls } = account
  return {
    index,
    message: {
      role: 'assistant',
      content: text === '' && toolCalls.length > 0 ? null : text,
      refusal: null,
      ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
      ...(work === '' ? {} : reasoning(work)),
    },
    logprobs: logprobsOf(account),
    finish_reason: FINISH[account.finishReason],
  }
}

/** What is told of ours: of several choices that of the first one, and the ids of all their runs. */
const refineOf = (accounts: readonly RunAccount[]) => {
  const { refine } = accounts[0]!
  return accounts.length === 1
    ? refine
    : { ...refine, run_ids: accounts.map((account) => account.refine.run_id) }
}

/** @throws RefineError of a run that ended without an answer. */
export const toCompletion = (options: CompletionOptions, choices: readonly Choice[]) => {
  const accounts = choices.map(({ account }) => account)
  return {
    id: idOf(options.runId),
    object: 'chat.completion',
    created: options.created,
    model: options.model,
    choices: choices.map(toChoice),
    usage: usageOf(accounts),
    refine: refineOf(accounts),
  }
}

/** The last chunk, where usage was asked for. */
export const usageChunk = (options: CompletionOptions, accounts: readonly RunAccount[]) => ({
  ...envelopeOf(options),
  choices: [],
  usage: usageOf(accounts),
  refine: refineOf(accounts),
})

/** Turns events into chunks as they come. */
export class CompletionChunks {
  readonly #options: CompletionOptions
  readonly #index: number
  readonly #account: RunAccount
  readonly #reasoning: ReasoningText
  #content = ''

  /** `index` of the choice, whose run has the id given. */
  constructor(options: CompletionOptions, index: number, runId: string) {
    this.#options = options
    this.#index = index
    this.#account = new RunAccount(runId, options.ignored)
    this.#reasoning = new ReasoningText(options.show)
  }

  get account(): RunAccount {
    return this.#account
  }

  /** @throws RefineError of a run that ended without an answer. */
  *add(event: RunEvent): Generator<object, void, void> {
    this.#account.add(event)
    if (event.type === 'run.created') {
      const { run_id, strategy } = this.#account.refine
      const refine = { run_id, strategy }
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
    void this.#account.ended
  }

  *#flow(event: RunEvent): Generator<object, void, void> {
    if (event.type !== 'candidate.delta' || event.candidate !== 0) return
    this.#content += event.text
    yield this.#chunk({ content: event.text })
  }

  *#finish(): Generator<object, void, void> {
    const { text, toolCalls, finishReason, refine } = this.#account
    const rest = restOf(text, this.#content)
    const logprobs = logprobsOf(this.#account)
    if (rest !== '' || logprobs !== null) yield this.#chunk({ content: rest }, null, {}, logprobs)
    if (toolCalls.length > 0) {
      yield this.#chunk({ tool_calls: toolCalls.map((call, index) => ({ index, ...call })) })
    }
    yield this.#chunk({}, FINISH[finishReason], { refine })
  }

  #chunk(
    delta: Delta,
    finish: string | null = null,
    extra: object = {},
    logprobs: object | null = null,
  ): object {
    return {
      ...envelopeOf(this.#options),
      choices: [{ index: this.#index, delta, logprobs, finish_reason: finish }],
      ...(this.#options.includeUsage ? { usage: null } : {}),
      ...extra,
    }
  }
}
