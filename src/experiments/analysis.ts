/** Fixed-horizon analysis of two arms: valid for one look, at a sample size chosen beforehand. */
import { normalQuantile, twoSidedNormal } from './distributions/normal.ts'
import { studentQuantile, twoSidedStudent } from './distributions/student-t.ts'
import type { Estimate } from './estimate.ts'

export type Interval = readonly [low: number, high: number]

export interface Test {
  readonly standardError: number
  /** z or t. */
  readonly statistic: number
  /** Two-sided. */
  readonly p: number
}

const around = (value: number, radius: number): Interval => [value - radius, value + radius]

/** Quantile of the two-sided level: z with P(|Z| > z) = alpha. */
export const criticalNormal = (alpha: number): number => normalQuantile(1 - alpha / 2)

/** Treatment minus control, of independent arms. */
export const difference = (control: Estimate, treatment: Estimate): Estimate => ({
  value: treatment.value - control.value,
  variance: control.variance + treatment.variance,
  units: control.units + treatment.units,
})

/** treatment / control − 1 by the delta method: variance (p₂/p₁)² (V₁/p₁² + V₂/p₂²), written without dividing by p₂. */
export const relativeLift = (control: Estimate, treatment: Estimate): Estimate => {
  const ratio = treatment.value / control.value
  return {
    value: ratio - 1,
    variance: (treatment.variance + ratio * ratio * control.variance) / control.value ** 2,
    units: control.units + treatment.units,
  }
}

/** Interval estimate ± z √V (Wald). */
export const waldInterval = (estimate: Estimate, alpha: number): Interval =>
  around(estimate.value, criticalNormal(alpha) * Math.sqrt(estimate.variance))

/** z test of the hypothesis that the estimate is zero. */
export const zTest = ({ value, variance }: Estimate): Test => {
  const standardError = Math.sqrt(variance)
  const statistic = value === 0 ? 0 : value / standardError
  return { standardError, statistic, p: twoSidedNormal(statistic) }
}

/** z test of equal proportions with the pooled variance p̄ q̄ (1/n₁ + 1/n₂). */
export const pooledTest = (control: Estimate, treatment: Estimate): Test => {
  const units = control.units + treatment.units
  const mean = (control.value * control.units + treatment.value * treatment.units) / units
  const variance = mean * (1 - mean) * (1 / control.units + 1 / treatment.units)
  return zTest({ ...difference(control, treatment), variance })
}

/** Interval of a proportion (Wilson, JASA 1927); holds at 0 and 1 too. */
export const wilsonInterval = (successes: number, units: number, alpha: number): Interval => {
  const z2 = criticalNormal(alpha) ** 2
  const p = successes / units
  const centre = (p + z2 / (2 * units)) / (1 + z2 / units)
  const radius = Math.sqrt((z2 * (p * (1 - p) + z2 / (4 * units))) / units) / (1 + z2 / units)
  return [Math.max(0, centre - radius), Math.min(1, centre + radius)]
}

/** Interval of the difference of two proportions from their Wilson intervals (Newcombe, Stat. Med. 1998, method 10). */
export const newcombeInterval = (
  control: Estimate,
  treatment: Estimate,
  alpha: number,
): Interval => {
  const wilson = ({ value, units }: Estimate): Interval =>
    wilsonInterval(value * units, units, alpha)
  const [controlLow, controlHigh] = wilson(control)
  const [treatmentLow, treatmentHigh] = wilson(treatment)
  const change = treatment.value - control.value
  return [
    change - Math.hypot(treatment.value - treatmentLow, controlHigh - control.value),
    change + Math.hypot(treatmentHigh - treatment.value, control.value - controlLow),
  ]
}

export interface WelchTest extends Test {
  /** Degrees of freedom after Satterthwaite. */
  readonly df: number
  readonly interval: Interval
}

/** Difference of two means with unequal variances (Welch, Biometrika 1947); the estimates' variances are s²/n. */
export const welchTest = (control: Estimate, treatment: Estimate, alpha: number): WelchTest => {
  const { value, variance } = difference(control, treatment)
  const standardError = Math.sqrt(variance)
  const share = (arm: Estimate): number => arm.variance ** 2 / (arm.units - 1)
  const df = variance ** 2 / (share(control) + share(treatment))
  const statistic = value === 0 ? 0 : value / standardError
  return {
    standardError,
    statistic,
    df,
    p: twoSidedStudent(statistic, df),
    interval: around(value, studentQuantile(1 - alpha / 2, df) * standardError),
  }
}

/** Student interval of one mean, units − 1 degrees of freedom. */
export const meanInterval = ({ value, variance, units }: Estimate, alpha: number): Interval =>
  around(value, studentQuantile(1 - alpha / 2, units - 1) * Math.sqrt(variance))
