/**
 * Prompts that were computed before, kept for requests that begin with the same tokens; least recently used go first. All
 * prompts are made here, and their memory is given back here: that of a device is collected by nobody else.
 */
import { LRUCache } from 'lru-cache'
import type { CacheMemory } from './cache-memory.ts'
import { PromptCache, type CachedPrefix } from './prompt-cache.ts'

/** A shorter match is not worth a copy. */
const SHORTEST_MATCH = 16

/** Number of tokens, at most `limit`, that both sequences begin with. */
export const commonLength = (left: Int32Array, right: Int32Array, limit: number): number => {
  const end = Math.min(left.length, right.length, limit)
  let length = 0
  while (length < end && left[length] === right[length]) length++
  return length
}

export interface PromptUser {
  readonly prefix: CachedPrefix | undefined
}

export class PromptLibrary {
  readonly #memory: CacheMemory
  readonly #prompts: LRUCache<PromptCache, PromptCache>
  /** Whose memory was not given back yet. */
  readonly #made = new Set<PromptCache>()

  /** Keeps prompts up to `maxBytes` together; larger ones are not kept. */
  constructor(memory: CacheMemory, maxBytes: number) {
    this.#memory = memory
    this.#prompts = new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ bytes }) => bytes || 1 })
  }

  /** Prompts that have memory without being kept. */
  get unkept(): number {
    return [...this.#made].filter((cache) => !this.#prompts.has(cache)).length
  }

  /** An empty cache for these tokens, which lives as long as it is kept or used; see `release`. */
  create(tokens: Int32Array): PromptCache {
    const cache = new PromptCache(this.#memory, tokens)
    this.#made.add(cache)
    return cache
  }

  /** Gives back the memory of all caches but those kept and those of the users. */
  release(users: readonly PromptUser[]): void {
    const used = new Set(users.map(({ prefix }) => prefix?.cache))
    for (const cache of this.#made) {
      if (used.has(cache) || this.#prompts.has(cache)) continue
      this.#made.delete(cache)
      cache.block.release()
    }
  }

  /** The longest kept beginning of `tokens`, of at most `limit` tokens. */
  find(tokens: Int32Array, limit: number): CachedPrefix | undefined {
    let best: CachedPrefix | undefined
    for (const cache of this.#prompts.keys()) {
      const length = commonLength(cache.tokens, tokens, limit)
      if (length >= SHORTEST_MATCH && length > (best?.length ?? 0)) best = { cache, length }
    }
    if (best !== undefined) this.#prompts.get(best.cache)
    return best
  }

  /** Keeps a filled cache; those that it begins with are no longer needed. */
  add(cache: PromptCache): void {
    for (const other of this.#prompts.keys())
      if (commonLength(other.tokens, cache.tokens, Infinity) === other.tokens.length)
        this.#prompts.delete(other)
    this.#prompts.set(cache, cache)
  }
}
