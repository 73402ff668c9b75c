/** A language model behind any upstream that speaks the OpenAI chat completions dialect. */
import type {
  CallOptions,
  CapabilityRecord,
  GenerationChunk,
  GenerationRequest,
  LanguageModel,
  Price,
  PromptSet,
} from '../core/language-model.ts'
import { merge } from '../core/merge.ts'
import type { Message } from '../core/task.ts'
import type { Tool } from '../core/tools.ts'
import { complete, type Completion, type Endpoint } from './openai-compatible/completion.ts'
import {
  DEFAULT_TIMEOUTS,
  endpointUrl,
  UpstreamConnections,
  type Timeouts,
} from './openai-compatible/connection.ts'
import { capabilitiesOf, type Flavour } from './openai-compatible/flavour.ts'
import { degradations, requestBody, type Upstream } from './openai-compatible/request-body.ts'
import { DEFAULT_RETRIES, retryHints, type RetryPolicy } from './openai-compatible/retries.ts'
import { countTokens } from './openai-compatible/token-estimate.ts'
import { failureOfStatus, UpstreamFailure } from './openai-compatible/upstream-error.ts'
import { requireCapabilities } from './required-capabilities.ts'

export type { Flavour, RetryPolicy, Timeouts }

export interface OpenAICompatibleOptions {
  readonly id: string
  /** Up to and including the version, such as `http://127.0.0.1:8000/v1`; a query string is kept. */
  readonly baseUrl: string
  /** Name of the model at the upstream. */
  readonly upstreamModel: string
  readonly apiKey?: string
  /** Default: free. */
  readonly price?: Price
  readonly contextLength?: number
  /** Default: `full`. */
  readonly prompts?: PromptSet
  /** What the upstream can do other than its flavour says. */
  readonly capabilities?: Partial<CapabilityRecord>
  readonly timeouts?: Partial<Timeouts>
  readonly retries?: Partial<RetryPolicy>
  /** Sent with every request, beside the key. */
  readonly headers?: Readonly<Record<string, string>>
  /** How what the dialect lacks is asked for. Default: `openai`, nothing beyond the dialect. */
  readonly flavour?: Flavour
  /** Default: `max_tokens`, which all self-hosted servers know. */
  readonly maxTokensField?: 'max_tokens' | 'max_completion_tokens'
  /** Uniform in [0, 1): the jitter of pauses. */
  readonly random?: () => number
}

const READY_MS = 5000

/** Another seed for every sample; sample 0 keeps the request's own. */
const sampleSeed = (seed: number, sample: number): number =>
  (seed + Math.imul(sample, 0x9e3779b1)) & 0x7fffffff

class OpenAICompatibleModel implements LanguageModel {
  readonly id: string
  readonly capabilities: CapabilityRecord
  readonly prompts: PromptSet
  readonly contextLength: number | undefined
  readonly price: Price
  readonly estimatesTokens = true
  readonly #upstream: Upstream
  readonly #endpoint: Endpoint
  readonly #models: URL

