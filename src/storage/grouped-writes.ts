/** Puts what is written at about the same time into one transaction: a commit costs more than what it commits. */
import type { Database, Statement } from './database.ts'

interface Entry {
  readonly statements: readonly Statement[]
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
}

/** Entries in one transaction: a longer one would hold others up. */
const MOST_TOGETHER = 512

export class GroupedWrites {
  readonly #database: Database
  #waiting: Entry[] = []
  #flushing: Promise<void> | undefined

  constructor(database: Database) {
    this.#database = database
  }

  /** Resolves when the statements are durable. */
  add(statements: readonly Statement[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ statements, resolve, reject })
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
        await this.#database.write(group.flatMap(({ statements }) => statements))
        for (const { resolve } of group) resolve()
      } catch (cause) {
        for (const { reject } of group) reject(cause)
      }
    }
    this.#flushing = undefined
  }
}
