/** Samples that are decoded together, one token each per step. */
import type { CachedPrefix } from './cache/prompt-cache.ts'
import { RowCache } from './cache/row-cache.ts'
import type { CallPriority } from '../core/language-model.ts'
import { checkFinite } from './finite-values.ts'
import type { WorkerChunk } from './protocol.ts'
import type { Adjuster, AdjustedRow } from './runtime/adjuster.ts'
import type { Decoder } from './runtime/decoder.ts'
import type { AdjustedChoice, Sample } from './sample.ts'
import { CHOICE_OUTPUTS, needsLogits, readChoice, readHead, topCountFor } from './sampler.ts'

/** A sample with the request it belongs to. */
export interface Row {
  readonly id: number
  readonly sample: Sample
  readonly priority: CallPriority
  /** Rows of earlier requests have smaller numbers. */
  readonly order: number
}

/** Reading the weights takes about as long as the arithmetic of so many tokens. */
const READING_TOKENS = 6

/**
 * How many tokens of each row to compute in one run, shorter rows padded: as many as give the most tokens for its cost.
 * More than one only where constraints forced several.
 */
const chunkLength = (open: readonly number[]): number => {
  const gain = (length: number): number =>
    open.reduce((sum, count) => sum + Math.min(count, length), 0) /
    (READING_TOKENS + open.length * length)
  const lengths = Array.from({ length: Math.max(...open) }, (_, index) => index + 1)
  return lengths.reduce((best, length) => (gain(length) > gain(best) ? length : best))
}

export class DecodeBatch {
  readonly #decoder: Decoder
  readonly #adjuster: Adjuster
  /** Stored once for all rows; the rows then hold what comes after it. */
  readonly prefix: CachedPrefix | undefined
  readonly #cache: RowCache
  #rows: Row[] = []

  constructor(decoder: Decoder, adjuster: Adjuster, prefix?: CachedPrefix) {
    this.#decoder = decoder
    this.#adjuster = adjuster
    this.prefix = prefix
    this.#cache = new RowCache(decoder.memory)
  }

  get rows(): readonly Row[] {
    return this.#rows
  }

  get size(): number {
    return this.#rows.length
  }

  /** Tokens that are stored once for all rows. */
  get sharedTokens(): number {
    return this.prefix?.length ?? 0
  }

  /**
   * Tokens of cache, padding included, that the rows take when each grows by `growth` tokens, or as far as it may, with
   * one more row for `candidate` if given.
   */
  tokensAfter(growth: number, candidate?: Sample): number {
    const samples = this.#rows.map(({ sample }) => sample)
    if (candidate !== undefined) samples.push(candidate)
    const lengths = samples.map(({ position, maxLength }) => Math.min(position + growth, maxLength))
    const longest = Math.max(0, ...lengths.map((length) => length - this.sharedTokens))
    return this.sharedTokens + samples.length * longest
  }

  /** `prefix` holds all tokens of the sample but the last; what is the batch's own is not copied. */
  add(row: Row, prefix: CachedPrefix | undefined): void {
    this.#cache.add(prefix, this.sharedTokens)
    this.#rows.push(row)
  }

  /** Hands all rows, each with a copy of what they shared here, to a batch without a prefix. */
  moveTo(other: DecodeBatch): void {
    if (this.prefix === undefined) return
    for (const [index, row] of this.#rows.entries()) {
      other.#cache.adopt(this.#cache, index, this.prefix)
      other.#rows.push(row)
    }
    this.removeWhere(() => true)
  }

