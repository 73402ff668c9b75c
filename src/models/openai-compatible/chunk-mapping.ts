/** Reads the chunks of a streamed chat completion, tolerantly, and tells them as the model port's chunks. */
import type { RefineError } from '../../core/errors.ts'
import type { GenerationChunk, TokenLogProbability } from '../../core/language-model.ts'
import { isRecord } from '../../core/validation.ts'
import { ToolCallAssembly } from './tool-call-assembly.ts'
import {
  BROKEN,
  count,
  droppedStop,
  FINISH,
  metStop,
  textOf,
  tokensOf,
  type Fields,
} from './upstream-fields.ts'
import { failureOfForm, failureOfFrame, type Origin } from './upstream-error.ts'

/** How the answer is to be read. */
export interface Reading {
  readonly origin: Origin
  readonly samples: number
  /** Number given to the first sample. */
  readonly firstSample: number
  /** Stop strings that were asked for. */
  readonly stops: readonly string[]
  /** Whether the one that was met is to be put back: the upstream drops it, and it is wanted. */
  readonly restoresStop: boolean
  readonly logProbabilities: boolean
  /** Taken when the upstream reports no usage. */
  readonly estimatedInputTokens: number
}

interface Sample {
  readonly number: number
  readonly calls: ToolCallAssembly
  /** High surrogate that waits for its other half. */
  carry: string
  /** End of the text so far, as long as a stop string may be. */
  tail: string
  deltas: number
  bytes: number
  tokens: number
  logProbability: number
  state: 'silent' | 'open' | 'finished'
}

const TAIL = 256
const BYTES_PER_TOKEN = 4

/**
 * The state of one call. Of several samples, each that ends before the last is told its tokens by our own count and
 * the last one gets the rest of the upstream's total, so that the sum is exact and no ending is held back.
 */
export class ChunkMapping {
  readonly #reading: Reading
  readonly #samples: readonly Sample[]
  #usage: { input: number; output: number | undefined; cached: number } | undefined
  #last: { sample: Sample; raw: string; stop: string | undefined } | undefined
  #told = 0
  /** Whether any chunk about a sample went out, after which the call cannot be repeated. */
  delivered = false

