/** Prompts that were computed before, kept for requests that begin with the same tokens; least recently used go first. */
import { LRUCache } from 'lru-cache'
import type { CachedPrefix, PromptCache } from './prompt-cache.ts'

/** A shorter match is not worth a copy. */
const SHORTEST_MATCH = 16

/** Number of tokens, at most `limit`, that both sequences begin with. */
export const commonLength = (left: Int32Array, right: Int32Array, limit: number): number => {
  const end = Math.min(left.length, right.length, limit)
  let length = 0
  while (length < end && left[length] === right[length]) length++
  return length
}

export class PromptLibrary {
  readonly #prompts: LRUCache<PromptCache, PromptCache>

  /** Holds prompts up to `maxBytes` together; larger ones are not kept. */
  constructor(maxBytes: number) {
    this.#prompts = new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ bytes }) => bytes || 1 })
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
