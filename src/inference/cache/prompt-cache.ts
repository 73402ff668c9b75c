/** Keys and values of one token sequence: filled from the front, then shared by whoever begins with these tokens. */
import type { CacheBlock, CacheMemory } from './cache-memory.ts'
import { bytesPerToken, MASKED } from './cache-shape.ts'

/** The first `length` tokens of a cache, at most those that are filled. */
export interface CachedPrefix {
  readonly cache: PromptCache
  readonly length: number
}

export class PromptCache {
  readonly tokens: Int32Array
  /** One row; it is seen how it is filled. */
  readonly block: CacheBlock
  readonly bytes: number
  #length = 0

  constructor(memory: CacheMemory, tokens: Int32Array) {
    this.tokens = tokens
    this.block = memory.allocate(1, tokens.length)
    this.bytes = tokens.length * bytesPerToken(memory.shape)
  }

  get capacity(): number {
    return this.tokens.length
  }

  /** Tokens whose keys and values are there. */
  get length(): number {
    return this.#length
  }

  /** Mask over the capacity that lets the first `length` positions through. */
  mask(length: number): Float32Array {
    return new Float32Array(this.capacity).fill(MASKED, length)
  }

  /** Takes over the tokens of a prefix; this cache must be empty. */
  copyFrom({ cache, length }: CachedPrefix): void {
    this.append(cache.block, 0, length)
  }

  /** Adds the first `count` tokens of a row, which follow those that are here. */
  append(computed: CacheBlock, row: number, count: number): void {
    const to = { toRow: 0, toAt: this.#length }
    this.block.copyFrom(computed, [{ fromRow: row, fromAt: 0, ...to, count }])
    this.#length += count
  }
}
