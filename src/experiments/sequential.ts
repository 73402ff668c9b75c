/**
 * Inference that survives looking at every moment: one normal-mixture confidence sequence for display and for stopping
 * (Robbins 1970; Waudby-Smith et al., Annals of Statistics 2024; the same formula as GrowthBook, Eppo and mSPRT with
 * another tuning). V is the variance of the estimate, τ² that of the mixture.
 */
import type { Interval } from './analysis.ts'
import type { Estimate } from './estimate.ts'

/** ρ² = (−2 ln α + ln(1 − 2 ln α)) / N*, which makes the sequence tightest at about N* units in all arms together. */
export const mixtureScale = (tunedFor: number, alpha: number): number => {
  const log = -2 * Math.log(alpha)
  return (log + Math.log1p(log)) / tunedFor
}

/** τ² = V N ρ²: constant over time when V falls as 1/N. N is the number of units of both arms. */
export const mixtureVariance = (
  { variance, units }: Estimate,
  tunedFor: number,
  alpha: number,
): number => variance * units * mixtureScale(tunedFor, alpha)

/** r = √( V(V+τ²)/τ² · [ln((V+τ²)/V) + 2 ln(1/α)] ). */
export const mixtureRadius = (variance: number, mixture: number, alpha: number): number =>
  Math.sqrt(
    ((variance * (variance + mixture)) / mixture) *
      (Math.log1p(mixture / variance) - 2 * Math.log(alpha)),
  )

/** ln of the mixture's e-value: δ²τ² / (2V(V+τ²)) − ½ ln((V+τ²)/V). Evidence against δ = 0; e ≥ 1/α stops. */
export const logMixtureEvidence = (value: number, variance: number, mixture: number): number =>
  (value * value * mixture) / (2 * variance * (variance + mixture)) -
  0.5 * Math.log1p(mixture / variance)

/** Always-valid p = min(1, 1/e). The minimum over all looks so far is valid too, as e-values at one look alone are. */
export const anytimeTest = (logEvidence: number): AnytimeTest => ({
  p: Math.min(1, Math.exp(-logEvidence)),
  logEvidence,
})

export interface Tuning {
  /** N*: units of both arms together at which the sequence is tightest. */
  readonly tunedFor: number
  readonly alpha: number
}

/** How strongly the data speak against no difference, at every moment. */
export interface AnytimeTest {
  /** Always valid: at most 1 / e. */
  readonly p: number
  /** ln of the e-value at this look. */
  readonly logEvidence: number
}

export interface AnytimeResult extends AnytimeTest {
  readonly interval: Interval
}

/** The confidence sequence of an estimate at this look; its units are those of both arms. */
export const anytime = (estimate: Estimate, { tunedFor, alpha }: Tuning): AnytimeResult => {
  const { value, variance } = estimate
  const mixture = mixtureVariance(estimate, tunedFor, alpha)
  const radius = mixtureRadius(variance, mixture, alpha)
  const test = anytimeTest(logMixtureEvidence(value, variance, mixture))
  return { interval: [value - radius, value + radius], ...test }
}

/**
 * One-sided radius √( 2V(V+τ²)/τ² · ln(1 + √((V+τ²)/V) / (2α)) ), for bounds that guard one direction only; τ² is
 * tuned with 2α (GrowthBook).
 */
export const oneSidedRadius = (estimate: Estimate, { tunedFor, alpha }: Tuning): number => {
  const { variance } = estimate
  const mixture = mixtureVariance(estimate, tunedFor, 2 * alpha)
  const spread = (2 * variance * (variance + mixture)) / mixture
  return Math.sqrt(spread * Math.log1p(Math.sqrt(1 + mixture / variance) / (2 * alpha)))
}

/** Smallest α at which the one-sided bound, tuned as above, excludes zero from above; 1 when the value is not positive. */
export const oneSidedP = (estimate: Estimate, { tunedFor, alpha }: Tuning): number => {
  const { value, variance } = estimate
  if (!(value > 0)) return 1
  const mixture = mixtureVariance(estimate, tunedFor, 2 * alpha)
  const exponent = (value * value * mixture) / (2 * variance * (variance + mixture))
  return Math.min(1, Math.sqrt(1 + mixture / variance) / (2 * Math.expm1(exponent)))
}
