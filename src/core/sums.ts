/**
 * What is kept of the outcomes of one arm in one metric: sums that can be added up in any order and merged, so that
 * millions of rows are never read twice. The same ten numbers carry means, ratios, clusters of several runs per unit,
 * covariate adjustment and inverse-propensity weights, because all of them are a ratio Σ totals / Σ bases over units.
 */

/** The contribution of one unit of randomisation. */
export interface UnitOutcome {
  /** Sum of the metric over the unit's runs (or the numerator of a ratio metric). */
  readonly total: number
  /** Number of runs with a value (or the denominator of a ratio metric). 1 for one run. */
  readonly base: number
  /** A covariate known before treatment, for CUPED. 0 where there is none. */
  readonly covariate?: number
  /** 1 / propensity under adaptive allocation, else 1. Finite, > 0. */
  readonly weight?: number
}

export interface Sums {
  /** Units of randomisation. */
  readonly units: number
  /** Σ b over units, the denominator of the estimate. */
  readonly base: number
  /** Σ t */
  readonly total: number
  /** Σ b² */
  readonly baseBase: number
  /** Σ t² */
  readonly totalTotal: number
  /** Σ b t */
  readonly baseTotal: number
  /** Σ x, the covariate */
  readonly covariate: number
  /** Σ x² */
  readonly covariateCovariate: number
  /** Σ x t */
  readonly covariateTotal: number
  /** Σ x b */
  readonly covariateBase: number
}

export const NO_SUMS: Sums = {
  units: 0,
  base: 0,
  total: 0,
  baseBase: 0,
  totalTotal: 0,
  baseTotal: 0,
  covariate: 0,
  covariateCovariate: 0,
  covariateTotal: 0,
  covariateBase: 0,
}

/** The sums of a single unit. */
export const sumsOf = ({ total, base, covariate = 0, weight = 1 }: UnitOutcome): Sums => {
  const t = total * weight
  const b = base * weight
  return {
    units: 1,
    base: b,
    total: t,
    baseBase: b * b,
    totalTotal: t * t,
    baseTotal: b * t,
    covariate,
    covariateCovariate: covariate * covariate,
    covariateTotal: covariate * t,
    covariateBase: covariate * b,
  }
}

const combine = (a: Sums, b: Sums, sign: 1 | -1): Sums => ({
  units: a.units + sign * b.units,
  base: a.base + sign * b.base,
  total: a.total + sign * b.total,
  baseBase: a.baseBase + sign * b.baseBase,
  totalTotal: a.totalTotal + sign * b.totalTotal,
  baseTotal: a.baseTotal + sign * b.baseTotal,
  covariate: a.covariate + sign * b.covariate,
  covariateCovariate: a.covariateCovariate + sign * b.covariateCovariate,
  covariateTotal: a.covariateTotal + sign * b.covariateTotal,
  covariateBase: a.covariateBase + sign * b.covariateBase,
})

/** Sums of both sets of units, which must not share a unit. */
export const mergeSums = (a: Sums, b: Sums): Sums => combine(a, b, 1)

/** What `a` has beyond `b`; `b` must be part of it, or the difference is a change to be merged elsewhere. */
export const subtractSums = (a: Sums, b: Sums): Sums => combine(a, b, -1)

/** Adds a unit that was not there before. */
export const addUnit = (sums: Sums, unit: UnitOutcome): Sums => combine(sums, sumsOf(unit), 1)

/** Sums of a list of units. */
export const collect = (units: Iterable<UnitOutcome>): Sums => {
  let sums = NO_SUMS
  for (const unit of units) sums = addUnit(sums, unit)
  return sums
}

/** Sums of n runs of one unit each, of which so many succeeded. */
export const successes = (count: number, units: number): Sums => ({
  ...NO_SUMS,
  units,
  base: units,
  total: count,
  baseBase: units,
  totalTotal: count,
  baseTotal: count,
})
