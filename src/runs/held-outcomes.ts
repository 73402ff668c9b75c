/** What experiments are told of runs waits, in its order, for a store that is away. */
import { isStorageOutage } from '../core/errors.ts'
import type { Log } from '../core/strategy.ts'
import { StorePatience } from './store-patience.ts'

interface Held {
  readonly runId: string
  readonly work: () => Promise<void>
  /** Lets whoever told it go on. */
  readonly release: () => void
}

/**
 * Works that may wait. No run begins without the store, so each run there is adds an exposure and an end at most; a store
 * that takes runs and nothing else must still not fill the memory.
 */
const MOST_HELD = 2000

export class HeldOutcomes {
  readonly #log: Log
  readonly #patience: StorePatience
  readonly #held: Held[] = []

  constructor(log: Log) {
    this.#log = log
    this.#patience = new StorePatience(log, 'outcomes', () => this.#releaseAll())
  }

  /**
   * Does the work, which can be done again without a change, as soon as the store takes it. Resolves when it is done or
   * refused, or when the store stays away. Never rejects.
   */
  async tell(runId: string, work: () => Promise<void>): Promise<void> {
    if (this.#held.length === 0) {
      try {
        return await work()
      } catch (cause) {
        if (!isStorageOutage(cause)) return this.#lose(runId, cause)
      }
    }
    if (this.#held.length >= MOST_HELD) return this.#lose(runId, 'too many wait for the store')
    await new Promise<void>((release) => {
      this.#held.push({ runId, work, release })
      if (this.#patience.isAway) release()
      if (this.#held.length === 1) void this.#flush()
    })
  }

  /** What waits even now is lost. */
  close(): void {
    this.#patience.giveUp()
    this.#releaseAll()
    if (this.#held.length === 0) return
    const runs = this.#held.map(({ runId }) => runId)
    this.#log.error({ runs }, 'outcomes could not be stored')
  }

  async #flush(): Promise<void> {
    while (this.#held.length > 0) {
      const { runId, work, release } = this.#held[0]!
      await this.#patience.insist(work).catch((cause: unknown) => this.#lose(runId, cause))
      this.#held.shift()
      release()
    }
  }

  #releaseAll(): void {
    for (const { release } of this.#held) release()
  }

  #lose(runId: string, cause: unknown): void {
    this.#log.error({ err: cause, run_id: runId }, 'an outcome could not be stored')
  }
}
