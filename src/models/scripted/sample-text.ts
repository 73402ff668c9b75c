/** One sample of the scripted model on its way out, token by token. */
import { RefineError } from '../../core/errors.ts'
import type {
  GenerationChunk,
  GenerationRequest,
  TokenLogProbability,
} from '../../core/language-model.ts'
import { canonicalCall, type ToolCall } from '../../core/tools.ts'
import type { Reply } from './reply.ts'
import { describeTokens, tokenize } from './tokens.ts'

interface CutText {
  readonly text: string
  /** Where it was cut; undefined where no stop string is in it. */
  readonly stop: string | undefined
}

const cutAtStop = (text: string, stops: readonly string[], keep: boolean): CutText => {
  let end = text.length
  let cut: CutText = { text, stop: undefined }
  for (const stop of stops) {
    const at = text.indexOf(stop)
    if (at < 0 || at >= end) continue
    end = at
    cut = { text: text.slice(0, keep ? at + stop.length : at), stop }
  }
  return cut
}

export class SampleText {
  readonly #sample: number
  readonly #id: string
  readonly #tokens: readonly string[]
  readonly #described: readonly TokenLogProbability[] | undefined
  readonly #cut: boolean
  readonly #stop: string | undefined
  /** Tokens after which it fails; undefined when it does not. */
  readonly #failsAfter: number | undefined
  readonly #calls: readonly ToolCall[]
  #at = 0
  #called = 0
  ended = false

  constructor(
    reply: Reply,
    request: GenerationRequest,
    sample: number,
    failsAfter: number | undefined,
    id: string,
  ) {
    const { stop = [], max_tokens = Infinity } = request.sampling
    const whole = cutAtStop(reply.text, stop, request.keepStop === true)
    const all = tokenize(whole.text)
    this.#sample = sample
    this.#id = id
    this.#failsAfter = failsAfter
    this.#tokens = all.slice(0, max_tokens)
    this.#calls = reply.calls ?? []
    this.#cut = this.#tokens.length < all.length
    this.#stop = this.#cut ? undefined : whole.stop
    this.#described =
      request.topLogProbabilities === undefined
        ? undefined
        : describeTokens(reply, this.#tokens, request.topLogProbabilities)
  }

  /** The next token, or the end. */
  next(): GenerationChunk {
    const at = this.#at
    if (this.#failsAfter !== undefined && at >= Math.min(this.#failsAfter, this.#tokens.length)) {
      this.ended = true
      const message = `Model "${this.#id}" fails on this sample, as scripted.`
      const error = new RefineError('upstream_unavailable', message)
      return { type: 'failure', sample: this.#sample, error }
    }
    const text = this.#tokens[at]
    const call = this.#calls[this.#called]
    if (text === undefined && call !== undefined) {
      this.#called++
      return { type: 'tool_call', sample: this.#sample, call }
    }
    if (text === undefined) return this.#finish()
    this.#at++
    const token = this.#described?.[at]
    return {
      type: 'delta',
      sample: this.#sample,
      text,
      ...(token !== undefined && { tokens: [token] }),
    }
  }

  #finish(): GenerationChunk {
    this.ended = true
    const whole = this.#calls.length > 0 ? 'tool_calls' : 'stop'
    const raw = this.#cut ? 'length' : whole
    return {
      type: 'finish',
      sample: this.#sample,
      reason: { unified: raw, raw },
      ...(this.#stop !== undefined && { stopString: this.#stop }),
      outputTokens: this.#calls.reduce(
        (sum, call) => sum + tokenize(canonicalCall(call)).length,
        this.#tokens.length,
      ),
      ...(this.#described !== undefined && {
        logProbability: this.#described.reduce((sum, token) => sum + token.logProbability, 0),
      }),
    }
  }
}
