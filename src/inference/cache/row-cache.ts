/**
 * Keys and values of the rows that are decoded together. Rows lie side by side in one array per layer, so that any
 * number of them from the first on is a tensor without a copy; a row that leaves is replaced by the last one.
 */
import { makeTensor, type Tensor } from '../runtime/session.ts'
import { copyTokens, MASKED, type CacheShape, type Present, type TokenSpan } from './cache-shape.ts'
import type { CachedPrefix } from './prompt-cache.ts'

/** The length of all rows grows in steps of this many tokens: the work per step follows the longest row. */
const STEP = 64

const roundUp = (value: number): number => Math.ceil(value / STEP) * STEP

export interface PastTensors {
  readonly keys: readonly Tensor[]
  readonly values: readonly Tensor[]
  readonly mask: Tensor
}

export class RowCache {
  readonly #shape: CacheShape
  #keys: Float32Array[]
  #values: Float32Array[]
  #mask = new Float32Array()
  #rows = 0
  /** Room for rows and for the tokens of each. */
  #room = { rows: 0, tokens: 0 }
  #lengths: number[] = []
  #tensors: PastTensors | undefined

  constructor(shape: CacheShape) {
    this.#shape = shape
    this.#keys = Array.from({ length: shape.layers }, () => new Float32Array())
    this.#values = Array.from({ length: shape.layers }, () => new Float32Array())
  }

  get rows(): number {
    return this.#rows
  }

  /** Tokens of a row that are cached here. */
  length(row: number): number {
    return this.#lengths[row]!
  }

  /** Adds a row behind the others that begins with a copy of the prefix, or empty. */
  add(prefix: CachedPrefix | undefined): void {
    const length = prefix?.length ?? 0
    this.#reserve(this.#rows + 1, length + 1)
    const row = this.#rows++
    this.#lengths.push(length)
    this.#mask.fill(MASKED, row * this.#room.tokens, (row + 1) * this.#room.tokens)
    this.#mask.fill(0, row * this.#room.tokens, row * this.#room.tokens + length)
    this.#tensors = undefined
    if (prefix !== undefined) copyTokens(this.#shape, prefix.cache.span, this.#span(row), length)
  }

  /** Makes room for one more token in every row; call it before `tensors`. */
  prepare(): void {
    this.#reserve(this.#rows, Math.max(...this.#lengths) + 1)
  }

  /** Views of the cache for a run; they hold until rows are added, removed or outgrow their room. */
  tensors(): PastTensors {
    if (this.#tensors !== undefined) return this.#tensors
    const { heads, headSize } = this.#shape
    const [rows, tokens] = [this.#rows, this.#room.tokens]
    const view = (data: Float32Array, dimensions: readonly number[]): Tensor =>
      makeTensor(data.subarray(0, rows * heads * headSize * tokens), dimensions)
    this.#tensors = {
      keys: this.#keys.map((data) => view(data, [rows, heads, headSize, tokens])),
      values: this.#values.map((data) => view(data, [rows, heads, tokens, headSize])),
      mask: makeTensor(this.#mask.subarray(0, rows * tokens), [rows, 1, 1, tokens]),
    }
    return this.#tensors
  }

  /** Adds the token that was just computed for each row. */
  append(present: Present): void {
    const { layers, heads, headSize } = this.#shape
    const { tokens } = this.#room
    for (let layer = 0; layer < layers; layer++) {
      const [keys, values] = [this.#keys[layer]!, this.#values[layer]!]
      const [newKeys, newValues] = [present.keys[layer]!, present.values[layer]!]
      for (let row = 0; row < this.#rows; row++) {
        const at = this.#lengths[row]!
        for (let line = row * heads; line < (row + 1) * heads; line++) {
          const from = line * headSize
          for (let place = from; place < from + headSize; place++)
            keys[place * tokens + at] = newKeys[place]!
          values.set(newValues.subarray(from, from + headSize), (line * tokens + at) * headSize)
        }
      }
    }
    for (let row = 0; row < this.#rows; row++) {
      this.#mask[row * tokens + this.#lengths[row]!] = 0
      this.#lengths[row]!++
    }
  }

  /** Removes a row; the last row takes its place. */
  remove(row: number): void {
    const last = --this.#rows
    this.#tensors = undefined
    if (row !== last) {
      const { heads, headSize } = this.#shape
      const size = heads * headSize * this.#room.tokens
      for (const data of [...this.#keys, ...this.#values])
        data.copyWithin(row * size, last * size, (last + 1) * size)
      const { tokens } = this.#room
      this.#mask.copyWithin(row * tokens, last * tokens, (last + 1) * tokens)
      this.#lengths[row] = this.#lengths[last]!
    }
    this.#lengths.pop()
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
    this.#move(room)
  }

  #move(room: { readonly rows: number; readonly tokens: number }): void {
    const { layers, heads, headSize } = this.#shape
    const old = { keys: this.#keys, values: this.#values, stride: this.#room.tokens, at: 0 }
    const allocate = (): Float32Array[] =>
      Array.from(
        { length: layers },
        () => new Float32Array(room.rows * heads * headSize * room.tokens),
      )
    this.#room = { ...room }
    this.#keys = allocate()
    this.#values = allocate()
    this.#mask = new Float32Array(room.rows * room.tokens).fill(MASKED)
    this.#tensors = undefined
    for (let row = 0; row < this.#rows; row++) {
      const length = this.#lengths[row]!
      this.#mask.fill(0, row * room.tokens, row * room.tokens + length)
      copyTokens(this.#shape, { ...old, row }, this.#span(row), length)
    }
  }

  #span(row: number): TokenSpan {
    return { keys: this.#keys, values: this.#values, stride: this.#room.tokens, row, at: 0 }
  }
}
