/**
 * A deterministic model that needs no weights: for tests, for trying the server out, and as the load under which it
 * is measured. It plays every role of the prompt set `compact`; how good it is at each is a number.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { RefineError } from '../core/errors.ts'
import type {
  CapabilityRecord,
  GenerationChunk,
  GenerationRequest,
  LanguageModel,
  Price,
} from '../core/language-model.ts'
import { createRandom, hashToUnit, type Random } from '../core/random.ts'
import { messageText } from '../core/conversation.ts'
import type { Message } from '../core/task.ts'
import { requireCapabilities } from './required-capabilities.ts'
import { createPause, type Pause } from './scripted/pause.ts'
import { degradations } from './scripted/degradations.ts'
import { readConversation } from './scripted/conversation.ts'
import { formalReply } from './scripted/formal-reply.ts'
import { replyTo, type Quality } from './scripted/reply.ts'
import { SampleText } from './scripted/sample-text.ts'
import { isRight, judgeSteps } from './scripted/solution.ts'
import {
  choiceLogProbability,
  countTokens,
  tokenize,
  tokenLogProbabilities,
} from './scripted/tokens.ts'

export { scriptedTruth } from './scripted/solution.ts'

export interface ScriptedOptions extends Partial<Omit<Quality, 'steps'>> {
  readonly id: string
  /** Another seed, another model of the same quality. Default: 1. */
  readonly seed?: number
  /** Rough length of a solution, in tokens. Default: 20. */
  readonly tokensPerAnswer?: number
  /** Wait before the first token, in milliseconds. Default: none. */
  readonly firstTokenMs?: number
  /** Pace of each sample after that. Default: as fast as it is read. */
  readonly tokensPerSecond?: number
  /** Every k-th sample fails, counted over the life of the model. */
  readonly failEvery?: number
  /** Tokens a failing sample still gives. Default: 0. */
  readonly failAfterTokens?: number
  /** Calls whose prompt holds this text fail as a whole. */
  readonly failMarker?: string
  readonly price?: Price
  readonly contextLength?: number
  readonly capabilities?: Partial<CapabilityRecord>
  /** The timers of a call, for tests. Default: real ones. */
  readonly createPause?: (signal: AbortSignal) => Pause
}

/** Nothing in the port carries an embedding. */
const CAPABILITIES: CapabilityRecord = {
  parallel_samples: 'native',
  assistant_continuation: 'native',
  stop_kept: 'native',
  log_probabilities: 'native',
  text_scoring: 'native',
  step_scores: 'native',
  outcome_scores: 'none',
  embeddings: 'none',
  constrained_output: 'native',
  seed: 'native',
  images: 'none',
  tools: 'native',
}

const DEFAULT_QUALITY: Quality = {
  steps: 3,
  accuracy: 0.5,
  wrongAnswers: 8,
  keepRight: 0.95,
  repairWrong: 0.4,
  judgeReliability: 0.9,
  reviewerAccuracy: 0.9,
  malformedJudge: 0,
}

const TOKENS_PER_STEP = 6
const TOKENS_PER_FINAL = 2

class ScriptedModel {
  readonly #options: ScriptedOptions
  readonly #quality: Quality
  readonly #capabilities: CapabilityRecord
  readonly #createPause: (signal: AbortSignal) => Pause
  #samples = 0

  constructor(options: ScriptedOptions, capabilities: CapabilityRecord) {
    const { tokensPerAnswer = 20 } = options
    const steps = Math.max(1, Math.round((tokensPerAnswer - TOKENS_PER_FINAL) / TOKENS_PER_STEP))
    this.#options = options
    this.#quality = { ...DEFAULT_QUALITY, ...options, steps }
    this.#capabilities = capabilities
    this.#createPause = options.createPause ?? createPause
  }

