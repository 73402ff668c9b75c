/** Writes facts in groups: one transaction for whatever came up meanwhile, and nobody is told before it is durable. */
import { RefineError } from '../core/errors.ts'
import type { ExperimentFact, ExperimentStore } from '../core/experiment-store.ts'

interface Entry {
  readonly facts: readonly ExperimentFact[]
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
}

/** Facts in one transaction, unless a single entry has more: a longer one would hold all others up. */
const MOST_TOGETHER = 1024
/** Facts that may wait before more are refused. */
const MOST_WAITING = 100_000

export class FactWriter {
  readonly #store: ExperimentStore
  #waiting: Entry[] = []
  /** Facts of the entries that wait. */
  #facts = 0
  #flushing: Promise<void> | undefined

  constructor(store: ExperimentStore) {
    this.#store = store
  }

  /**
   * Resolves when the facts are durable, which all of them become together.
   * @throws RefineError overloaded when the store cannot keep up; else what the store throws.
   */
  add(facts: readonly ExperimentFact[]): Promise<void> {
    if (this.#facts + facts.length > MOST_WAITING) {
      const message = 'Outcomes come faster than they can be stored.'
      return Promise.reject(new RefineError('overloaded', message, { retryAfter: 1 }))
    }
    return this.#enter(facts)
  }

  /** Resolves when everything handed in before is durable or refused, whatever comes meanwhile. */
  barrier(): Promise<void> {
    return this.#enter([]).catch(() => undefined)
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
  }

  #enter(facts: readonly ExperimentFact[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ facts, resolve, reject })
      this.#facts += facts.length
      this.#flushing ??= this.#flush()
    })
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      // One turn of the event loop gathers what others hand in at the same time, and lets them work in between.
      await new Promise((resolve) => setImmediate(resolve))
      await this.#write(this.#nextGroup())
    }
    this.#flushing = undefined
  }

  #nextGroup(): Entry[] {
    let [entries, facts] = [0, 0]
    for (const { facts: own } of this.#waiting) {
      if (entries > 0 && facts + own.length > MOST_TOGETHER) break
      facts += own.length
      entries++
    }
    this.#facts -= facts
    return this.#waiting.splice(0, entries)
  }

  async #write(group: readonly Entry[]): Promise<void> {
    try {
      await this.#store.record(group.flatMap(({ facts }) => facts))
      for (const { resolve } of group) resolve()
    } catch (cause) {
      for (const { reject } of group) reject(cause)
    }
  }
}
