/**
 * Keys and values of the rows that are decoded together. Rows lie side by side in one array per part, so that any
 * number of them from the first on is a tensor without a copy; a row that leaves is replaced by the last one.
 */
import type { CacheBlock, CacheMemory } from './cache-memory.ts'
import { MASKED } from './cache-shape.ts'
import type { CachedPrefix } from './prompt-cache.ts'

/** The length of all rows grows in steps of this many tokens: the work per step follows the longest row. */
const STEP = 32

const roundUp = (value: number): number => Math.ceil(value / STEP) * STEP

export interface PastRows {
  /** Has as many rows as there are, or more. */
  readonly block: CacheBlock
  /** For each row as many numbers as the block has room for tokens. */
  readonly mask: Float32Array
  /** Tokens of each row; they change with the rows. */
  readonly lengths: readonly number[]
}

export class RowCache {
  readonly #memory: CacheMemory
  #block: CacheBlock | undefined
  #mask = new Float32Array()
  readonly #lengths: number[] = []

  constructor(memory: CacheMemory) {
    this.#memory = memory
  }

  get rows(): number {
    return this.#lengths.length
  }

  /** Adds a row behind the others that begins with a copy of the prefix from its token `from` on, or empty. */
  add(prefix: CachedPrefix | undefined, from = 0): void {
    const length = (prefix?.length ?? from) - from
    this.#addRow(length)
    if (length > 0) this.#copy(prefix!.cache.block, 0, from, 0, length)
  }

  /** Adds a row of another cache behind the others, after a copy of the prefix that it shared there. */
  adopt(other: RowCache, row: number, prefix: CachedPrefix): void {
    const length = other.#lengths[row]!
    this.#addRow(prefix.length + length)
    this.#copy(prefix.cache.block, 0, 0, 0, prefix.length)
    this.#copy(other.#block!, row, 0, prefix.length, length)
  }

  /** Makes room for `count` more tokens in every row; call it before `past`. */
  prepare(count = 1): void {
    this.#reserve(this.rows, Math.max(...this.#lengths) + count)
  }

  /** Views of the cache for a run; they hold until rows are added, removed or outgrow their room. */
  past(): PastRows {
    const block = this.#block!
    const mask = this.#mask.subarray(0, this.rows * block.stride)
    return { block, mask, lengths: this.#lengths }
  }

  /** Adds the tokens that were just computed: the first `counts[row]` of each row, one each when absent. */
  append(computed: CacheBlock, counts?: readonly number[]): void {
    const block = this.#block!
    const copies = this.#lengths.map((length, row) => {
      const count = counts?.[row] ?? 1
      const start = row * block.stride + length
      this.#mask.fill(0, start, start + count)
      this.#lengths[row] = length + count
      return { fromRow: row, fromAt: 0, toRow: row, toAt: length, count }
    })
    block.copyFrom(computed, copies)
  }

  /** Removes a row; the last row takes its place. */
  remove(row: number): void {
    const length = this.#lengths.pop()!
    const last = this.rows
    if (last === 0) this.#dropAll()
    if (row === last) return
    const block = this.#block!
    this.#lengths[row] = length
    this.#mask.copyWithin(row * block.stride, last * block.stride, (last + 1) * block.stride)
    const copy = { fromRow: last, fromAt: 0, toRow: row, toAt: 0, count: length }
    if (length > 0) block.copyFrom(block, [copy])
  }

  #dropAll(): void {
    this.#block?.release()
    this.#block = undefined
  }

  #addRow(length: number): void {
    const { stride } = this.#reserve(this.rows + 1, length + 1)
    const start = this.rows * stride
    this.#mask.fill(MASKED, start, start + stride)
    this.#mask.fill(0, start, start + length)
    this.#lengths.push(length)
  }

  /** Copies tokens into the last row. */
  #copy(from: CacheBlock, fromRow: number, fromAt: number, toAt: number, count: number): void {
    if (count > 0)
      this.#block!.copyFrom(from, [{ fromRow, fromAt, toRow: this.rows - 1, toAt, count }])
  }

  /** Grows in either direction, and shrinks the rows once they need less than half of their room. */
  #reserve(rows: number, tokens: number): CacheBlock {
    const old = this.#block
    const wanted = roundUp(Math.max(tokens, ...this.#lengths.map((length) => length + 1)))
    const room = { rows: old?.rows ?? 0, tokens: old?.stride ?? 0 }
    const fits = rows <= room.rows && wanted <= room.tokens
    if (old !== undefined && fits && wanted * 2 > room.tokens) return old
    const block = this.#memory.allocate(
      rows <= room.rows ? room.rows : Math.max(rows, room.rows * 2),
      wanted,
    )
    this.#block = block
    this.#mask = new Float32Array(block.rows * block.stride).fill(MASKED)
    const copies = this.#lengths.map((count, row) => {
      this.#mask.fill(0, row * block.stride, row * block.stride + count)
      return { fromRow: row, fromAt: 0, toRow: row, toAt: 0, count }
    })
    const filled = copies.filter(({ count }) => count > 0)
    if (old !== undefined && filled.length > 0) block.copyFrom(old, filled)
    old?.release()
    return block
  }
}