  removeWhere(leaves: (row: Row) => boolean): void {
    for (let index = this.#rows.length - 1; index >= 0; index--) {
      if (!leaves(this.#rows[index]!)) continue
      this.#cache.remove(index)
      const last = this.#rows.pop()!
      if (index < this.#rows.length) this.#rows[index] = last
    }
  }

  /**
   * Computes the next token of every row, or what is open before it; rows that end leave.
   * @throws RefineError model_failed when the logits are no numbers.
   */
  async step(emit: (id: number, chunk: WorkerChunk) => void): Promise<void> {
    const rows = this.#rows
    const { vocabulary } = this.#decoder.shape
    const open = rows.map(({ sample }) => sample.openTokens)
    const length = chunkLength(open.map((tokens) => tokens.length))
    const chooses = open.map((tokens) => tokens.length <= length)
    const uniforms = Float32Array.from(rows, ({ sample }, row) =>
      chooses[row] ? sample.drawUniform() : 0,
    )
    const adjusted = rows.flatMap(({ sample }, row) =>
      chooses[row] ? (sample.adjustment(row) ?? []) : [],
    )
    const topCount = this.#topCount(rows)
    const wide =
      adjusted.length > 0 ||
      rows.some(({ sample }) => needsLogits(sample.work.sampling, vocabulary))
    const head = readHead(
      await this.#run(open, length, topCount, uniforms, wide),
      topCount,
      vocabulary,
    )
    checkFinite(head.normaliser)
    const choices = await this.#adjust(adjusted, head.logits)
    const ended = new Set<Row>()
    for (const [index, row] of rows.entries()) {
      if (!row.sample.close(Math.min(open[index]!.length, length))) continue
      const { chunks, finished } = row.sample.advance(head, index, choices.get(index))
      for (const chunk of chunks) emit(row.id, chunk)
      if (finished) ended.add(row)
    }
    this.removeWhere((row) => ended.has(row))
  }

  #topCount(rows: readonly Row[]): number {
    const { vocabulary } = this.#decoder.shape
    return rows.reduce(
      (most, { sample: { work } }) =>
        Math.max(most, topCountFor(work.sampling, vocabulary), work.topLogProbabilities ?? 0),
      1,
    )
  }

  /** The choices of rows with penalties or constraints, by row. */
  async #adjust(
    adjusted: readonly AdjustedRow[],
    logits: Float32Array | undefined,
  ): Promise<ReadonlyMap<number, AdjustedChoice>> {
    if (adjusted.length === 0 || logits === undefined) return new Map()
    const { vocabulary } = this.#decoder.shape
    const rows = adjusted.map(({ row }) => this.#rows[row]!)
    const topCount = this.#topCount(rows)
    const wide = rows.some(({ sample }) => needsLogits(sample.work.sampling, vocabulary))
    const outputs = wide ? [...CHOICE_OUTPUTS, 'logits'] : CHOICE_OUTPUTS
    const found = await this.#adjuster.run(logits, adjusted, topCount, outputs)
    const results = readChoice(found, topCount, vocabulary)
    return new Map(adjusted.map(({ row }, index) => [row, { results, row: index }]))
  }

  async #run(
    open: readonly (readonly number[])[],
    length: number,
    topCount: number,
    uniforms: Float32Array,
    wide: boolean,
  ) {
    const samples = this.#rows.map(({ sample }) => sample)
    const outputs = [...CHOICE_OUTPUTS, 'normaliser']
    const counts = open.map((tokens) => Math.min(tokens.length, length))
    const tokens = new BigInt64Array(samples.length * length)
    const positions = new BigInt64Array(samples.length * length)
    for (const [row, { position }] of samples.entries())
      for (let index = 0; index < counts[row]!; index++) {
        tokens[row * length + index] = BigInt(open[row]![index]!)
        positions[row * length + index] = BigInt(position + 1 - open[row]!.length + index)
      }
    this.#cache.prepare(length)
    const { present, head } = await this.#decoder.run({
      rows: samples.length,
      length,
      tokens,
      positions,
      ...(this.prefix && { prefix: this.prefix }),
      past: this.#cache.past(),
      head: {
        rows: BigInt64Array.from(counts, (count, row) => BigInt(row * length + count - 1)),
        outputs: wide ? [...outputs, 'logits'] : outputs,
        temperatures: Float32Array.from(samples, ({ work }) => work.sampling.temperature || 1),
        uniforms,
        topCount,
      },
    })
    this.#cache.append(present, counts)
    present.release()
    return head
  }
}
