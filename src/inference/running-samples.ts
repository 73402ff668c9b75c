/** Samples that are decoded, in batches, and those that wait for a place among them. */
import { bytesPerToken } from './cache/cache-shape.ts'
import type { PromptUser } from './cache/prompt-library.ts'
import type { CachedPrefix } from './cache/prompt-cache.ts'
import type { CallPriority } from '../core/language-model.ts'
import { DecodeBatch, type Row } from './decode-batch.ts'
import type { WorkerSettings } from './protocol.ts'
import type { Adjuster } from './runtime/adjuster.ts'
import type { Decoder } from './runtime/decoder.ts'

/** Fewer samples than this, or of a shorter prompt, have a copy of the prompt each. */
const SHARED_SAMPLES = 4
const SHARED_TOKENS = 32
/** Tokens that every sample must still have room for when one more is let in: else that one would soon be put back. */
const SPARE_TOKENS = 64

export interface Waiting {
  readonly row: Row
  readonly batch: DecodeBatch
  readonly prefix: CachedPrefix | undefined
}

export class RunningSamples {
  readonly #decoder: Decoder
  readonly #adjuster: Adjuster
  readonly #settings: Pick<WorkerSettings, 'maxRows' | 'cacheBytes'>
  readonly #single: DecodeBatch
  #shared: DecodeBatch[] = []
  #waiting: Waiting[] = []

  constructor(
    decoder: Decoder,
    adjuster: Adjuster,
    settings: Pick<WorkerSettings, 'maxRows' | 'cacheBytes'>,
  ) {
    this.#decoder = decoder
    this.#adjuster = adjuster
    this.#settings = settings
    this.#single = new DecodeBatch(decoder, adjuster)
  }

  get batches(): readonly DecodeBatch[] {
    return [this.#single, ...this.#shared]
  }

  get running(): number {
    return this.batches.reduce((sum, { size }) => sum + size, 0)
  }

  /** Running and waiting. */
  get count(): number {
    return this.running + this.#waiting.length
  }

  /** Whatever holds a prompt. */
  get prompts(): readonly PromptUser[] {
    return [...this.#shared, ...this.#waiting]
  }

  get held(): Readonly<Record<string, number>> {
    return { running: this.running, waiting: this.#waiting.length, shared: this.#shared.length }
  }

  /** Whether a call waits that goes before a new one of this priority: one of which no sample is running. */
  blocks(priority: CallPriority): boolean {
    const running = this.#runningByCall()
    return this.#waiting.some(
      ({ row }) =>
        !running.has(row.id) && (row.priority === 'interactive' || priority === 'background'),
    )
  }

  /** Takes the samples of one prompt, of which `prefix` holds all tokens but the last. */
  add(rows: readonly Row[], prefix: CachedPrefix | undefined): void {
    const batch = this.#batchFor(rows.length, prefix)
    for (const row of rows) this.#waiting.push({ row, batch, prefix })
  }

  /** Takes a sample again that was put back. */
  resume(waiting: Waiting): void {
    const batch = this.#shared.includes(waiting.batch) ? waiting.batch : this.#single
    this.#waiting.push({ ...waiting, batch })
  }

  drop(ids: ReadonlySet<number>): void {
    this.#waiting = this.#waiting.filter(({ row }) => !ids.has(row.id))
    for (const batch of this.batches) batch.removeWhere(({ id }) => ids.has(id))
    this.#forgetEmpty()
  }

  /** Where several batches are running, gives up those that no longer save more than their own run costs. */
  merge(): void {
    if (this.batches.filter(({ size }) => size > 0).length < 2) return
    const left = this.#shared.filter(
      ({ size, sharedTokens }) => size > 0 && !this.#savesMore(size, sharedTokens),
    )
    for (const batch of left) batch.moveTo(this.#single)
    this.#waiting = this.#waiting.map((waiting) =>
      left.includes(waiting.batch) ? { ...waiting, batch: this.#single } : waiting,
    )
    this.#shared = this.#shared.filter((batch) => !left.includes(batch))
  }

  /** Lets waiting samples in as long as there are rows and memory for them. */
  admit(): void {
    for (let next = this.#next(); next !== undefined && this.#fits(next); next = this.#next()) {
      this.#waiting.splice(this.#waiting.indexOf(next), 1)
      next.batch.add(next.row, next.prefix)
    }
    this.#forgetEmpty()
  }

  /**
   * Takes samples out until the others have memory for one more token each, and until an interactive one that waits has
   * a place, if those in the background hold it. The samples taken out must be put back.
   */
  makeRoom(): Waiting[] {
    const taken: Waiting[] = []
    while (this.running > 1 && this.#bytes(1) > this.#settings.cacheBytes)
      taken.push(this.#takeLast(() => true)!)
    const next = this.#next()
    while (next?.row.priority === 'interactive' && !this.#fits(next)) {
      const last = this.#takeLast(({ priority }) => priority === 'background')
      if (last === undefined) break
      taken.push(last)
    }
    return taken
  }

  #takeLast(eligible: (row: Row) => boolean): Waiting | undefined {
    const candidates = this.batches.flatMap((batch) => batch.rows.map((row) => ({ row, batch })))
    const last = candidates
      .filter(({ row }) => eligible(row))
      .toSorted((left, right) => compareRows(left.row, right.row))
      .at(-1)
    if (last === undefined) return undefined
    last.batch.removeWhere((row) => row === last.row)
    return { ...last, prefix: undefined }
  }

  /** The interactive before those in the background, then the call with the fewest running samples, then the earlier. */
  #next(): Waiting | undefined {
    if (this.#waiting.length === 0) return undefined
    const running = this.#runningByCall()
    const share = ({ row }: Waiting): number => running.get(row.id) ?? 0
    return this.#waiting.reduce((best, other) => {
      if (best.row.priority !== other.row.priority)
        return best.row.priority === 'interactive' ? best : other
      return (share(best) - share(other) || compareRows(best.row, other.row)) <= 0 ? best : other
    })
  }

  #runningByCall(): ReadonlyMap<number, number> {
    const running = new Map<number, number>()
    for (const { rows } of this.batches)
      for (const { id } of rows) running.set(id, (running.get(id) ?? 0) + 1)
    return running
  }

