/** One sample of a generation while it grows: its text, its random stream and the rules that end it. */
import { createRandom, type Random } from '../core/random.ts'
import type { FinishReason } from '../core/event.ts'
import type { Bans } from './bans.ts'
import type { TokenLogProbability } from '../core/language-model.ts'
import type { Guide } from './constraint/guide.ts'
import type { GenerateWork, WorkerChunk } from './protocol.ts'
import { Penalties, penalises } from './penalties.ts'
import {
  alternativesOf,
  chooseToken,
  type ChoiceResults,
  type HeadResults,
  type TokenLikelihood,
} from './sampler.ts'
import type { AdjustedRow } from './runtime/adjuster.ts'
import { TextStream } from './text/text-stream.ts'
import type { TokenText } from './text/token-text.ts'

/** What a sample needs to know of its model. */
export interface Vocabulary {
  readonly text: TokenText
  readonly endTokens: ReadonlySet<number>
  /** Never sampled. */
  readonly suppressedTokens: ReadonlySet<number>
  readonly contextLength: number
  readonly bans?: Bans | undefined
}

/** Streams of neighbouring samples must not overlap: Mulberry32's seeds are mixed by two odd constants first. */
const streamOf = (seed: number, sample: number): Random => {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(sample + 1, 0xc2b2ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x27d4eb2f)
  return createRandom(mixed ^ (mixed >>> 13))
}

/** Largest float32 below 1: rounded to float32, a number just below 1 would be 1, and draw behind the last token. */
const BELOW_ONE = 1 - 2 ** -24

/** The choice among changed logits, for a row that asked for it. */
export interface AdjustedChoice {
  readonly results: ChoiceResults
  readonly row: number
}

interface Advance {
  readonly chunks: WorkerChunk[]
  readonly finished: boolean
}

export class Sample {
  readonly work: GenerateWork
  readonly index: number
  readonly #vocabulary: Vocabulary
  readonly #random: Random
  readonly #stream: TextStream
  readonly #guide: Guide | undefined
  readonly #penalties: Penalties | undefined
  readonly #answer: number[] = []
  /** Tokens at the end that are not computed yet. */
  #open = 1
  #uniform = 0
  #logProbability = 0

  constructor(work: GenerateWork, index: number, vocabulary: Vocabulary, guide?: Guide) {
    this.work = work
    this.index = index
    this.#vocabulary = vocabulary
    this.#random = streamOf(work.seed, index)
    this.#stream = new TextStream(work.sampling.stop, work.keepStop)
    this.#guide = guide
    this.#penalties = penalises(work.sampling)
      ? new Penalties(work.sampling, work.prompt)
      : undefined
  }

  /** What has to be computed before the next token can be chosen: the last token, and what was forced before it. */
  get openTokens(): readonly number[] {
    const written = this.#answer.slice(-this.#open)
    return written.length === this.#open ? written : [this.work.prompt.at(-1)!, ...written]
  }

