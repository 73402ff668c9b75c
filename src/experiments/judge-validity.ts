/** How far a judge agrees with people, and what remains of its verdict when that is taken into account. */

/** Cohen's κ = (observed − expected agreement) / (1 − expected) of a square table [rater one][rater two]. */
export const cohensKappa = (table: readonly (readonly number[])[]): number => {
  const total = table.flat().reduce((sum, count) => sum + count, 0)
  let observed = 0
  let expected = 0
  for (const [index, row] of table.entries()) {
    const ofRow = row.reduce((sum, count) => sum + count, 0)
    const ofColumn = table.reduce((sum, other) => sum + other[index]!, 0)
    observed += row[index]! / total
    expected += (ofRow * ofColumn) / (total * total)
  }
  return expected === 1 ? 1 : (observed - expected) / (1 - expected)
}

/** Sums of a list of numbers; mergeable by addition. */
export interface Moments {
  readonly count: number
  readonly sum: number
  readonly squares: number
}

export const momentsOf = (values: Iterable<number>): Moments => {
  let count = 0
  let sum = 0
  let squares = 0
  for (const value of values) {
    count += 1
    sum += value
    squares += value * value
  }
  return { count, sum, squares }
}

const meanAndVariance = ({ count, sum, squares }: Moments) => {
  const mean = sum / count
  return { mean, variance: count < 2 ? Infinity : Math.max(0, squares - sum * mean) / (count - 1) }
}

/**
 * Prediction-powered inference (Angelopoulos et al., Science 2023): θ = mean f(all) − mean (f − y)(labelled), variance
 * var(f)/N + var(f − y)/n. Unbiased for what people would say however wrong the judge is; the better the judge, the
 * smaller the error. `judged` are the judge's values of all items, `corrections` f − y of the labelled ones.
 */
export const predictionPowered = (
  judged: Moments,
  corrections: Moments,
): { readonly mean: number; readonly standardError: number } => {
  const all = meanAndVariance(judged)
  const bias = meanAndVariance(corrections)
  return {
    mean: all.mean - bias.mean,
    standardError: Math.sqrt(all.variance / judged.count + bias.variance / corrections.count),
  }
}
