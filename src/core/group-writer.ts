/**
 * Puts what is written at about the same time into one transaction: a commit costs more than what it commits. Nobody is
 * told before it is durable, and what is refused for good takes nothing else with it.
 */
import { isStorageOutage } from './errors.ts'

interface Entry<Item> {
  readonly items: readonly Item[]
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
}

export interface GroupWriterOptions<Item> {
  /** Writes all or none, in order; resolves when that is durable. */
  readonly write: (items: readonly Item[]) => Promise<unknown>
  /** Items in one transaction, unless a single entry has more: a longer one would hold all others up. */
  readonly most: number
}

export class GroupWriter<Item> {
  readonly #options: GroupWriterOptions<Item>
  #entries: Entry<Item>[] = []
  #waiting = 0
  #flushing: Promise<void> | undefined

  constructor(options: GroupWriterOptions<Item>) {
    this.#options = options
  }

  /** Items that wait for their transaction. */
  get waiting(): number {
    return this.#waiting
  }

  /** Resolves when the items are durable, which all of them become together, and all that was handed in before is or is refused. */
  add(items: readonly Item[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#entries.push({ items, resolve, reject })
      this.#waiting += items.length
      this.#flushing ??= this.#flush()
    })
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
  }

  async #flush(): Promise<void> {
    while (this.#entries.length > 0) {
      // One turn of the event loop gathers what others hand in at the same time, and lets them work in between.
      await new Promise((resolve) => setImmediate(resolve))
      await this.#write(this.#nextGroup())
    }
    this.#flushing = undefined
  }

  #nextGroup(): Entry<Item>[] {
    let [entries, count] = [0, 0]
    for (const { items } of this.#entries) {
      if (entries > 0 && count + items.length > this.#options.most) break
      count += items.length
      entries++
    }
    this.#waiting -= count
    return this.#entries.splice(0, entries)
  }

  /** A group that is refused is handed in by halves, until those stand alone that are at fault. */
  async #write(group: readonly Entry<Item>[]): Promise<void> {
    const items = group.flatMap((entry) => entry.items)
    try {
      if (items.length > 0) await this.#options.write(items)
      for (const { resolve } of group) resolve()
    } catch (cause) {
      if (group.length > 1 && !isStorageOutage(cause)) {
        const middle = Math.ceil(group.length / 2)
        await this.#write(group.slice(0, middle))
        await this.#write(group.slice(middle))
      } else for (const { reject } of group) reject(cause)
    }
  }
}