  async *generate(
    request: GenerationRequest,
    signal: AbortSignal,
  ): AsyncGenerator<GenerationChunk, void, void> {
    signal.throwIfAborted()
    requireCapabilities(this.#options.id, this.#capabilities, request)
    yield* degradations(this.#options.id, this.#capabilities, request)
    await this.#begin(request.messages, signal)
    const inputTokens =
      countTokens(request.messages, request.tools) + tokenize(request.continueFrom ?? '').length
    const shared = this.#capabilities.parallel_samples === 'native'
    yield {
      type: 'usage',
      inputTokens: shared ? inputTokens : inputTokens * request.samples,
      cachedTokens: 0,
    }
    const { tokensPerSecond } = this.#options
    const pause = tokensPerSecond === undefined ? undefined : this.#createPause(signal)
    try {
      // One token of every open sample at each beat.
      for (let open = this.#texts(request); open.length > 0;) {
        for (const text of open) yield text.next()
        if (open.some(({ ended }) => ended)) open = open.filter(({ ended }) => !ended)
        if (pause !== undefined && open.length > 0) await pause.wait(1000 / tokensPerSecond!)
        else signal.throwIfAborted()
      }
    } finally {
      pause?.close()
    }
  }

  async scoreText(messages: readonly Message[], text: string, signal: AbortSignal) {
    await this.#begin(messages, signal)
    const conversation = readConversation(messages)
    const reply = replyTo(conversation, '', this.#quality, this.#random(messages, 0, 0), true)
    const tokens = tokenize(text)
    const right = isRight(conversation.question, text)
    const logProbability =
      reply.choices === undefined
        ? tokenLogProbabilities(tokens, right).reduce((sum, value) => sum + value, 0)
        : choiceLogProbability(reply.choices, text)
    const inputTokens = countTokens(messages) + tokens.length
    return { logProbability, tokens: tokens.length, inputTokens, cachedTokens: 0 }
  }

  async scoreSteps(messages: readonly Message[], steps: readonly string[], signal: AbortSignal) {
    await this.#begin(messages, signal)
    const { question } = readConversation(messages)
    const scores = judgeSteps(question, steps).map((right, index) => {
      const random = this.#random([...messages, ...asMessages(steps.slice(0, index + 1))], 0, 0)
      const believed = random.next() < this.#quality.judgeReliability ? right : !right
      return believed ? 0.8 + 0.2 * random.next() : 0.2 * random.next()
    })
    const inputTokens = countTokens(messages) + tokenize(steps.join('\n')).length
    return { steps: scores, inputTokens, cachedTokens: 0 }
  }

  /** Waits for the first token; one turn of the event loop at least, so that fast runs starve nobody. */
  async #begin(messages: readonly Message[], signal: AbortSignal): Promise<void> {
    const { id, failMarker, firstTokenMs = 0 } = this.#options
    if (firstTokenMs > 0) await this.#waitForFirstToken(firstTokenMs, signal)
    else await turn()
    signal.throwIfAborted()
    if (
      failMarker === undefined ||
      !messages.some((message) => messageText(message).includes(failMarker))
    ) {
      return
    }
    throw new RefineError(
      'upstream_unavailable',
      `Model "${id}" fails on this prompt, as scripted.`,
    )
  }

  async #waitForFirstToken(milliseconds: number, signal: AbortSignal): Promise<void> {
    const pause = this.#createPause(signal)
    try {
      await pause.wait(milliseconds)
    } finally {
      pause.close()
    }
  }

  /** Texts are drawn from the model, the prompt, the seed and the sample; at temperature 0 only from the first two. */
  #random(messages: readonly Message[], seed: number, sample: number): Random {
    const key = JSON.stringify([this.#options.seed ?? 1, messages, seed, sample])
    return createRandom(hashToUnit(key) * 2 ** 32)
  }

  #texts(request: GenerationRequest): SampleText[] {
    const { failEvery, failAfterTokens = 0, id } = this.#options
    const greedy = request.sampling.temperature === 0
    const conversation = readConversation(request.messages)
    const written = request.continueFrom ?? ''
    const context = [...request.messages, ...asMessages(written === '' ? [] : [written])]
    return Array.from({ length: request.samples }, (_, sample) => {
      const number = ++this.#samples
      const seed = this.#capabilities.seed === 'none' ? number : request.seed
      const random = greedy ? this.#random(context, 0, 0) : this.#random(context, seed, sample)
      const reply =
        formalReply(request, conversation, this.#quality.accuracy, random) ??
        replyTo(conversation, written, this.#quality, random, greedy)
      const fails = failEvery !== undefined && number % failEvery === 0
      return new SampleText(reply, request, sample, fails ? failAfterTokens : undefined, id)
    })
  }
}

const asMessages = (texts: readonly string[]): Message[] =>
  texts.map((content) => ({ role: 'assistant', content }))

export const createScriptedModel = (options: ScriptedOptions): LanguageModel => {
  const capabilities = { ...CAPABILITIES, ...options.capabilities }
  const model = new ScriptedModel(options, capabilities)
  return {
    id: options.id,
    capabilities,
    prompts: 'compact',
    contextLength: options.contextLength,
    price: options.price ?? { input: 0, output: 0 },
    countTokens,
    generate: (request, { signal }) => model.generate(request, signal),
    ...(capabilities.text_scoring !== 'none' && {
      scoreText: ({ messages, text }, { signal }) => model.scoreText(messages, text, signal),
    }),
    ...(capabilities.step_scores === 'native' && {
      scoreSteps: ({ messages, steps }, { signal }) => model.scoreSteps(messages, steps, signal),
    }),
    ready: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}
