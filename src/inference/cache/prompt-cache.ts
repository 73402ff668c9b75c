/** Keys and values of one token sequence: filled from the front, then shared by whoever begins with these tokens. */
import { makeTensor, type Tensor } from '../runtime/session.ts'
import {
  allocateParts,
  bytesPerToken,
  copyTokens,
  MASKED,
  type CacheParts,
  type CacheShape,
  type TokenSpan,
} from './cache-shape.ts'

/** The first `length` tokens of a cache, at most those that are filled. */
export interface CachedPrefix {
  readonly cache: PromptCache
  readonly length: number
}

export class PromptCache {
  readonly tokens: Int32Array
  /** Per part [K, capacity, H]; they see what is filled in later. */
  readonly tensors: readonly Tensor[]
  readonly #shape: CacheShape
  readonly #parts: CacheParts
  #length = 0

  constructor(shape: CacheShape, tokens: Int32Array) {
    const dimensions = [shape.heads, tokens.length, shape.headSize]
    this.#shape = shape
    this.tokens = tokens
    this.#parts = allocateParts(shape, 1, tokens.length)
    this.tensors = this.#parts.map((data) => makeTensor(data, dimensions))
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
    this.append(cache.span, length)
  }

  /** Adds `count` tokens that were computed to follow those that are here. */
  append(computed: TokenSpan, count: number): void {
    copyTokens(this.#shape, computed, this.#span(this.#length), count)
    this.#length += count
  }

  #span(at: number): TokenSpan {
    return { parts: this.#parts, stride: this.capacity, row: 0, at }
  }
}
