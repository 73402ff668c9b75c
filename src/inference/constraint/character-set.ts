/** Sets of Unicode characters, and their UTF-8. Surrogates are no characters and belong to no set. */

/** Code points from `low` to `high`, both included. */
export type Range = readonly [low: number, high: number]

/** Ascending, apart from each other. */
export type CharacterSet = readonly Range[]

const LAST = 0x10ffff
const SURROGATES: Range = [0xd800, 0xdfff]

/** Any ranges as a set. */
export const union = (...sets: readonly (readonly Range[])[]): CharacterSet => {
  const merged: [number, number][] = []
  for (const [low, high] of sets.flat().toSorted(([left], [right]) => left - right)) {
    const last = merged.at(-1)
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high)
    else merged.push([low, high])
  }
  return merged
}

/** Every character that is not in the set. */
export const complement = (set: CharacterSet): CharacterSet => {
  const gaps: Range[] = []
  let next = 0
  for (const [low, high] of union(set, [SURROGATES])) {
    if (low > next) gaps.push([next, low - 1])
    next = high + 1
  }
  return next > LAST ? gaps : [...gaps, [next, LAST]]
}

export const ALL: CharacterSet = complement([])

export const intersection = (left: CharacterSet, right: CharacterSet): CharacterSet =>
  complement(union(complement(left), complement(right)))

/** The characters for which the test holds: what a class such as `\p{L}` or `\w` means is left to the runtime. */
export const charactersWhere = (holds: (character: string) => boolean): CharacterSet => {
  const found: Range[] = []
  for (const [low, high] of ALL)
    for (let code = low; code <= high; code++) {
      if (!holds(String.fromCodePoint(code))) continue
      const start = code
      while (code < high && holds(String.fromCodePoint(code + 1))) code++
      found.push([start, code])
    }
  return found
}

/** Largest code points of one, two and three bytes. */
const LENGTH_LIMITS = [0x7f, 0x7ff, 0xffff] as const

/** Splits a range until the bytes of its ends span exactly what lies between them. */
const splitRange = ([low, high]: Range): readonly Range[] => {
  for (const limit of LENGTH_LIMITS)
    if (low <= limit && high > limit)
      return [...splitRange([low, limit]), ...splitRange([limit + 1, high])]
  for (let bits = 6; bits <= 18; bits += 6) {
    if (high <= 0x7f) break
    const mask = 2 ** bits - 1
    if ((low & ~mask) === (high & ~mask)) continue
    const [above, below] = [low | mask, (high & ~mask) - 1]
    if ((low & mask) !== 0)
      return [[low, above] as const, [above + 1, high] as const].flatMap(splitRange)
    if ((high & mask) !== mask)
      return [[low, below] as const, [below + 1, high] as const].flatMap(splitRange)
  }
  return [[low, high]]
}

const utf8 = new TextEncoder()
const encode = (code: number): Uint8Array => utf8.encode(String.fromCodePoint(code))

/** The set's UTF-8 as sequences of byte ranges, each byte free within its own. */
export const byteSequences = (set: CharacterSet): readonly (readonly Range[])[] =>
  intersection(set, ALL)
    .flatMap(splitRange)
    .map(([low, high]) => {
      const last = encode(high)
      return Array.from(encode(low), (byte, index): Range => [byte, last[index]!])
    })
