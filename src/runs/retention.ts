/** Removes what is older than it may become, in the background and a little at a time. */
import { setImmediate as pause } from 'node:timers/promises'
import { RefineError } from '../core/errors.ts'
import type { Expiry, RunStore } from '../core/run-store.ts'
import type { Log } from '../core/strategy.ts'
import type { Experiments } from '../experiments/experiments.ts'
import { runIdAt } from './created-records.ts'
import { notFound } from './run-reader.ts'

/** How many days what is kept; for ever where nothing is said. */
export interface RetentionDays {
  /** Runs with everything of theirs, from their creation on. */
  readonly runs?: number
  /** Event logs, from the creation of their runs on. */
  readonly events?: number
  readonly feedback?: number
  /** What is known of the units of an experiment, from the end of its phase on; its sums and results stay. */
  readonly facts?: number
}

export interface RetentionOptions {
  readonly days: RetentionDays
  readonly store: Pick<RunStore, 'expire'>
  readonly experiments: Pick<Experiments, 'forgetUnits'>
  readonly log: Log
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

const DAY = 86_400_000
const SWEEP_EVERY = 3_600_000
/** Rows that go at a time: a few milliseconds of SQLite. */
const BATCH = 500

export class Retention {
  readonly #options: RetentionOptions
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined
  #sweeping: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: RetentionOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Sweeps now and every hour, until it is closed. */
  start(): void {
    if (Object.keys(this.#options.days).length === 0) return
    const sweep = (): void => void (this.#sweeping = this.#sweepQuietly())
    this.#timer = setInterval(sweep, SWEEP_EVERY).unref()
    sweep()
  }

  /** Resolves when the batch under way is done. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    await this.#sweeping
  }

  /** Removes all that is too old by now, or until it is closed; resolves with the number of rows. */
  async sweep(): Promise<number> {
    const { store, experiments } = this.#options
    const expiry = this.#expiry()
    const facts = this.#timeOf('facts')
    const first = await this.#inBatches(() => store.expire(expiry, BATCH))
    if (facts === undefined) return first
    return (
      first +
      (await this.#inBatches(() => experiments.forgetUnits(new Date(facts).toISOString(), BATCH)))
    )
  }

  /** The error for a run that is not there: `run_expired` when runs of its age are no longer kept. */
  missing(id: string): RefineError {
    const before = this.#timeOf('runs')
    if (before === undefined || !id.startsWith('run_') || id >= runIdAt(before)) {
      return notFound(id)
    }
    const { runs } = this.#options.days
    return new RefineError('run_expired', `Runs are kept for ${runs} days; "${id}" is older.`)
  }

  #timeOf(kind: keyof RetentionDays): number | undefined {
    const days = this.#options.days[kind]
    return days === undefined ? undefined : this.#now() - days * DAY
  }

  #expiry(): Expiry {
    const [runs, events, feedback] = (['runs', 'events', 'feedback'] as const).map((kind) =>
      this.#timeOf(kind),
    )
    return {
      ...(runs !== undefined && { runsBefore: runIdAt(runs) }),
      ...(events !== undefined && { eventsBefore: runIdAt(events) }),
      ...(feedback !== undefined && { feedbackBefore: new Date(feedback).toISOString() }),
    }
  }

  /** Others work between two batches. */
  async #inBatches(batch: () => Promise<number>): Promise<number> {
    let total = 0
    while (!this.#isClosed) {
      const count = await batch()
      if (count === 0) break
      total += count
      await pause()
    }
    return total
  }

  async #sweepQuietly(): Promise<void> {
    await this.#sweeping
    try {
      const rows = await this.sweep()
      if (rows > 0) this.#options.log.info({ rows }, 'removed what is too old')
    } catch (cause) {
      this.#options.log.error({ err: cause }, 'what is too old could not be removed')
    }
  }
}
