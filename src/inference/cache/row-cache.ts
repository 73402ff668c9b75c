/**
 * Keys and values of the rows that are decoded together. Rows lie side by side in one array per part, so that any
 * number of them from the first on is a tensor without a copy; a row that leaves is replaced by the last one.
 */
import { makeTensor, type Tensor } from '../runtime/session.ts'
import {
  allocateParts,
  copyTokens,
  MASKED,
  type CacheParts,
  type CacheShape,
  type TokenSpan,
} from './cache-shape.ts'
import type { CachedPrefix } from './prompt-cache.ts'

/** The length of all rows grows in steps of this many tokens: the work per step follows the longest row. */
const STEP = 32

const roundUp = (value: number): number => Math.ceil(value / STEP) * STEP

export interface PastTensors {
  /** Per part [B, K, 1, PAST, H]. */
  readonly parts: readonly Tensor[]
  /** [B, 1, 1, 1, PAST] */
  readonly mask: Tensor
  /** Tokens of each row; they change with the rows. */
  readonly lengths: readonly number[]
}

export class RowCache {
  readonly #shape: CacheShape
  #parts: CacheParts
  #mask = new Float32Array()
  /** Room for rows and for the tokens of each. */
  #room = { rows: 0, tokens: 0 }
  readonly #lengths: number[] = []
  #tensors: PastTensors | undefined

  constructor(shape: CacheShape) {
    this.#shape = shape
    this.#parts = allocateParts(shape, 0, 0)
  }

  get rows(): number {
    return this.#lengths.length
  }

  /** Adds a row behind the others that begins with a copy of the prefix from its token `from` on, or empty. */
  add(prefix: CachedPrefix | undefined, from = 0): void {
    const length = (prefix?.length ?? from) - from
    this.#addRow(length)
    if (length > 0) this.#copy({ ...prefix!.cache.span, at: from }, 0, length)
  }

  /** Adds a row of another cache behind the others, after a copy of the prefix that it shared there. */
  adopt(other: RowCache, row: number, prefix: CachedPrefix): void {
    const length = other.#lengths[row]!
    this.#addRow(prefix.length + length)
    this.#copy(prefix.cache.span, 0, prefix.length)
    this.#copy(other.#span(row), prefix.length, length)
  }

  /** Makes room for `count` more tokens in every row; call it before `tensors`. */
  prepare(count = 1): void {
    this.#reserve(this.rows, Math.max(...this.#lengths) + count)
  }

  /** Views of the cache for a run; they hold until rows are added, removed or outgrow their room. */
  tensors(): PastTensors {
    const { heads, headSize } = this.#shape
    const [rows, tokens] = [this.rows, this.#room.tokens]
    const size = rows * heads * headSize * tokens
    const dimensions = [rows, heads, 1, tokens, headSize]
    this.#tensors ??= {
      parts: this.#parts.map((data) => makeTensor(data.subarray(0, size), dimensions)),
      mask: makeTensor(this.#mask.subarray(0, rows * tokens), [rows, 1, 1, 1, tokens]),
      lengths: this.#lengths,
    }
    return this.#tensors
  }

  /** Adds the tokens that were just computed, given as [B, K, stride, H] per part: the first `counts[row]` of each row. */
  append(parts: CacheParts, stride = 1, counts?: readonly number[]): void {
    for (const [row, length] of this.#lengths.entries()) {
      const count = counts?.[row] ?? 1
      const from = { parts, stride, row, at: 0 }
      copyTokens(this.#shape, from, { ...this.#span(row), at: length }, count)
      const start = row * this.#room.tokens + length
      this.#mask.fill(0, start, start + count)
      this.#lengths[row] = length + count
    }
  }

  /** Removes a row; the last row takes its place. */
  remove(row: number): void {
    const length = this.#lengths.pop()!
    const last = this.rows
    this.#tensors = undefined
    if (row === last) return
    this.#lengths[row] = length
    const { tokens } = this.#room
    this.#mask.copyWithin(row * tokens, last * tokens, (last + 1) * tokens)
    copyTokens(this.#shape, this.#span(last), this.#span(row), length)
  }

  #addRow(length: number): void {
    this.#reserve(this.rows + 1, length + 1)
    const start = this.rows * this.#room.tokens
    this.#mask.fill(MASKED, start, start + this.#room.tokens)
    this.#mask.fill(0, start, start + length)
    this.#lengths.push(length)
    this.#tensors = undefined
  }

  /** Copies tokens into the last row. */
  #copy(from: TokenSpan, at: number, count: number): void {
    copyTokens(this.#shape, from, { ...this.#span(this.rows - 1), at }, count)
  }

  /** Grows in either direction, and shrinks the rows once they need less than half of their room. */
  #reserve(rows: number, tokens: number): void {
    const wanted = roundUp(Math.max(tokens, ...this.#lengths.map((length) => length + 1)))
    const fits = rows <= this.#room.rows && wanted <= this.#room.tokens
    if (fits && wanted * 2 > this.#room.tokens) return
    const room = {
      rows: rows <= this.#room.rows ? this.#room.rows : Math.max(rows, this.#room.rows * 2),
      tokens: wanted,
    }
    const old = this.#lengths.map((_, row) => this.#span(row))
    this.#room = room
    this.#parts = allocateParts(this.#shape, room.rows, room.tokens)
    this.#mask = new Float32Array(room.rows * room.tokens).fill(MASKED)
    this.#tensors = undefined
    for (const [row, length] of this.#lengths.entries()) {
      this.#mask.fill(0, row * room.tokens, row * room.tokens + length)
      copyTokens(this.#shape, old[row]!, this.#span(row), length)
    }
  }

  #span(row: number): TokenSpan {
    return { parts: this.#parts, stride: this.#room.tokens, row, at: 0 }
  }
}