  #fits({ row, batch }: Waiting): boolean {
    if (this.running === 0) return true
    if (this.running >= this.#settings.maxRows) return false
    return this.#bytes(SPARE_TOKENS, { row, batch }) <= this.#settings.cacheBytes
  }

  /** Memory when every sample has grown by so many tokens. */
  #bytes(growth: number, candidate?: Pick<Waiting, 'row' | 'batch'>): number {
    const tokens = this.batches.reduce((sum, batch) => {
      const added = batch === candidate?.batch ? candidate.row.sample : undefined
      return sum + batch.tokensAfter(growth, added)
    }, 0)
    return tokens * bytesPerToken(this.#decoder.memory.shape)
  }

  #batchFor(samples: number, prefix: CachedPrefix | undefined): DecodeBatch {
    if (prefix === undefined || samples < SHARED_SAMPLES || prefix.length < SHARED_TOKENS)
      return this.#single
    if (this.count > 0 && !this.#savesMore(samples, prefix.length)) return this.#single
    const batch = new DecodeBatch(this.#decoder, this.#adjuster, prefix)
    this.#shared.push(batch)
    return batch
  }

  /** Whether rows that share a prompt save more memory traffic per step than a run of their own costs. */
  #savesMore(rows: number, sharedTokens: number): boolean {
    const saved = (rows - 1) * sharedTokens * bytesPerToken(this.#decoder.memory.shape)
    return saved > this.#decoder.weightBytes
  }

  #forgetEmpty(): void {
    const awaited = new Set(this.#waiting.map(({ batch }) => batch))
    this.#shared = this.#shared.filter((batch) => batch.size > 0 || awaited.has(batch))
  }
}

/** Those that are given up first come last. */
const compareRows = (left: Row, right: Row): number => {
  if (left.priority !== right.priority) return left.priority === 'interactive' ? -1 : 1
  return left.order - right.order || left.sample.index - right.sample.index
}
