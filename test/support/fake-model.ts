/** A deterministic language model whose every reply is scripted; it keeps account of what was asked and what runs on. */
import { setImmediate as turn } from 'node:timers/promises'
import { BudgetSpent } from '../../src/core/budget.ts'
import { messageText } from '../../src/core/conversation.ts'
import { RefineError } from '../../src/core/errors.ts'
import type { FinishReason } from '../../src/core/event.ts'
import type {
  CallOptions,
  Capability,
  CapabilityRecord,
  GenerationChunk,
  GenerationRequest,
  LanguageModel,
  PromptSet,
  Support,
  TokenLogProbability,
} from '../../src/core/language-model.ts'
import { CAPABILITIES } from '../../src/core/language-model.ts'
import type { Message, Role } from '../../src/core/task.ts'

const textOf = (message: Message | undefined): string =>
  message === undefined ? '' : messageText(message)

/** What a reply is made from. `system` is the name of the role as the compact prompts have it, for either set. */
export interface Ask {
  readonly system: string
  readonly user: string
  readonly sample: number
  /** Counted from 1 over all roles; every sample counts. */
  readonly call: number
  readonly request: GenerationRequest
}

export type FakeReply =
  | string
  | RefineError
  | { readonly text: string; readonly finish?: FinishReason; readonly logProbability?: number }

export interface FakeOptions {
  readonly capabilities?: Partial<CapabilityRecord>
  readonly prompts?: PromptSet
  readonly reply?: (ask: Ask) => FakeReply
  readonly steps?: (steps: readonly string[]) => readonly number[]
  /** First token of a judge, with alternatives; default: the reply itself, certain. */
  readonly firstToken?: (ask: Ask) => TokenLogProbability
  readonly lastToken?: (ask: Ask) => TokenLogProbability
  /** From this call on (from 1), every call breaks the budget. */
  readonly spentAt?: number
  /** Turns of the event loop that a call takes before it answers; default 1. */
  readonly turns?: (ask: Omit<Ask, 'sample' | 'request'>) => number
  /** Calls that wait until they are aborted. */
  readonly stalls?: (ask: Omit<Ask, 'sample' | 'request'>) => boolean
  /** Whole calls that fail. */
  readonly fails?: (ask: Omit<Ask, 'sample' | 'request'>) => boolean
}

export interface Tally {
  calls: number
  inputTokens: number
  outputTokens: number
}

/** Who is asked, by how the full prompts begin. */
const FULL_ROLES: readonly (readonly [RegExp, string])[] = [
  [/^You check answers/, 'review'],
  [/^You improve/, 'refine'],
  [/^You grade/, 'judge'],
  [/^You write answers/, 'aggregate'],
  [/^You distil/, 'distil'],
  [/^You compare/, 'select'],
  [/^You comment/, 'critique'],
  [/^You are a strict examiner/, 'report'],
  [/^You put questions/, 'paraphrase'],
]

const roleIn = (system: string, user: string): string => {
  const found = FULL_ROLES.find(([pattern]) => pattern.test(system))?.[1]
  if (user.includes('Solve this by a JavaScript program')) return 'program'
  if (found === undefined) return /^[a-z]+$/.test(system) ? system : 'solve'
  if (found === 'select' && user.includes('reply STOP')) return 'halt'
  if (found === 'review' && user.includes('{"steps":')) return 'verify'
  if (found === 'judge' && user.includes('{"scores":')) return 'rubric'
  return found === 'judge' && user.includes('<answer_b>') ? 'compare' : found
}

export const tokensOf = (text: string): number => Math.ceil(Buffer.byteLength(text) / 3)

export const BROKEN = new RefineError('upstream_unavailable', 'The fake model is down.')

