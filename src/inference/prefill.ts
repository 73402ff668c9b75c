/** Computes prompts: one request in chunks, or several short ones in one run. */
import { commonLength, type PromptLibrary } from './cache/prompt-library.ts'
import type { CachedPrefix, PromptCache } from './cache/prompt-cache.ts'
import type { CacheBlock } from './cache/cache-memory.ts'
import type { CallPriority } from '../core/language-model.ts'
import { headFor, readResults, type Reading } from './reading.ts'
import type { Decoder } from './runtime/decoder.ts'

/** Prompts that share this many more tokens wait for each other: the second then finds them computed. */
const WORTH_WAITING = 32

/** What comes first. */
export interface Rank {
  readonly priority: CallPriority
  /** Prompt tokens computed in all by when this one should be. */
  readonly due: number
  /** Of arrival. */
  readonly order: number
}

/** A token sequence whose keys and values are wanted, and perhaps what the model says of it on the way. */
export class Prefill {
  readonly id: number
  readonly tokens: Int32Array
  readonly rank: Rank
  readonly reading: Reading | undefined
  /** Tokens that were found computed already. */
  cachedTokens = 0
  #base: CachedPrefix | undefined
  #own: PromptCache | undefined

  constructor(id: number, tokens: Int32Array, rank: Rank, reading?: Reading) {
    this.id = id
    this.tokens = tokens
    this.rank = rank
    this.reading = reading
  }

  /** Tokens that may come from the library: what is read is computed anew, so not those where any is wanted. */
  get reusable(): number {
    return this.reading?.first ?? this.tokens.length
  }

  /** What is computed of the sequence so far. */
  get prefix(): CachedPrefix | undefined {
    return this.#own === undefined ? this.#base : { cache: this.#own, length: this.#own.length }
  }

  get remaining(): number {
    return this.tokens.length - (this.prefix?.length ?? 0)
  }

  get started(): boolean {
    return this.#own !== undefined
  }

  lookUp(library: PromptLibrary): void {
    if (this.started) return
    this.#base = library.find(this.tokens, this.reusable)
    this.cachedTokens = this.#base?.length ?? 0
  }

  accept(library: PromptLibrary, computed: CacheBlock, row: number, count: number): void {
    if (this.#own === undefined) {
      this.#own = library.create(this.tokens)
      if (this.#base !== undefined) this.#own.copyFrom(this.#base)
    }
    this.#own.append(computed, row, count)
  }
}

/** Chooses what to compute next: the first in the queue, and others that can run beside it within the token budget. */
export const choosePrefills = (
  queue: readonly Prefill[],
  library: PromptLibrary,
  budget: number,
): readonly Prefill[] => {
  const first = queue[0]
  if (first === undefined) return []
  first.lookUp(library)
  const chosen = [first]
  let length = Math.min(first.remaining, budget)
  for (const other of first.started ? [] : queue.slice(1)) {
    if (other.started) continue
    other.lookUp(library)
    const wider = Math.max(length, other.remaining)
    if (!haveSamePrefix(first, other) || (chosen.length + 1) * wider > budget) continue
    if (chosen.some((earlier) => sharesMore(earlier, other))) continue
    chosen.push(other)
    length = wider
  }
  return chosen
}

const haveSamePrefix = (left: Prefill, right: Prefill): boolean =>
  left.prefix?.cache === right.prefix?.cache && left.prefix?.length === right.prefix?.length

const sharesMore = (earlier: Prefill, later: Prefill): boolean =>
  commonLength(earlier.tokens, later.tokens, later.reusable) - (later.prefix?.length ?? 0) >=
  WORTH_WAITING

/**
 * Computes up to `budget` tokens, padding included, of jobs that start from the same prefix; returns how many tokens it
 * computed, without padding. Blocks the thread.
 */
export const runPrefills = async (
  decoder: Decoder,
  library: PromptLibrary,
  jobs: readonly Prefill[],
  budget: number,
): Promise<number> => {
  const prefix = jobs[0]!.prefix
  const start = prefix?.length ?? 0
  const counts = jobs.map(({ remaining }) => Math.min(remaining, budget))
  const length = Math.max(...counts)
  const tokens = new BigInt64Array(jobs.length * length)
  const positions = new BigInt64Array(jobs.length * length)
  for (const [row, { tokens: text }] of jobs.entries())
    for (let index = 0; index < counts[row]!; index++) {
      tokens[row * length + index] = BigInt(text[start + index]!)
      positions[row * length + index] = BigInt(start + index)
    }
  const parts = jobs.flatMap(({ reading }, row) =>
    reading === undefined ? [] : [{ reading, start, count: counts[row]!, at: row * length }],
  )
  const run = { rows: jobs.length, length, tokens, positions, head: headFor(parts) }
  const { present, head } = await decoder.run(prefix === undefined ? run : { ...run, prefix })
  readResults(parts, head)
  for (const [row, job] of jobs.entries()) job.accept(library, present, row, counts[row]!)
  present.release()
  return counts.reduce((sum, count) => sum + count, 0)
}
