/** Keys and values of one token sequence: filled from the front, then shared by whoever begins with these tokens. */
import { makeTensor, type Tensor } from '../runtime/session.ts'
import {
  bytesPerToken,
  copyTokens,
  MASKED,
  type CacheShape,
  type Present,
  type TokenSpan,
} from './cache-shape.ts'

/** The first `length` tokens of a cache, at most those that are filled. */
export interface CachedPrefix {
  readonly cache: PromptCache
  readonly length: number
}

export class PromptCache {
  readonly tokens: Int32Array
  /** Per layer [K, H, capacity] and [K, capacity, H], where the capacity is the number of tokens. */
  readonly keys: readonly Float32Array[]
  readonly values: readonly Float32Array[]
  readonly keyTensors: readonly Tensor[]
  readonly valueTensors: readonly Tensor[]
  readonly #shape: CacheShape
  #length = 0

  constructor(shape: CacheShape, tokens: Int32Array) {
    const { layers, heads, headSize } = shape
    const capacity = tokens.length
    const allocate = (): Float32Array[] =>
      Array.from({ length: layers }, () => new Float32Array(heads * headSize * capacity))
    this.#shape = shape
    this.tokens = tokens
    this.keys = allocate()
    this.values = allocate()
    this.keyTensors = this.keys.map((data) => makeTensor(data, [heads, headSize, capacity]))
    this.valueTensors = this.values.map((data) => makeTensor(data, [heads, capacity, headSize]))
  }

  get capacity(): number {
    return this.tokens.length
  }

  /** Tokens whose keys and values are there. */
  get length(): number {
    return this.#length
  }

  get bytes(): number {
    return this.capacity * bytesPerToken(this.#shape)
  }

  /** Mask [1, 1, capacity] that lets the first `length` positions through. */
  mask(length: number): Tensor {
    const mask = new Float32Array(this.capacity).fill(MASKED, length)
    return makeTensor(mask, [1, 1, this.capacity])
  }

  /** Where the first tokens lie, for copying them elsewhere. */
  get span(): TokenSpan {
    return this.#span(0)
  }

  /** Takes over the tokens of a prefix; this cache must be empty. */
  copyFrom({ cache, length }: CachedPrefix): void {
    copyTokens(this.#shape, cache.span, this.span, length)
    this.#length = length
  }

  /** Adds the first `count` new tokens of a row that was just computed. */
  append({ keys, values, length: stride }: Present, row: number, count: number): void {
    const computed = { keys, values, stride, row, at: 0 }
    copyTokens(this.#shape, computed, this.#span(this.#length), count)
    this.#length += count
  }

  #span(at: number): TokenSpan {
    return { keys: this.keys, values: this.values, stride: this.capacity, row: 0, at }
  }
}
