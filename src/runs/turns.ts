/** Lets work of one name go one after the other; work of different names goes on at the same time. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Begins when the work of that name that came before has ended, however it did. Rejects as the work does. */
  async take<Value>(name: string, work: () => Promise<Value>): Promise<Value> {
    const before = this.#last.get(name) ?? Promise.resolve()
    const mine = before.catch(() => undefined).then(work)
    this.#last.set(name, mine)
    try {
      return await mine
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name)
    }
  }
}
