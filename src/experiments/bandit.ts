/**
 * Adaptive allocation: which share of the traffic each arm should get next. Every rule gives probabilities, so that the
 * propensity of each assignment is known and logged, and read-outs can be unbiased.
 */
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

export interface LoggedReward {
  readonly arm: number
  /** Probability with which this arm was chosen, > 0. */
  readonly propensity: number
  readonly reward: number
}

export interface UnbiasedMeans {
  /** Horvitz–Thompson: (1/T) Σ 1{arm} y / π. Unbiased. */
  readonly weighted: readonly number[]
  /** Hájek: the same divided by (1/T) Σ 1{arm} / π. Little bias, much less variance. */
  readonly normalised: readonly number[]
  /** Augmented: model + (1/T) Σ 1{arm} (y − model) / π. Unbiased whatever the model, which must not see this reward. */
  readonly augmented: readonly number[]
}

/** Sums behind the means; add them up over any partition of the log. */
export interface PropensitySums {
  readonly rounds: number
  /** Per arm: Σ y/π, Σ 1/π, Σ (y − m)/π. */
  readonly rewards: readonly number[]
  readonly weights: readonly number[]
  readonly residuals: readonly number[]
  /** Per arm: Σ m over all rounds, whichever arm was chosen. */
  readonly models: readonly number[]
}

/** One logged round; `model` predicts each arm's reward from earlier rounds only (zeros make AIPW equal to HT). */
export const propensitySums = (
  { arm, propensity, reward }: LoggedReward,
  model: readonly number[],
): PropensitySums => {
  const at = (value: number): number[] => model.map((_, index) => (index === arm ? value : 0))
  return {
    rounds: 1,
    rewards: at(reward / propensity),
    weights: at(1 / propensity),
    residuals: at((reward - model[arm]!) / propensity),
    models: model,
  }
}

export const mergePropensitySums = (a: PropensitySums, b: PropensitySums): PropensitySums => {
  const add = (x: readonly number[], y: readonly number[]): number[] =>
    x.map((value, arm) => value + y[arm]!)
  return {
    rounds: a.rounds + b.rounds,
    rewards: add(a.rewards, b.rewards),
    weights: add(a.weights, b.weights),
    residuals: add(a.residuals, b.residuals),
    models: add(a.models, b.models),
  }
}

/**
 * Means under adaptive allocation, where plain means are biased downwards. Standard errors come from `estimateOf` over
 * sums with weight 1/π.
 */
export const unbiasedMeans = (sums: PropensitySums): UnbiasedMeans => ({
  weighted: sums.rewards.map((reward) => reward / sums.rounds),
  normalised: sums.rewards.map((reward, arm) => reward / sums.weights[arm]!),
  augmented: sums.models.map((model, arm) => (model + sums.residuals[arm]!) / sums.rounds),
})
