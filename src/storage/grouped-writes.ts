/** Puts what is written at about the same time into one transaction: a commit costs more than what it commits. */

interface Entry<Item> {
  readonly item: Item
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
}

/** Items in one transaction: a longer one would hold the event loop. */
const MOST_TOGETHER = 512

export class GroupedWrites<Item> {
  readonly #write: (items: readonly Item[]) => void
  #waiting: Entry<Item>[] = []
  #flushing: Promise<void> | undefined

  /** `write` stores all items or none, and throws when it cannot. */
  constructor(write: (items: readonly Item[]) => void) {
    this.#write = write
  }

  /** Resolves when the item is stored. */
  add(item: Item): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      this.#flushing ??= this.#flush()
    })
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      // One turn of the event loop gathers what others hand in at the same time, and lets them work in between.
      await new Promise((resolve) => setImmediate(resolve))
      const group = this.#waiting.splice(0, MOST_TOGETHER)
      try {
        this.#write(group.map(({ item }) => item))
        for (const { resolve } of group) resolve()
      } catch (cause) {
        for (const { reject } of group) reject(cause)
      }
    }
    this.#flushing = undefined
  }
}
