/** Computes prompts: one request in chunks, or several short ones in one run. */
import { commonLength, type PromptLibrary } from './cache/prompt-library.ts'
import { PromptCache, type CachedPrefix } from './cache/prompt-cache.ts'
import type { TokenSpan } from './cache/cache-shape.ts'
import type { CallPriority } from '../core/language-model.ts'
import type { ScoreWork } from './protocol.ts'
import type { Decoder, HeadInputs } from './runtime/decoder.ts'
import type { Outputs } from './runtime/session.ts'

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

/** A token sequence whose keys and values are wanted, and perhaps the likelihood of tokens on the way. */
export class Prefill {
  readonly id: number
  readonly tokens: Int32Array
  readonly rank: Rank
  readonly score: ScoreWork | undefined
  readonly logProbabilities: Float32Array
  /** Tokens that were found computed already. */
  cachedTokens = 0
  #base: CachedPrefix | undefined
  #own: PromptCache | undefined
  /** Positions whose results are there. */
  #scored = 0

  constructor(id: number, tokens: Int32Array, rank: Rank, score?: ScoreWork) {
    this.id = id
    this.tokens = tokens
    this.rank = rank
    this.score = score
    this.logProbabilities = new Float32Array(score?.targets.length ?? 0)
  }

  /** Tokens that may come from the library: logits are computed anew, so not those where any are wanted. */
  get reusable(): number {
    return this.score?.positions[0] ?? this.tokens.length
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

  /** Indices into the score's positions that fall among the next `count` tokens. */
  wanted(count: number): { readonly first: number; readonly end: number } {
    const limit = (this.prefix?.length ?? 0) + count
    let end = this.#scored
    while (end < (this.score?.positions.length ?? 0) && this.score!.positions[end]! < limit) end++
    return { first: this.#scored, end }
  }

  accept(decoder: Decoder, computed: TokenSpan, count: number, scored: number): void {
    if (this.#own === undefined) {
      this.#own = new PromptCache(decoder.cache, this.tokens)
      if (this.#base !== undefined) this.#own.copyFrom(this.#base)
    }
    this.#own.append(computed, count)
    this.#scored = scored
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

interface Part {
  readonly job: Prefill
  readonly row: number
  readonly count: number
  readonly first: number
  readonly end: number
}

/**
 * Computes up to `budget` tokens, padding included, of jobs that start from the same prefix; returns how many tokens it
 * computed, without padding. Blocks the thread.
 */
export const runPrefills = async (
  decoder: Decoder,
  jobs: readonly Prefill[],
  budget: number,
): Promise<number> => {
  const prefix = jobs[0]!.prefix
  const start = prefix?.length ?? 0
  const parts = jobs.map((job, row): Part => {
    const count = Math.min(job.remaining, budget)
    return { job, row, count, ...job.wanted(count) }
  })
  const length = Math.max(...parts.map(({ count }) => count))
  const tokens = new BigInt64Array(jobs.length * length)
  const positions = new BigInt64Array(jobs.length * length)
  for (const { job, row, count } of parts)
    for (let index = 0; index < count; index++) {
      tokens[row * length + index] = BigInt(job.tokens[start + index]!)
      positions[row * length + index] = BigInt(start + index)
    }
  const run = {
    rows: jobs.length,
    length,
    tokens,
    positions,
    head: headInputs(parts, start, length),
  }
  const { present, head } = await decoder.run(prefix === undefined ? run : { ...run, prefix })
  readScores(parts, head)
  for (const { job, row, count, end } of parts)
    job.accept(decoder, { parts: present, stride: length, row, at: 0 }, count, end)
  return parts.reduce((sum, { count }) => sum + count, 0)
}

const headInputs = (parts: readonly Part[], start: number, length: number): HeadInputs => {
  const columns = Math.max(1, ...parts.map(({ job }) => job.score?.columns ?? 1))
  const rows: number[] = []
  const targets: number[] = []
  for (const { job, row, first, end } of parts) {
    if (job.score === undefined) continue
    for (let index = first; index < end; index++) {
      rows.push(row * length + job.score.positions[index]! - start)
      for (let column = 0; column < columns; column++)
        targets.push(
          column < job.score.columns ? job.score.targets[index * job.score.columns + column]! : 0,
        )
    }
  }
  return {
    rows: BigInt64Array.from(rows, BigInt),
    targets: BigInt64Array.from(targets, BigInt),
    outputs: rows.length === 0 ? [] : ['target_logits', 'normaliser'],
  }
}

const readScores = (parts: readonly Part[], head: Outputs): void => {
  const logits = head['target_logits']
  const normaliser = head['normaliser']
  if (logits === undefined || normaliser === undefined) return
  const columns = logits.length / normaliser.length
  let row = 0
  for (const { job, first, end } of parts)
    for (let index = first; index < end; index++, row++)
      for (let column = 0; column < job.score!.columns; column++)
        job.logProbabilities[index * job.score!.columns + column] =
          logits[row * columns + column]! - normaliser[row]!
}
