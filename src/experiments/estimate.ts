/** From sums to an estimate with its variance. */
import { mergeSums, type Sums } from '../core/sums.ts'

export interface Estimate {
  readonly value: number
  /** Variance of the estimate (not of the data); Infinity while it cannot be told. */
  readonly variance: number
  /** Units of randomisation behind it. */
  readonly units: number
}

/** Σ (t − R b)² from the sums; rounding may push it a little below zero. */
const squaredResiduals = (sums: Sums, ratio: number): number =>
  Math.max(0, sums.totalTotal - 2 * ratio * sums.baseTotal + ratio * ratio * sums.baseBase)

/**
 * R = Σt / Σb with Var(R) = k/(k − 1) · Σ(t − R b)² / (Σb)² over k units (Deng, Knoblich & Lu, KDD 2018).
 *
 * One formula for four cases: a mean (b = 1), a mean over clusters of runs (b = runs of the unit), a ratio of two
 * metrics by the delta method (b = denominator), and the Hájek estimator under adaptive allocation (t, b times
 * 1 / propensity). NaN with infinite variance while there is nothing to divide by.
 */
export const estimateOf = (sums: Sums): Estimate => {
  const { units, base, total } = sums
  if (units === 0 || base === 0) return { value: Number.NaN, variance: Infinity, units }
  const value = total / base
  if (units < 2) return { value, variance: Infinity, units }
  const variance = ((units / (units - 1)) * squaredResiduals(sums, value)) / (base * base)
  return { value, variance, units }
}

/** A proportion of independent runs, one per unit: p = s/n with the unpooled variance p (1 − p) / n. */
export const proportion = (successes: number, units: number): Estimate => {
  const value = successes / units
  return { value, variance: units === 0 ? Infinity : (value * (1 - value)) / units, units }
}

/** Whether every unit had exactly one run of weight one, so that a proportion is binomial. */
export const isOnePerUnit = ({ units, base, baseBase }: Sums): boolean =>
  units === base && units === baseBase

/**
 * How many independent values the units are worth at least, if runs of one unit tell no more than one: (Σ b)² / Σ b²
 * (Kish 1965). The number of units where each has one run.
 */
export const effectiveUnits = ({ base, baseBase }: Sums): number =>
  baseBase === 0 ? 0 : (base * base) / baseBase

/** Centred covariance of the covariate with the linearised outcome (t − R b) / b̄, and variance of the covariate. */
const covariation = (
  sums: Sums,
): { readonly withOutcome: number; readonly ofCovariate: number } => {
  const { units, base, total, covariate } = sums
  const ratio = total / base
  const meanBase = base / units
  // Σ(t − R b) is zero, so that centring the covariate is not needed.
  const withOutcome = (sums.covariateTotal - ratio * sums.covariateBase) / meanBase
  return { withOutcome, ofCovariate: sums.covariateCovariate - (covariate * covariate) / units }
}

/** Where θ comes from: `within` sums the co-variation inside each arm, `all` mixes the arms (as GrowthBook does). */
export type CupedPooling = 'within' | 'all'

const slope = (arms: readonly Sums[], pooling: CupedPooling): number => {
  const parts = (pooling === 'all' ? [arms.reduce(mergeSums)] : arms).map(covariation)
  const ofCovariate = parts.reduce((sum, part) => sum + part.ofCovariate, 0)
  const withOutcome = parts.reduce((sum, part) => sum + part.withOutcome, 0)
  return ofCovariate > 0 ? withOutcome / ofCovariate : 0
}

export interface CupedEstimates {
  /** θ, the regression of the outcome on the covariate. */
  readonly slope: number
  /** Estimates of the arms, in their order, at the covariate's overall mean. */
  readonly arms: readonly Estimate[]
}

/**
 * CUPED (Deng, Xu, Kohavi & Walker, WSDM 2013): y − θ (x − x̄), θ = cov(y, x) / var(x), which leaves the difference
 * of the arms unbiased and its variance times 1 − ρ². The covariate must be known before the treatment starts. For
 * clusters and ratios y is the linearised outcome. An arm without a unit stays as it is.
 */
export const cuped = (arms: readonly Sums[], pooling: CupedPooling = 'within'): CupedEstimates => {
  const filled = arms.filter(({ units, base }) => units > 0 && base !== 0)
  if (filled.length === 0) return { slope: 0, arms: arms.map(estimateOf) }
  const theta = slope(filled, pooling)
  const all = filled.reduce(mergeSums)
  const overall = all.covariate / all.units
  const adjust = (sums: Sums): Estimate => {
    const plain = estimateOf(sums)
    if (!Number.isFinite(plain.variance)) return plain
    const { units, covariate } = sums
    const { withOutcome, ofCovariate } = covariation(sums)
    const perUnit = (theta * theta * ofCovariate - 2 * theta * withOutcome) / (units - 1)
    return {
      value: plain.value - theta * (covariate / units - overall),
      variance: Math.max(0, plain.variance + perUnit / units),
      units,
    }
  }
  return { slope: theta, arms: arms.map(adjust) }
}
