/** How many units an experiment needs before it starts, how long that takes, and what it costs. */
import { normalQuantile } from './distributions/normal.ts'
import { mixtureRadius, mixtureVariance } from './sequential.ts'

export interface Power {
  /** Two-sided. */
  readonly alpha: number
  readonly power: number
}

const quantiles = ({ alpha, power }: Power): readonly [number, number] => [
  normalQuantile(1 - alpha / 2),
  normalQuantile(power),
]

/** n per arm to tell p₁ from p₂: (z_{1−α/2} √(2p̄q̄) + z_{1−β} √(p₁q₁ + p₂q₂))² / δ². */
export const proportionSize = (control: number, treatment: number, power: Power): number => {
  const [significance, strength] = quantiles(power)
  const mean = (control + treatment) / 2
  const apart = control * (1 - control) + treatment * (1 - treatment)
  const pooled = 2 * mean * (1 - mean)
  const root = significance * Math.sqrt(pooled) + strength * Math.sqrt(apart)
  return (root / (treatment - control)) ** 2
}

/** n per arm for a difference whose variance with one unit per arm is `variance`: (z + z)² variance / δ². */
export const differenceSize = (variance: number, effect: number, power: Power): number => {
  const [significance, strength] = quantiles(power)
  return ((significance + strength) ** 2 * variance) / effect ** 2
}

/** The smallest effect n units per arm show with the given power: (z + z) √(variance / n). */
export const smallestEffect = (variance: number, units: number, power: Power): number => {
  const [significance, strength] = quantiles(power)
  return (significance + strength) * Math.sqrt(variance / units)
}

/** Decided pairs to tell a win rate from ½: ((z_{1−α/2}/2 + z_{1−β} √(w(1−w))) / (w − ½))². */
export const duelSize = (winRate: number, power: Power): number => {
  const [significance, strength] = quantiles(power)
  const root = significance / 2 + strength * Math.sqrt(winRate * (1 - winRate))
  return (root / (winRate - 0.5)) ** 2
}

/** Tuning N* as a multiple of the fixed total at which the always-valid look for the planned power comes soonest. */
export const TUNING_FACTOR = 1.6

/**
 * n per arm at which the confidence sequence, tuned for `tunedFor` units of both arms, has excluded zero with the given
 * power: r(n) + z_{power} SE(n) = δ, by bisection. About 1.92 times the fixed n; half the experiments stop much earlier.
 */
export const alwaysValidSize = (
  variance: number,
  effect: number,
  tunedFor: number,
  { alpha, power }: Power,
): number => {
  const strength = normalQuantile(power)
  const reach = (perArm: number): number => {
    const estimate = { value: effect, variance: variance / perArm, units: 2 * perArm }
    const mixture = mixtureVariance(estimate, tunedFor, alpha)
    return (
      mixtureRadius(estimate.variance, mixture, alpha) + strength * Math.sqrt(estimate.variance)
    )
  }
  const goal = Math.abs(effect)
  let low = 0
  let high = 1
  while (reach(high) > goal) high *= 2
  for (let step = 0; step < 200 && high - low > 1e-12 * high; step++) {
    const middle = (low + high) / 2
    if (reach(middle) > goal) low = middle
    else high = middle
  }
  return high
}