  /** Everything but the last token, which alone is then left open: for a start, or a new one. */
  closeAll(): Int32Array {
    this.#open = 1
    return Int32Array.from([...this.work.prompt, ...this.#answer].slice(0, -1))
  }

  /** Of the open tokens the first `count` were computed; returns whether the next one can be chosen. */
  close(count: number): boolean {
    this.#open -= count
    return this.#open === 0
  }

  /** Position of the last token in the whole text. */
  get position(): number {
    return this.work.prompt.length - 1 + this.#answer.length
  }

  /** Tokens of prompt and answer together, at most. */
  get maxLength(): number {
    const { prompt, sampling } = this.work
    return Math.min(prompt.length + sampling.maxTokens, this.#vocabulary.contextLength)
  }

  /** The random number of the coming step, one per token. */
  drawUniform(): number {
    this.#uniform = Math.min(this.#random.next(), BELOW_ONE)
    return this.#uniform
  }

  /** What has to be done to this row's logits before its token is chosen; undefined: nothing. */
  adjustment(row: number): AdjustedRow | undefined {
    const constrained = this.#guide?.mask?.allowed
    const left = this.#vocabulary.bans?.allowed(this.work.prompt, this.#answer, constrained)
    const allowed = left ?? constrained
    if (allowed === undefined && this.#penalties === undefined) return undefined
    return {
      row,
      temperature: this.work.sampling.temperature || 1,
      uniform: this.#uniform,
      changes: this.#penalties?.changes,
      allowed,
    }
  }

  /** Takes what the constraint begins with. */
  begin(): Advance {
    return this.#force({ chunks: [], finished: false })
  }

  /** Takes the next token from the results of the step that `drawUniform` was called for. */
  advance(head: HeadResults, row: number, adjusted?: AdjustedChoice): Advance {
    // Where the vocabulary cannot write what the constraint wants next, there is no token to choose.
    if (this.#guide?.mask?.count === 0) return this.#finish('other', 'constraint_without_token')
    const likely = this.#choose(head, row, adjusted)
    this.#logProbability += likely.logProbability
    return this.#force(this.#take(likely.token, this.#entry(likely, head, row)))
  }

  /**
   * Takes the tokens that leave no choice: they are computed together later. Not where log-probabilities are wanted, which
   * come with the computation; then the same tokens are taken one by one.
   */
  #force({ chunks, finished }: Advance): Advance {
    if (this.work.topLogProbabilities !== undefined) return { chunks, finished }
    let isFinished = finished
    while (!isFinished) {
      const token = this.#guide?.forced
      if (token === undefined) break
      // As many numbers are drawn as tokens are taken, however they are computed.
      this.drawUniform()
      const next = this.#take(token, undefined)
      chunks.push(...next.chunks)
      isFinished = next.finished
    }
    return { chunks, finished: isFinished }
  }

  #take(token: number, entry: TokenLogProbability | undefined): Advance {
    this.#answer.push(token)
    this.#open++
    this.#penalties?.take(token)
    if (this.#vocabulary.endTokens.has(token)) return this.#finish('stop', 'end_token')
    this.#guide?.take(token)
    const piece = this.#stream.push(this.#vocabulary.text.bytes(token), entry)
    const chunks = this.#delta(piece.text, piece.tokens)
    if (piece.stop !== undefined) return this.#finish('stop', 'stop_string', chunks, piece.stop)
    if (this.#guide?.complete === true) return this.#finish('stop', 'constraint_met', chunks)
    if (this.#answer.length >= this.work.sampling.maxTokens)
      return this.#finish('length', 'max_tokens', chunks)
    if (this.position + 1 >= this.#vocabulary.contextLength)
      return this.#finish('length', 'context_length', chunks)
    return { chunks, finished: false }
  }

  /** The log-probability is of the model's own distribution, whatever was changed before the choice. */
  #choose(head: HeadResults, row: number, adjusted?: AdjustedChoice): TokenLikelihood {
    const { sampling } = this.work
    const { token, logit } = chooseToken(
      adjusted?.results ?? head,
      adjusted?.row ?? row,
      sampling,
      this.#uniform,
    )
    const own = adjusted === undefined ? logit : head.logits![row * head.vocabulary + token]!
    return { token, logProbability: own - head.normaliser[row]! }
  }

  #entry(likely: TokenLikelihood, head: HeadResults, row: number): TokenLogProbability | undefined {
    const { topLogProbabilities } = this.work
    if (topLogProbabilities === undefined) return undefined
    const describe = ({ token, logProbability }: TokenLikelihood) => ({
      text: this.#vocabulary.text.text(token),
      logProbability,
    })
    return {
      ...describe(likely),
      alternatives: alternativesOf(head, row, topLogProbabilities)
        .filter(({ token }) => !this.#vocabulary.suppressedTokens.has(token))
        .map(describe),
    }
  }

  #delta(text: string, tokens: readonly TokenLogProbability[]): WorkerChunk[] {
    if (text === '' && tokens.length === 0) return []
    const withTokens = this.work.topLogProbabilities === undefined ? {} : { tokens }
    return [{ type: 'delta', sample: this.index, text, ...withTokens }]
  }

  #finish(
    unified: FinishReason,
    raw: string,
    before: readonly WorkerChunk[] = [],
    stopString?: string,
  ): Advance {
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
        ...(stopString !== undefined && { stopString }),
        outputTokens: this.#answer.length,
        ...scored,
      },
    ]
    return { chunks, finished: true }
  }
}