  constructor(reading: Reading) {
    this.#reading = reading
    this.#samples = Array.from({ length: reading.samples }, (_, index) => ({
      number: reading.firstSample + index,
      calls: new ToolCallAssembly(),
      carry: '',
      tail: '',
      deltas: 0,
      bytes: 0,
      tokens: 0,
      logProbability: 0,
      state: 'silent',
    }))
  }

  /** Every sample has ended; what may still come is the usage. */
  get complete(): boolean {
    return this.#samples.every(({ state }) => state === 'finished')
  }

  /** Numbers of the samples of which nothing came at all. */
  get missing(): readonly number[] {
    return this.#samples.filter(({ state }) => state === 'silent').map(({ number }) => number)
  }

  get usage(): { readonly inputTokens: number; readonly cachedTokens: number } {
    return {
      inputTokens: this.#usage?.input ?? this.#reading.estimatedInputTokens,
      cachedTokens: this.#usage?.cached ?? 0,
    }
  }

  /**
   * What one event of the stream says.
   * @throws UpstreamFailure when it says that the upstream failed, or is not JSON.
   */
  *read(data: string): Generator<GenerationChunk, void, void> {
    const frame = this.#parse(data)
    if (frame['error'] !== undefined && frame['error'] !== null) {
      throw failureOfFrame(frame, this.#reading.origin)
    }
    this.#readUsage(frame['usage'])
    const choices = Array.isArray(frame['choices']) ? frame['choices'] : []
    for (const choice of choices) if (isRecord(choice)) yield* this.#readChoice(choice)
    if (this.#usage !== undefined) yield* this.#closeLast()
  }

  /**
   * Closes what is open when the stream has ended.
   * @param done whether the upstream said that it was the end, by `[DONE]` or by a whole body.
   * @throws UpstreamFailure when nothing came at all.
   */
  *end(done: boolean): Generator<GenerationChunk, void, void> {
    if (this.missing.length === this.#samples.length) {
      throw failureOfForm('ended the stream without an answer', this.#reading.origin)
    }
    for (const sample of this.#samples) {
      if (sample.state === 'open' && done) this.#finish(sample, '', undefined)
      yield* this.#closeLast()
    }
    if (this.#samples.some(({ state }) => state === 'open')) {
      yield* this.fail(
        failureOfForm('broke off before the answer was complete', this.#reading.origin).error,
      )
    }
  }

  /** Closes every sample that has not ended, with the error. */
  *fail(error: RefineError): Generator<GenerationChunk, void, void> {
    yield* this.#closeLast()
    for (const sample of this.#samples) {
      if (sample.state === 'finished') continue
      sample.state = 'finished'
      yield { type: 'failure', sample: sample.number, error }
    }
  }

  #parse(data: string): Fields {
    try {
      const frame = JSON.parse(data) as unknown
      if (isRecord(frame)) return frame
    } catch {
      // told below
    }
    throw failureOfForm('sent an event that is no JSON object', this.#reading.origin)
  }

  #readUsage(usage: unknown): void {
    const input = isRecord(usage) ? count(usage['prompt_tokens']) : undefined
    if (!isRecord(usage) || input === undefined) return
    const details = usage['prompt_tokens_details']
    const cached = isRecord(details) ? count(details['cached_tokens']) : undefined
    this.#usage = { input, output: count(usage['completion_tokens']), cached: cached ?? 0 }
  }

  *#readChoice(choice: Fields): Generator<GenerationChunk, void, void> {
    const sample = this.#samples[count(choice['index']) ?? 0]
    if (sample === undefined || sample.state === 'finished') return
    const delta = choice['delta'] ?? choice['message']
    if (isRecord(delta)) yield* this.#readDelta(sample, delta, choice)
    const raw = choice['finish_reason']
    if (typeof raw !== 'string' || raw === '') return
    if (BROKEN.has(raw)) {
      throw failureOfForm(`ended the answer with "${raw}"`, this.#reading.origin)
    }
    sample.state = 'open'
    const { stops, restoresStop } = this.#reading
    const dropped = raw === 'stop' && restoresStop ? droppedStop(choice, stops, sample.tail) : ''
    yield* this.#text(sample, sample.carry === '' ? dropped : `\u{fffd}${dropped}`, [])
    this.#finish(sample, raw, metStop(choice, stops))
    if (!this.complete) yield* this.#closeLast()
  }

  *#readDelta(
    sample: Sample,
    delta: Fields,
    choice: Fields,
  ): Generator<GenerationChunk, void, void> {
    const text = textOf(delta['content'])
    const thought = textOf(delta['reasoning_content']) || textOf(delta['reasoning'])
    const called = sample.calls.add(delta['tool_calls'])
    if (text !== '' || thought !== '' || called > 0) sample.deltas++
    if (called > 0) sample.state = 'open'
    sample.bytes += Buffer.byteLength(text) + Buffer.byteLength(thought) + called
    const tokens = this.#reading.logProbabilities ? tokensOf(choice) : []
    const whole = sample.carry + text
    const cut = /[\ud800-\udbff]$/.test(whole) ? whole.length - 1 : whole.length
    sample.carry = whole.slice(cut)
    yield* this.#text(sample, whole.slice(0, cut), tokens)
  }

  *#text(
    sample: Sample,
    text: string,
    tokens: readonly TokenLogProbability[],
  ): Generator<GenerationChunk, void, void> {
    if (text === '' && tokens.length === 0) return
    sample.state = 'open'
    sample.tokens += tokens.length
    for (const token of tokens) sample.logProbability += token.logProbability
    sample.tail = (sample.tail + text).slice(-TAIL)
    this.delivered = true
    yield {
      type: 'delta',
      sample: sample.number,
      text,
      ...(tokens.length > 0 && { tokens }),
    }
  }

  #finish(sample: Sample, raw: string, stop: string | undefined): void {
    sample.state = 'finished'
    this.#last = { sample, raw, stop }
  }

  *#closeLast(): Generator<GenerationChunk, void, void> {
    if (this.#last === undefined) return
    const { sample, raw, stop } = this.#last
    this.#last = undefined
    const outputTokens = this.#outputTokens(sample)
    this.#told += outputTokens
    this.delivered = true
    const calls = sample.calls.finish()
    for (const call of calls) yield { type: 'tool_call', sample: sample.number, call }
    const told = FINISH[raw] ?? 'other'
    yield {
      type: 'finish',
      sample: sample.number,
      // Where a certain function had to be called, OpenAI itself says "stop".
      reason: { unified: calls.length > 0 && told === 'stop' ? 'tool_calls' : told, raw },
      ...(stop !== undefined && { stopString: stop }),
      outputTokens,
      ...(sample.tokens > 0 && { logProbability: sample.logProbability }),
    }
  }

  #outputTokens(sample: Sample): number {
    const total = this.#usage?.output
    if (total !== undefined && this.complete) return Math.max(0, total - this.#told)
    return Math.max(sample.tokens, sample.deltas, Math.ceil(sample.bytes / BYTES_PER_TOKEN))
  }
}