  constructor(options: OpenAICompatibleOptions) {
    const { id, baseUrl, apiKey, flavour = 'openai' } = options
    this.id = id
    this.capabilities = capabilitiesOf(id, flavour, options.capabilities ?? {})
    this.prompts = options.prompts ?? 'full'
    this.contextLength = options.contextLength
    this.price = options.price ?? { input: 0, output: 0 }
    this.#models = endpointUrl(baseUrl, 'models')
    this.#upstream = {
      id,
      upstreamModel: options.upstreamModel,
      flavour,
      capabilities: this.capabilities,
      maxTokensField: options.maxTokensField ?? 'max_tokens',
    }
    const origin = { id, apiKey }
    this.#endpoint = {
      connections: new UpstreamConnections(origin, this.#models.protocol === 'https:'),
      origin,
      completions: endpointUrl(baseUrl, 'chat/completions'),
      headers: {
        accept: 'text/event-stream, application/json',
        'user-agent': 'whetstone',
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
        ...options.headers,
      },
      timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
      retries: { ...DEFAULT_RETRIES, ...options.retries },
      random: options.random ?? Math.random,
    }
  }

  countTokens(messages: readonly Message[], tools?: readonly Tool[]): number {
    return countTokens(messages, tools)
  }

  async *generate(
    request: GenerationRequest,
    options: CallOptions,
  ): AsyncGenerator<GenerationChunk, void, void> {
    options.signal.throwIfAborted()
    requireCapabilities(this.id, this.capabilities, request)
    // Refused as a whole here, rather than sample by sample where each is a call of its own.
    requestBody(this.#upstream, request)
    yield* degradations(this.#upstream, request)
    const all = Array.from({ length: request.samples }, (_, sample) => sample)
    const together = all.length === 1 || this.capabilities.parallel_samples === 'native'
    const first = yield* together
      ? this.#together(request, options)
      : this.#separately(request, all, options)
    const rest = yield* this.#missing(request, first.missing, options)
    yield {
      type: 'usage',
      inputTokens: first.inputTokens + rest.inputTokens,
      cachedTokens: first.cachedTokens + rest.cachedTokens,
    }
  }

  /** @throws RefineError when the upstream cannot be reached within five seconds, or does not take the key. */
  async ready(): Promise<void> {
    const { connections, headers, origin } = this.#endpoint
    const timeouts = { connectMs: READY_MS, firstByteMs: READY_MS, betweenBytesMs: READY_MS }
    const { signal } = new AbortController() // never aborted: the time-outs end it
    try {
      const reply = await connections.send({ url: this.#models, headers, timeouts, signal })
      reply.release()
      const packets = reply.packets(() => READY_MS)
      await packets.next()
      await packets.return()
      // An upstream that lists no models (404) is reachable all the same.
      if (reply.status === 401 || reply.status === 403 || reply.status >= 500) {
        throw failureOfStatus(reply.status, '', origin, retryHints(reply.headers))
      }
    } catch (thrown) {
      throw thrown instanceof UpstreamFailure ? thrown.error : thrown
    }
  }

  close(): Promise<void> {
    this.#endpoint.connections.close()
    return Promise.resolve()
  }

  #call(
    request: GenerationRequest,
    firstSample: number,
    options: CallOptions,
  ): AsyncGenerator<GenerationChunk, Completion, void> {
    const reading = {
      origin: this.#endpoint.origin,
      samples: request.samples,
      firstSample,
      stops: request.sampling.stop ?? [],
      restoresStop: request.keepStop === true && this.capabilities.stop_kept === 'emulated',
      logProbabilities: request.topLogProbabilities !== undefined,
      estimatedInputTokens: countTokens(request.messages, request.tools),
    }
    const body = JSON.stringify(requestBody(this.#upstream, request))
    return complete(this.#endpoint, body, reading, options)
  }

  /** All samples in one call. @throws RefineError when it fails as a whole. */
  async *#together(
    request: GenerationRequest,
    options: CallOptions,
  ): AsyncGenerator<GenerationChunk, Completion, void> {
    try {
      return yield* this.#call(request, 0, options)
    } catch (thrown) {
      if (!(thrown instanceof UpstreamFailure)) throw thrown
      if (thrown.unread) yield { type: 'usage', inputTokens: 0, cachedTokens: 0 }
      throw thrown.error
    }
  }

  /** A call of its own for each sample; one that fails as a whole is a failure of its sample. */
  async *#separately(
    request: GenerationRequest,
    samples: readonly number[],
    options: CallOptions,
  ): AsyncGenerator<GenerationChunk, Completion, void> {
    const { signal } = options
    const own = new AbortController()
    const abort = (): void => own.abort(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      const calls = samples.map((sample) =>
        this.#single(request, sample, { ...options, signal: own.signal }),
      )
      const ended = yield* merge(calls)
      return {
        inputTokens: ended.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
        cachedTokens: ended.reduce((sum, { cachedTokens }) => sum + cachedTokens, 0),
        missing: [],
      }
    } finally {
      signal.removeEventListener('abort', abort)
      own.abort()
    }
  }

  async *#single(
    request: GenerationRequest,
    sample: number,
    options: CallOptions,
  ): AsyncGenerator<GenerationChunk, Completion, void> {
    const single = { ...request, samples: 1, seed: sampleSeed(request.seed, sample) }
    try {
      return yield* this.#call(single, sample, options)
    } catch (thrown) {
      if (!(thrown instanceof UpstreamFailure)) throw thrown
      yield { type: 'failure', sample, error: thrown.error }
      const inputTokens = thrown.unread ? 0 : countTokens(request.messages, request.tools)
      return { inputTokens, cachedTokens: 0, missing: [] }
    }
  }

  /** Some upstreams take `n` and give one answer: the others are asked for one by one. */
  async *#missing(
    request: GenerationRequest,
    missing: readonly number[],
    options: CallOptions,
  ): AsyncGenerator<GenerationChunk, Completion, void> {
    if (missing.length === 0) return { inputTokens: 0, cachedTokens: 0, missing: [] }
    yield {
      type: 'warning',
      code: 'emulated_samples',
      message:
        `Model "${this.id}": the upstream left out ${missing.length} of ${request.samples} samples; each is asked ` +
        'for by itself. Set capabilities.parallel_samples to "emulated" to do so from the start.',
    }
    return yield* this.#separately(request, missing, options)
  }
}

/** @throws RefineError invalid_request for a base URL or capabilities that cannot be. Close it when done. */
export const createOpenAICompatibleModel = (options: OpenAICompatibleOptions): LanguageModel =>
  new OpenAICompatibleModel(options)
