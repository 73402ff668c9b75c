/**
 * Bayesian read-out, for display beside the confidence sequence. Its statements are conditional on the prior and not
 * protected against looking often, so it never stops an experiment.
 */
import type { Interval } from './analysis.ts'
import { betaCdf, betaDensity, betaQuantile } from './distributions/beta.ts'
import { normalCdf, normalDensity, normalQuantile } from './distributions/normal.ts'
import { integrate } from './distributions/quadrature.ts'
import type { Estimate } from './estimate.ts'

/** What is believed of one arm's value after the data. */
export interface Posterior {
  readonly mean: number
  readonly deviation: number
  /** All but about 1e-12 of the mass. */
  readonly support: Interval
  density(x: number): number
  cdf(x: number): number
}

const NEGLIGIBLE = 1e-13

/** Beta(1 + successes, 1 + failures): a proportion with a uniform prior. */
export const betaPosterior = (successes: number, failures: number): Posterior => {
  const a = 1 + successes
  const b = 1 + failures
  const mean = a / (a + b)
  return {
    mean,
    deviation: Math.sqrt((mean * (1 - mean)) / (a + b + 1)),
    support: [betaQuantile(NEGLIGIBLE, a, b), 1 - betaQuantile(NEGLIGIBLE, b, a)],
    density: (x) => betaDensity(x, a, b),
    cdf: (x) => betaCdf(x, a, b),
  }
}

/** A normal posterior, of a mean or of a difference. Deviation > 0. */
export const normalPosterior = (mean: number, deviation: number): Posterior => ({
  mean,
  deviation,
  support: [mean - 8 * deviation, mean + 8 * deviation],
  density: (x) => normalDensity((x - mean) / deviation) / deviation,
  cdf: (x) => normalCdf((x - mean) / deviation),
})

/**
 * Normal prior N(mean, deviation²) updated by an estimate with a normal error, weighted by precision. Eppo's prior of a
 * relative lift is N(0, 0.05²).
 */
export const updateNormal = (
  estimate: Estimate,
  prior: { readonly mean: number; readonly deviation: number },
): Posterior => {
  const priorPrecision = 1 / prior.deviation ** 2
  const dataPrecision = 1 / estimate.variance
  const precision = priorPrecision + dataPrecision
  const mean = (prior.mean * priorPrecision + estimate.value * dataPrecision) / precision
  return normalPosterior(mean, Math.sqrt(1 / precision))
}

/**
 * P(arm is the best) for each arm: ∫ fᵢ(x) Π_{j≠i} F_j(x) dx by quadrature over the arm's support. `direction` says
 * whether more or less is better.
 */
export const probabilityBest = (
  arms: readonly Posterior[],
  direction: 'up' | 'down' = 'up',
): number[] => {
  const worse = (arm: Posterior, x: number): number =>
    direction === 'up' ? arm.cdf(x) : 1 - arm.cdf(x)
  const shares = arms.map((arm, index) =>
    integrate(
      (x) =>
        arms.reduce(
          (product, other, at) => (at === index ? product : product * worse(other, x)),
          arm.density(x),
        ),
      ...arm.support,
    ),
  )
  const total = shares.reduce((sum, share) => sum + share, 0)
  return shares.map((share) => share / total)
}

/** E[max(B − A, 0)] = ∫ F_A(x) (1 − F_B(x)) dx: what is lost on average by choosing A. */
export const expectedLoss = (chosen: Posterior, other: Posterior): number =>
  integrate(
    (x) => chosen.cdf(x) * (1 - other.cdf(x)),
    Math.min(chosen.support[0], other.support[0]),
    Math.max(chosen.support[1], other.support[1]),
    96,
  )

export interface LiftReadOut {
  readonly mean: number
  readonly deviation: number
  /** P(lift > 0). */
  readonly chanceToWin: number
  /** E[max(−lift, 0)]: what shipping costs on average if it was wrong. */
  readonly riskOfShipping: number
  /** E[max(lift, 0)] */
  readonly riskOfNotShipping: number
  readonly interval: Interval
}

/** Summary of a normal posterior of a lift where more is better. */
export const readLift = ({ mean, deviation }: Posterior, alpha: number): LiftReadOut => {
  const z = mean / deviation
  const gain = mean * normalCdf(z) + deviation * normalDensity(z)
  const radius = normalQuantile(1 - alpha / 2) * deviation
  return {
    mean,
    deviation,
    chanceToWin: normalCdf(z),
    riskOfShipping: gain - mean,
    riskOfNotShipping: gain,
    interval: [mean - radius, mean + radius],
  }
}
