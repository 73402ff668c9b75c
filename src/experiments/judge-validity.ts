/** How far a judge agrees with people, and what remains of its verdict when that is taken into account. */
import type { Sums } from '../core/sums.ts'
import { estimateOf, isOnePerUnit, type Estimate } from './estimate.ts'

/** Under which name the errors of a metric's predictions are added up; no metric can have it. */
export const errorsOf = (metric: string): string => `${metric}~errors`

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

/**
 * cov(f, f − y) over the labelled units, from the sums of f − y with y as covariate; 0 where a unit has several runs or a
 * weight, whose squares are not kept.
 */
export const covarianceWithErrors = (errors: Sums): number => {
  const { units, total, totalTotal, covariate, covariateTotal } = errors
  if (units < 2 || !isOnePerUnit(errors)) return 0
  return (totalTotal + covariateTotal - ((total + covariate) * total) / units) / (units - 1)
}

/**
 * Prediction-powered inference (Angelopoulos et al., Science 2023): θ = mean f(all) − mean (f − y)(labelled), variance
 * var(f)/N + var(f − y)/n − 2 cov(f, f − y)/N, the last because the labelled units are among all. Unbiased for what people
 * would say however wrong the judge is, if it is left to chance what they say it of; the better the judge, the smaller
 * the error. The units are the labelled ones, of which there are fewer.
 */
export const predictionPowered = (
  judged: Estimate,
  errors: Estimate,
  covariance = 0,
): Estimate => ({
  value: judged.value - errors.value,
  variance: Math.max(
    0,
    judged.variance + errors.variance - (2 * covariance) / Math.max(1, judged.units),
  ),
  units: errors.units,
})

export interface Agreement {
  /** Units of which both are known. */
  readonly units: number
  /** Mean of prediction less truth. */
  readonly bias: number
  /** Of two that say yes or no, once of each unit; NaN otherwise. */
  readonly kappa: number
}

/**
 * How well predictions agree with the truth, from the sums of their errors f − y with the truth as covariate: of two
 * that say yes or no, errors are 1, 0 or −1, so that Σ (f − y) and Σ (f − y)² tell how often each was wrong.
 */
export const agreementOf = (errors: Sums, areTruths: boolean): Agreement => {
  const { units, total, totalTotal, covariate: yes } = errors
  const { value: bias } = estimateOf(errors)
  if (!areTruths || units === 0 || !isOnePerUnit(errors)) return { units, bias, kappa: Number.NaN }
  const [onlyPredicted, onlyTrue] = [(totalTotal + total) / 2, (totalTotal - total) / 2]
  const table = [
    [yes - onlyTrue, onlyPredicted],
    [onlyTrue, units - yes - onlyPredicted],
  ]
  return { units, bias, kappa: cohensKappa(table) }
}
