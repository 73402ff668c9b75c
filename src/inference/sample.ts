/** One sample of a generation while it grows: its text, its random stream and the rules that end it. */
import { createRandom, type Random } from '../core/random.ts'
import type { FinishReason } from '../core/event.ts'
import type { TokenLogProbability } from '../core/language-model.ts'
import type { GenerateWork, WorkerChunk } from './protocol.ts'
import { alternativesOf, chooseToken, type Choice, type HeadResults } from './sampler.ts'
import { TextStream } from './text/text-stream.ts'
import type { TokenText } from './text/token-text.ts'

/** What a sample needs to know of its model. */
export interface Vocabulary {
  readonly text: TokenText
  readonly endTokens: ReadonlySet<number>
  readonly contextLength: number
}

/** Streams of neighbouring samples must not overlap: Mulberry32's seeds are mixed by two odd constants first. */
const streamOf = (seed: number, sample: number): Random => {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(sample + 1, 0xc2b2ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x27d4eb2f)
  return createRandom(mixed ^ (mixed >>> 13))
}

export class Sample {
  readonly work: GenerateWork
  readonly index: number
  readonly #vocabulary: Vocabulary
  readonly #random: Random
  readonly #stream: TextStream
  #uniform = 0
  #lastToken: number
  #outputTokens = 0
  #logProbability = 0

  constructor(work: GenerateWork, index: number, vocabulary: Vocabulary) {
    this.work = work
    this.index = index
    this.#vocabulary = vocabulary
    this.#random = streamOf(work.seed, index)
    this.#stream = new TextStream(work.sampling.stop, work.keepStop)
    this.#lastToken = work.prompt.at(-1)!
  }

  /** The token whose successor is wanted next. */
  get lastToken(): number {
    return this.#lastToken
  }

  /** Position of `lastToken` in the whole text. */
  get position(): number {
    return this.work.prompt.length - 1 + this.#outputTokens
  }

  /** Tokens of prompt and answer together, at most. */
  get maxLength(): number {
    const { prompt, sampling } = this.work
    return Math.min(prompt.length + sampling.maxTokens, this.#vocabulary.contextLength)
  }

  /** The random number of the coming step, one per token. */
  drawUniform(): number {
    this.#uniform = this.#random.next()
    return this.#uniform
  }

  /** Takes the next token from the results of the step that `drawUniform` was called for. */
  advance(head: HeadResults, row: number): { chunks: WorkerChunk[]; finished: boolean } {
    const choice = chooseToken(head, row, this.work.sampling, this.#uniform)
    this.#lastToken = choice.token
    this.#outputTokens++
    this.#logProbability += choice.logProbability
    if (this.#vocabulary.endTokens.has(choice.token)) return this.#finish('stop', 'end_token')
    const entry = this.#entry(choice, head, row)
    const piece = this.#stream.push(this.#vocabulary.text.bytes(choice.token), entry)
    const chunks = this.#delta(piece.text, piece.tokens)
    if (piece.stop !== undefined) return this.#finish('stop', `stop_string: ${piece.stop}`, chunks)
    if (this.#outputTokens >= this.work.sampling.maxTokens)
      return this.#finish('length', 'max_tokens', chunks)
    if (this.position + 1 >= this.#vocabulary.contextLength)
      return this.#finish('length', 'context_length', chunks)
    return { chunks, finished: false }
  }

  #entry(choice: Choice, head: HeadResults, row: number): TokenLogProbability | undefined {
    const { topLogProbabilities } = this.work
    if (topLogProbabilities === undefined) return undefined
    const describe = ({ token, logProbability }: Choice) => ({
      text: this.#vocabulary.text.text(token),
      logProbability,
    })
    return {
      ...describe(choice),
      alternatives: alternativesOf(head, row, topLogProbabilities).map(describe),
    }
  }

  #delta(text: string, tokens: readonly TokenLogProbability[]): WorkerChunk[] {
    if (text === '' && tokens.length === 0) return []
    const withTokens = this.work.topLogProbabilities === undefined ? {} : { tokens }
    return [{ type: 'delta', sample: this.index, text, ...withTokens }]
  }

  #finish(unified: FinishReason, raw: string, before: readonly WorkerChunk[] = []) {
    const rest = this.#stream.flush()
    const scored =
      this.work.topLogProbabilities === undefined ? {} : { logProbability: this.#logProbability }
    const chunks: WorkerChunk[] = [
      ...before,
      ...this.#delta(rest.text, rest.tokens),
      {
        type: 'finish',
        sample: this.index,
        reason: { unified, raw },
        outputTokens: this.#outputTokens,
        ...scored,
      },
    ]
    return { chunks, finished: true }
  }
}
