/** Several tests at once. */

interface Ranked {
  readonly p: number
  readonly index: number
}

const ascending = (ps: readonly number[]): Ranked[] =>
  ps.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p)

/** Holm's step-down adjustment (1979), for few primary metrics × arms: any error at all with probability ≤ α. */
export const holm = (ps: readonly number[]): number[] => {
  const adjusted = Array.from(ps, () => 1)
  let highest = 0
  for (const [rank, { p, index }] of ascending(ps).entries()) {
    highest = Math.max(highest, Math.min(1, p * (ps.length - rank)))
    adjusted[index] = highest
  }
  return adjusted
}

/** Benjamini & Hochberg's step-up adjustment (1995), for exploration: expected share of false discoveries ≤ α. */
export const benjaminiHochberg = (ps: readonly number[]): number[] => {
  const adjusted = Array.from(ps, () => 1)
  let lowest = 1
  for (const [rank, { p, index }] of [...ascending(ps).entries()].reverse()) {
    lowest = Math.min(lowest, (p * ps.length) / (rank + 1))
    adjusted[index] = lowest
  }
  return adjusted
}

/**
 * e-BH (Wang & Ramdas, JRSS B 2022), for monitoring without end: rejects the k largest e-values, k the largest with
 * e_(k) ≥ K / (α k). Valid under any dependence. True where the hypothesis is rejected, in the order given.
 */
export const eBenjaminiHochberg = (evidence: readonly number[], alpha: number): boolean[] => {
  const descending = [...evidence].sort((a, b) => b - a)
  let threshold = Infinity
  for (const [rank, value] of descending.entries()) {
    if (value >= evidence.length / (alpha * (rank + 1))) threshold = value
  }
  return evidence.map((value) => value >= threshold)
}
