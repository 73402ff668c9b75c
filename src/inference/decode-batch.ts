/** Samples that are decoded together, one token each per step. */
import type { CachedPrefix } from './cache/prompt-cache.ts'
import { RowCache } from './cache/row-cache.ts'
import type { WorkerChunk } from './protocol.ts'
import type { Decoder } from './runtime/decoder.ts'
import type { Sample } from './sample.ts'
import { needsLogits, readHead, topCountFor } from './sampler.ts'

const HEAD_OUTPUTS = [
  'drawn',
  'drawn_logit',
  'top_logits',
  'top_tokens',
  'normaliser',
  'scaled_mass',
] as const

/** A sample with the request it belongs to. */
export interface Row {
  readonly id: number
  readonly sample: Sample
}

export class DecodeBatch {
  readonly #decoder: Decoder
  /** Stored once for all rows; the rows then hold what comes after it. */
  readonly #prefix: CachedPrefix | undefined
  readonly #cache: RowCache
  #rows: Row[] = []

  constructor(decoder: Decoder, prefix?: CachedPrefix) {
    this.#decoder = decoder
    this.#prefix = prefix
    this.#cache = new RowCache(decoder.cache)
  }

  get size(): number {
    return this.#rows.length
  }

  /**
   * Tokens of cache, padding included, that the rows may come to take, with one more row for `candidate` if given.
   * Counted by what the requests allow, so that a row that was let in never runs out of memory.
   */
  reservedTokens(candidate?: Sample): number {
    const samples = this.#rows.map(({ sample }) => sample)
    if (candidate !== undefined) samples.push(candidate)
    const shared = this.#prefix?.length ?? 0
    const longest = Math.max(0, ...samples.map((sample) => sample.maxLength - shared))
    return shared + samples.length * longest
  }

  /** `prefix` holds all tokens of the sample's prompt but the last; it is copied unless it is the batch's own. */
  add(row: Row, prefix: CachedPrefix | undefined): void {
    this.#cache.add(prefix === this.#prefix ? undefined : prefix)
    this.#rows.push(row)
  }

  removeWhere(leaves: (row: Row) => boolean): void {
    for (let index = this.#rows.length - 1; index >= 0; index--) {
      if (!leaves(this.#rows[index]!)) continue
      this.#cache.remove(index)
      const last = this.#rows.pop()!
      if (index < this.#rows.length) this.#rows[index] = last
    }
  }

  /** Computes the next token of every row; rows that end leave. */
  async step(emit: (id: number, chunk: WorkerChunk) => void): Promise<void> {
    const rows = this.#rows
    const { vocabulary } = this.#decoder.shape
    const topCount = rows.reduce(
      (most, { sample: { work } }) =>
        Math.max(most, topCountFor(work.sampling, vocabulary), work.topLogProbabilities ?? 0),
      1,
    )
    const wide = rows.some(({ sample }) => needsLogits(sample.work.sampling, vocabulary))
    const results = await this.#run(topCount, wide)
    const head = readHead(results, topCount, vocabulary)
    const ended = new Set<Row>()
    for (const [index, row] of rows.entries()) {
      const { chunks, finished } = row.sample.advance(head, index)
      for (const chunk of chunks) emit(row.id, chunk)
      if (finished) ended.add(row)
    }
    this.removeWhere((row) => ended.has(row))
  }

  async #run(topCount: number, wide: boolean) {
    const samples = this.#rows.map(({ sample }) => sample)
    const count = samples.length
    this.#cache.prepare()
    const { present, head } = await this.#decoder.run({
      rows: count,
      length: 1,
      tokens: BigInt64Array.from(samples, ({ lastToken }) => BigInt(lastToken)),
      positions: BigInt64Array.from(samples, ({ position }) => BigInt(position)),
      ...(this.#prefix && { prefix: this.#prefix }),
      past: this.#cache.tensors(),
      head: {
        rows: BigInt64Array.from(samples, (_, row) => BigInt(row)),
        outputs: wide ? [...HEAD_OUTPUTS, 'logits'] : HEAD_OUTPUTS,
        temperatures: Float32Array.from(samples, ({ work }) => work.sampling.temperature || 1),
        uniforms: Float32Array.from(samples, (sample) => sample.drawUniform()),
        topCount,
      },
    })
    this.#cache.append(present)
    return head
  }
}
