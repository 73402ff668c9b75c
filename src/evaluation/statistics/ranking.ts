/** How well scores order right and wrong candidates. */

export interface Rated {
  readonly score: number
  readonly right: boolean
}

/** Pairs of a right and a wrong candidate, and how many of them the scores order rightly; a tie is half a pair. */
export interface PairCount {
  readonly pairs: number
  readonly ordered: number
}

/** Counts in O(n log n), ties together. */
export const countPairs = (rated: readonly Rated[]): PairCount => {
  const sorted = rated.toSorted((left, right) => left.score - right.score)
  let [wrongBelow, ordered, rights] = [0, 0, 0]
  for (let at = 0; at < sorted.length;) {
    const { score } = sorted[at]!
    let [right, wrong] = [0, 0]
    for (; at < sorted.length && sorted[at]!.score === score; at++) {
      if (sorted[at]!.right) right++
      else wrong++
    }
    ordered += right * (wrongBelow + wrong / 2)
    wrongBelow += wrong
    rights += right
  }
  return { pairs: rights * wrongBelow, ordered }
}

/**
 * Area under the ROC curve (Mann–Whitney): the probability that a right candidate has the higher score, a tie
 * counting half; null without both a right and a wrong one.
 */
export const areaUnderCurve = (rated: readonly Rated[]): number | null => {
  const { pairs, ordered } = countPairs(rated)
  return pairs === 0 ? null : ordered / pairs
}
