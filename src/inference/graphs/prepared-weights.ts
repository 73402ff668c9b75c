/** Weights in the form that graphs take them, each made once however many graphs of a checkpoint are written. */
export class PreparedWeights {
  readonly #made = new Map<string, unknown>()

  /** What `make` gave when it was first asked for under this name, which stands for one type. */
  take<Form>(name: string, make: () => Form): Form {
    if (!this.#made.has(name)) this.#made.set(name, make())
    return this.#made.get(name) as Form
  }
}
