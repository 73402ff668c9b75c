/** What one caller of the engine waits for: items in order, without end, until the call fails or the reader leaves. */
export class Call<Item> implements AsyncIterable<Item> {
  #items: Item[] = []
  #failure: { readonly reason: unknown } | undefined
  #wake: (() => void) | undefined

  push(item: Item): void {
    this.#items.push(item)
    this.#wake?.()
  }

  /** Ends the call at once: items not read yet are dropped and the reader throws `reason`. */
  fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.#wake?.()
  }

  /** May be iterated once. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, void> {
    for (;;) {
      const items = this.#items
      this.#items = []
      for (const item of items) {
        this.#throwIfFailed()
        yield item
      }
      this.#throwIfFailed()
      if (this.#items.length > 0) continue
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.reason
  }
}
