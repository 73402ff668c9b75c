/** Numbers by pairs of numbers: a fraction of the time and memory of a `Map` whose keys are made of both. */

const EMPTY = -1

export class PairTable {
  readonly #mask: number
  readonly #left: Int32Array
  readonly #right: Int32Array
  readonly #values: Int32Array

  /** @param capacity pairs that will be set, at most */
  constructor(capacity: number) {
    const size = 2 ** Math.ceil(Math.log2(2 * capacity + 2))
    this.#mask = size - 1
    this.#left = new Int32Array(size).fill(EMPTY)
    this.#right = new Int32Array(size)
    this.#values = new Int32Array(size)
  }

  /** Of two numbers that are not negative, below 2 ** 31; the first value of a pair stays. */
  set(left: number, right: number, value: number): void {
    const at = this.#find(left, right)
    if (this.#left[at] !== EMPTY) return
    this.#left[at] = left
    this.#right[at] = right
    this.#values[at] = value
  }

  /** -1 when the pair was not set. */
  get(left: number, right: number): number {
    const at = this.#find(left, right)
    return this.#left[at] === EMPTY ? -1 : this.#values[at]!
  }

  /** Where the pair is, or belongs. */
  #find(left: number, right: number): number {
    let at = Math.imul(Math.imul(left, 0x9e3779b1) ^ right, 0x85ebca6b)
    at = (at ^ (at >>> 15)) & this.#mask
    while (this.#left[at] !== EMPTY && (this.#left[at] !== left || this.#right[at] !== right))
      at = (at + 1) & this.#mask
    return at
  }
}