export const defaultReply = ({ system, sample, user }: Ask): FakeReply => {
  switch (system) {
    case 'review':
      return 'Step 1 is wrong: 1 + 1 is 2.'
    case 'refine':
      return `- b: 2 + 2 = 4\n- c: 4 + ${tokensOf(user) % 7} = 9\n#### ${4 + (tokensOf(user) % 3)}`
    case 'judge':
      return String(tokensOf(user) % 10)
    case 'compare':
      return 'A'
    case 'halt':
      return 'CONTINUE'
    case 'paraphrase':
      return 'Of 1 apple Ann has, and 1 more: the sum?'
    case 'select':
      return '2'
    case 'critique':
      return 'It could be clearer.'
    case 'report':
      return 'Step 1: no.\n\nVerdict: critical error in step 1'
    case 'rubric': {
      const count = Number(/exactly (\d+) numbers/.exec(user)?.[1])
      return JSON.stringify({ scores: Array.from({ length: count }, (_, at) => (at * 3) % 10) })
    }
    case 'program':
      return '```js\n// two apples\nprint(1 + 1)\n```'
    case 'distil':
      return 'Both say 2.'
    case 'verify':
      return '{"steps": [0.5]}'
    case 'aggregate':
      return `- e: 3 + ${tokensOf(user) % 5} = 7\n#### ${4 + (tokensOf(user) % 3)}`
    default:
      return `- a: 1 + 1 = 2\n- d: 2 + ${sample} = ${2 + sample}\n#### ${2 + ((sample * 7) % 4)}`
  }
}

const support = (value: Support): CapabilityRecord =>
  Object.fromEntries(CAPABILITIES.map((name) => [name, value])) as Record<Capability, Support>

const cut = (text: string, maxTokens: number | undefined): string =>
  maxTokens === undefined
    ? text
    : Buffer.from(text)
        .subarray(0, maxTokens * 3)
        .toString()

const halves = (text: string): string[] => {
  const middle = Math.ceil(text.length / 2)
  return [text.slice(0, middle), text.slice(middle)].filter((part) => part !== '')
}

const breathe = async (signal: AbortSignal): Promise<void> => {
  signal.throwIfAborted()
  await turn(undefined, { signal }).catch(() => signal.throwIfAborted())
}

export class FakeModel {
  readonly #options: FakeOptions
  readonly tallies = new Map<Role, Tally>()
  readonly asks: Ask[] = []
  readonly signals: AbortSignal[] = []
  /** Calls that neither ended nor were closed. */
  running = 0
  /** Calls that were begun when their signal had aborted already. */
  lateStarts = 0
  calls = 0

  constructor(options: FakeOptions = {}) {
    this.#options = options
  }

