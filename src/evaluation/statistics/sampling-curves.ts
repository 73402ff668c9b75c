/** What several drafts of one question could give. */

/**
 * Probability that at least one of k drafts is right, without bias, from n drafts of which `right` are: 1 − C(n−c, k) /
 * C(n, k) (Chen et al. 2021, arXiv:2107.03374). Only for k ≤ n.
 */
export const passAtK = (drafts: number, right: number, k: number): number => {
  if (k > drafts) throw new RangeError(`pass@${k} needs ${k} drafts; there are ${drafts}.`)
  let allWrong = 1
  for (let draw = 0; draw < k; draw++)
    allWrong *= Math.max(0, drafts - right - draw) / (drafts - draw)
  return 1 - allWrong
}

/** B-STaR's balance of exploration and exploitation: min(n′/8, 1) · n′/n, n′ right ones of n; 0 of none. */
export const balanceScore = (candidates: number, right: number): number =>
  candidates === 0 ? 0 : Math.min(right / 8, 1) * (right / candidates)
