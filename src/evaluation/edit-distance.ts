/** Whether a revision is little more than a copy of what it revises. */

/**
 * Whether the Levenshtein distance is at most `limit`, by a band around the diagonal (Ukkonen 1985): O(limit · length).
 */
const isWithin = (left: string, right: string, limit: number): boolean => {
  if (Math.abs(left.length - right.length) > limit) return false
  const far = limit + 1
  const width = 2 * limit + 1
  // Cell `offset` of a row stands for the column row + offset - limit.
  let above = Array.from({ length: width }, (_, offset) => Math.abs(offset - limit))
  for (let row = 1; row <= left.length; row++) {
    const current = Array.from({ length: width }, () => far)
    for (let offset = 0; offset < width; offset++) {
      const column = row + offset - limit
      if (column < 0 || column > right.length) continue
      const changed = left[row - 1] === right[column - 1] ? 0 : 1
      const replaced = column > 0 ? above[offset]! + changed : far
      const removed = (above[offset + 1] ?? far) + 1
      const added = (current[offset - 1] ?? far) + 1
      current[offset] = Math.min(replaced, removed, added, far)
    }
    if (current.every((distance) => distance > limit)) return false
    above = current
  }
  return (above[right.length - left.length + limit] ?? far) <= limit
}

/** Whether less than 2 % of the longer text has to be edited to make one out of the other. */
export const isCopy = (left: string, right: string): boolean => {
  const limit = Math.ceil(0.02 * Math.max(left.length, right.length)) - 1
  return left === right || (limit > 0 && isWithin(left, right, limit))
}
