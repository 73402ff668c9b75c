/** Writes facts in groups, and says when the store cannot keep up. */
import { RefineError } from '../core/errors.ts'
import type { ExperimentFact, ExperimentStore } from '../core/experiment-store.ts'
import { GroupWriter } from '../core/group-writer.ts'

const MOST_TOGETHER = 1024
/** Facts that may wait before more are refused. */
const MOST_WAITING = 100_000

export class FactWriter {
  readonly #writer: GroupWriter<ExperimentFact>

  constructor(store: ExperimentStore) {
    this.#writer = new GroupWriter({
      write: (facts) => store.record(facts),
      most: MOST_TOGETHER,
    })
  }

  /**
   * Resolves when the facts are durable, which all of them become together.
   * @throws RefineError overloaded when the store cannot keep up; else what the store throws.
   */
  async add(facts: readonly ExperimentFact[]): Promise<void> {
    if (this.#writer.waiting + facts.length > MOST_WAITING) {
      const message = 'Outcomes come faster than they can be stored.'
      throw new RefineError('overloaded', message, { retryAfter: 1 })
    }
    await this.#writer.add(facts)
  }

  /** Resolves when everything handed in before is durable or refused, whatever comes meanwhile. */
  barrier(): Promise<void> {
    return this.#writer.add([]).catch(() => undefined)
  }

  /** Resolves when nothing waits any more. */
  idle(): Promise<void> {
    return this.#writer.idle()
  }
}
