/**
 * Adaptive allocation: which share of the traffic each arm should get next. Every rule gives probabilities, so that the
 * propensity of each assignment is known and logged, and read-outs can be unbiased.
 */
import type { Sums } from '../core/sums.ts'
import { probabilityBest, type Posterior } from './bayes.ts'

/** p = f + (1 − K f) P(best): Thompson sampling as allocation, no arm below the floor f < 1/K. */
export const thompson = (best: readonly number[], floor: number): number[] =>
  best.map((share) => floor + (1 - best.length * floor) * share)

/**
 * Top-two Thompson sampling (Russo, COLT 2016): ψᵢ = αᵢ [β + (1 − β) Σ_{j≠i} αⱼ / (1 − αⱼ)], where α is P(best): with
 * probability β the best of a draw, else the best of a redraw in which another arm wins.
 */
export const topTwo = (best: readonly number[], beta = 0.5): number[] => {
  // Sums of the others in place of differences from the whole: near certainty a difference has no digits left.
  const others = (values: readonly number[], arm: number): number =>
    values.reduce((sum, value, index) => (index === arm ? sum : sum + value), 0)
  const certain = best.findIndex((_, arm) => others(best, arm) === 0)
  if (certain >= 0) {
    const rest = (1 - beta) / (best.length - 1)
    return best.map((_, arm) => (arm === certain ? beta : rest))
  }
  const odds = best.map((share, arm) => share / others(best, arm))
  return best.map((share, arm) => share * (beta + (1 - beta) * others(odds, arm)))
}

export interface BanditRule {
  readonly type: 'thompson' | 'top_two'
  readonly floor: number
  readonly direction: 'up' | 'down'
}

/** Shares of the arms from their posteriors; they sum to 1. */
export const allocate = (arms: readonly Posterior[], rule: BanditRule): number[] => {
  const best = probabilityBest(arms, rule.direction)
  return thompson(rule.type === 'thompson' ? best : topTwo(best), rule.floor)
}

/**
 * Horvitz–Thompson mean of an arm under adaptive allocation: Σ y/π over its units, of all rounds. Unbiased where the
 * plain mean is too low, but noisy; Hájek's, `estimateOf` over sums with weight 1/π, has a little bias and less noise.
 */
export const horvitzThompson = ({ total }: Sums, rounds: number): number => total / rounds
