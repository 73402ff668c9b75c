/** Which arms runs were exposed to. Most reports come soon: lately exposed runs are known without asking the store. */
import { LRUCache } from 'lru-cache'
import type { ExperimentStore, ExposedRun } from '../core/experiment-store.ts'

const MOST_REMEMBERED = 10_000

export class ExposedRuns {
  readonly #store: ExperimentStore
  readonly #recent = new LRUCache<string, ExposedRun>({ max: MOST_REMEMBERED })

  constructor(store: ExperimentStore) {
    this.#store = store
  }

  /** The run was exposed, and that is durable. */
  remember(runId: string, run: ExposedRun): void {
    this.#recent.set(runId, run)
  }

  /** By run; those that were never exposed are left out. */
  async find(runIds: readonly string[]): Promise<ReadonlyMap<string, ExposedRun>> {
    const found = new Map<string, ExposedRun>()
    const unknown = new Set<string>()
    for (const id of runIds) {
      const known = this.#recent.get(id)
      if (known === undefined) unknown.add(id)
      else found.set(id, known)
    }
    if (unknown.size === 0) return found
    for (const [id, run] of await this.#store.exposedRuns([...unknown])) {
      found.set(id, run)
      this.#recent.set(id, run)
    }
    return found
  }
}
