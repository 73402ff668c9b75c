/** How much one text differs from another, by words. Pure arithmetic, linear in the length of the texts. */

export const wordsOf = (text: string): readonly string[] => text.trim().split(/\s+/)

/** Share of the words that may differ in a near copy, and their largest number, which bounds the work. */
const NEAR = 0.02
const MOST_EDITS = 64

/** Whether at most `edits` insertions, deletions and substitutions turn one list into the other. O(length × edits). */
const isWithin = (left: readonly string[], right: readonly string[], edits: number): boolean => {
  if (Math.abs(left.length - right.length) > edits) return false
  const width = 2 * edits + 1
  let previous = Array.from({ length: width }, (_, at) => (at < edits ? Infinity : at - edits))
  for (let row = 1; row <= left.length; row++) {
    const current: number[] = Array.from({ length: width }, () => Infinity)
    for (let at = 0; at < width; at++) {
      const column = row + at - edits
      if (column < 0 || column > right.length) continue
      const substitution =
        column === 0 ? Infinity : previous[at]! + (left[row - 1] === right[column - 1] ? 0 : 1)
      const deletion = (previous[at + 1] ?? Infinity) + 1
      const insertion = (current[at - 1] ?? Infinity) + 1
      current[at] = Math.min(substitution, deletion, insertion)
    }
    previous = current
    if (Math.min(...previous) > edits) return false
  }
  return previous[right.length - left.length + edits]! <= edits
}

/** Whether less than 2 % of the words differ, by edit distance over the longer text; spaces aside. */
export const isNearCopy = (left: string, right: string): boolean => {
  const [first, second] = [wordsOf(left), wordsOf(right)]
  const allowed = Math.ceil(NEAR * Math.max(first.length, second.length)) - 1
  return isWithin(first, second, Math.min(MOST_EDITS, allowed))
}
