import { hash } from 'node:crypto'

/** A seeded source of randomness; everything a strategy draws comes from one, so that a run can be repeated. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  /** Uniform integer in [0, bound). */
  integer(bound: number): number
  /** A seed for a model call, in [0, 2^31). */
  seed(): number
  /** A fresh order of the items; the argument is left as it is. */
  shuffle<Item>(items: readonly Item[]): Item[]
}

/** Mulberry32: 32 bits of state, full period, good enough for order and seeds (not for cryptography). */
export const createRandom = (seed: number): Random => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (bound: number): number => Math.floor(next() * bound)
  return {
    next,
    integer,
    seed: () => integer(2 ** 31),
    shuffle: (items) => {
      const shuffled = [...items]
      for (let last = shuffled.length - 1; last > 0; last--) {
        const other = integer(last + 1)
        const item = shuffled[last]!
        shuffled[last] = shuffled[other]!
        shuffled[other] = item
      }
      return shuffled
    },
  }
}

/** Maps a key to [0, 1) by the first four bytes of its SHA-256; divided by 2^32, so that 1 cannot occur. */
export const hashToUnit = (key: string): number =>
  Number.parseInt(hash('sha256', key).slice(0, 8), 16) / 2 ** 32