  forRole(role: Role): LanguageModel {
    const { capabilities, prompts = 'compact', steps } = this.#options
    const record = { ...support('native'), ...capabilities }
    const scoreSteps: NonNullable<LanguageModel['scoreSteps']> = async (request, options) => {
      const input = tokensOf(request.steps.join('\n')) + this.#count(request.messages)
      this.#spend(role, 1, input)
      return this.#watch(options.signal, async () => {
        await this.#pause(this.calls, 'verify', '', options.signal)
        const given = steps ?? ((texts) => texts.map((_, index) => 1 / (index + 2)))
        return { steps: given(request.steps), inputTokens: input, cachedTokens: 0 }
      })
    }
    return {
      id: 'fake',
      capabilities: record,
      prompts,
      contextLength: undefined,
      price: { input: 1, output: 1 },
      countTokens: (messages) => this.#count(messages),
      generate: (request, options) => this.#generate(role, request, options),
      ...(record.step_scores === 'native' ? { scoreSteps } : {}),
      scoreText: async ({ messages, text }, { signal }) => {
        const input = this.#count(messages) + tokensOf(text)
        this.#spend(role, 1, input)
        return this.#watch(signal, async () => {
          await this.#pause(this.calls, 'score', '', signal)
          const tokens = tokensOf(text)
          return { logProbability: -tokens, tokens, inputTokens: input, cachedTokens: 0 }
        })
      },
      ready: async () => undefined,
      close: async () => undefined,
    }
  }

  #count(messages: readonly Message[]): number {
    return messages.reduce((sum, message) => sum + tokensOf(messageText(message)), 0)
  }

  #tally(role: Role): Tally {
    const tally = this.tallies.get(role) ?? { calls: 0, inputTokens: 0, outputTokens: 0 }
    this.tallies.set(role, tally)
    return tally
  }

  #spend(role: Role, calls: number, inputTokens: number): void {
    const { spentAt = Infinity } = this.#options
    if (this.calls + calls >= spentAt) throw new BudgetSpent('calls')
    this.calls += calls
    const tally = this.#tally(role)
    tally.calls += calls
    tally.inputTokens += inputTokens
  }

  async #watch<Value>(signal: AbortSignal, work: () => Promise<Value>): Promise<Value> {
    this.signals.push(signal)
    if (signal.aborted) this.lateStarts++
    this.running++
    try {
      return await work()
    } finally {
      this.running--
    }
  }

  async #pause(call: number, system: string, user: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#options.fails?.({ call, system, user }) === true) throw BROKEN
    if (this.#options.stalls?.({ call, system, user }) === true) {
      await new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
    }
    const turns = this.#options.turns?.({ call, system, user }) ?? 1
    for (let at = 0; at < Math.max(1, turns); at++) await breathe(signal)
  }

  async *#generate(
    role: Role,
    request: GenerationRequest,
    { signal }: CallOptions,
  ): AsyncGenerator<GenerationChunk, void, void> {
    const { messages, samples } = request
    const input = this.#count(messages) + tokensOf(request.continueFrom ?? '')
    const firstCall = this.calls + 1
    this.#spend(role, samples, input * samples)
    this.signals.push(signal)
    if (signal.aborted) this.lateStarts++
    this.running++
    const user = textOf(messages.findLast((message) => message.role === 'user'))
    const given = textOf(messages.find((message) => message.role === 'system'))
    const system = roleIn(given, user)
    try {
      await this.#pause(firstCall, system, user, signal)
      yield { type: 'usage', inputTokens: input, cachedTokens: 0 }
      const asks = Array.from({ length: samples }, (_, sample): Ask => {
        return { system, user, sample, call: firstCall + sample, request }
      })
      this.asks.push(...asks)
      yield* this.#write(role, asks, signal)
    } finally {
      this.running--
    }
  }

  /** Two deltas a sample, all samples in step. */
  async *#write(
    role: Role,
    asks: readonly Ask[],
    signal: AbortSignal,
  ): AsyncGenerator<GenerationChunk, void, void> {
    const { reply = defaultReply } = this.#options
    const replies = asks.map((ask) => reply(ask))
    for (const part of [0, 1]) {
      for (const ask of asks) {
        const given = replies[ask.sample]!
        if (given instanceof RefineError) continue
        const text = cut(
          typeof given === 'string' ? given : given.text,
          ask.request.sampling.max_tokens,
        )
        const delta = halves(text)[part]
        if (delta === undefined) continue
        await breathe(signal)
        this.#tally(role).outputTokens += tokensOf(delta) - (part === 1 ? 1 : 0)
        const tokens = this.#tokens(ask, delta, part)
        yield { type: 'delta', sample: ask.sample, text: delta, ...tokens }
      }
    }
    for (const ask of asks) yield this.#end(ask, replies[ask.sample]!)
  }

  /** Of a reply that comes in one piece, its first token is told. */
  #tokens(ask: Ask, text: string, part: number): { tokens: TokenLogProbability[] } | object {
    const { firstToken, lastToken } = this.#options
    const told = part === 0 ? firstToken : lastToken
    if (ask.request.topLogProbabilities === undefined || (part > 0 && !told)) return {}
    const token = { text, logProbability: 0, alternatives: [{ text, logProbability: 0 }] }
    return { tokens: [told?.(ask) ?? token] }
  }

  #end({ sample, request }: Ask, given: FakeReply): GenerationChunk {
    if (given instanceof RefineError) return { type: 'failure', sample, error: given }
    const whole = typeof given === 'string' ? { text: given } : given
    const text = cut(whole.text, request.sampling.max_tokens)
    const unified = text === whole.text ? (whole.finish ?? 'stop') : 'length'
    const logProbability = whole.logProbability ?? -tokensOf(text)
    return {
      type: 'finish',
      sample,
      reason: { unified, raw: unified },
      outputTokens: tokensOf(text),
      ...(request.topLogProbabilities === undefined ? {} : { logProbability }),
    }
  }
}
