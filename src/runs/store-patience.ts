/** Asks a store that does not answer again until it does; what it refuses for good is not asked twice. */
import { isStorageOutage } from '../core/errors.ts'
import type { Log } from '../core/strategy.ts'

/** Milliseconds before each further try: a database that starts again is waited for. */
const PAUSES: readonly number[] = [100, 400, 1500, 4000, 9000]
/** Between the tries after those, when nobody waits any more. */
const LONG_PAUSE = 5000

export class StorePatience {
  readonly #log: Log
  readonly #what: string
  readonly #onAway: () => void
  #timer: NodeJS.Timeout | undefined
  #isAway = false
  #retries = 0
  #isOver = false

  /**
   * @param what waits for the store, in a word
   * @param onAway called when the store has not answered for a quarter of a minute
   */
  constructor(log: Log, what: string, onAway: () => void) {
    this.#log = log
    this.#what = what
    this.#onAway = onAway
  }

  /** From `onAway` until the store answers. */
  get isAway(): boolean {
    return this.#isAway
  }

  /** How often it was asked again. */
  get retries(): number {
    return this.#retries
  }

  /** `again`: the same was asked before, and nobody knows what came of it. @throws what the store refuses it with */
  async insist(work: (again: boolean) => Promise<void>): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await work(tries > 0)
        return this.#answered()
      } catch (cause) {
        if (!isStorageOutage(cause)) {
          this.#answered()
          throw cause
        }
        this.#failed(cause, tries)
      }
      this.#retries++
      await new Promise((resolve) => {
        if (!this.#isOver) this.#timer = setTimeout(resolve, PAUSES[tries] ?? LONG_PAUSE)
      })
    }
  }

  /** Nothing is asked again: what waits for that waits for ever. */
  giveUp(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #answered(): void {
    if (this.#isAway) this.#log.warn({}, 'the store answers again')
    this.#isAway = false
  }

  #failed(cause: unknown, tries: number): void {
    if (tries < PAUSES.length) {
      this.#log.warn({ err: cause }, `${this.#what} could not be stored yet`)
    }
    if (tries !== PAUSES.length || this.#isAway) return
    this.#isAway = true
    this.#log.error({ err: cause }, 'the store stays away: runs go on without it')
    this.#onAway()
  }
}
