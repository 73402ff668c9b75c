/** How much the vote of a sample counts. */
import type { StrategyEvent } from '../../core/event.ts'
import type { Scorer, ScorerName } from '../../core/scorer.ts'
import type { Needs } from '../../core/strategy.ts'
import type { Refinement } from '../compose.ts'
import type { Pool } from './pool.ts'

export const WEIGHTS = ['none', 'judge', 'process-reward', 'outcome-reward', 'confidence'] as const
export type Weights = (typeof WEIGHTS)[number]

export const scorerOf = (weights: Weights): ScorerName | undefined =>
  weights === 'none' || weights === 'confidence' ? undefined : weights

export const weightNeeds = (weights: Weights): Needs => {
  const name = scorerOf(weights)
  return {
    ...(name === undefined ? {} : { scorers: [name] }),
    ...(weights === 'confidence' ? { capabilities: ['log_probabilities'] } : {}),
  }
}

export interface Weighing {
  readonly scorer: Scorer | undefined
  /** Whether the event gives one more candidate its weight. */
  isDue(event: StrategyEvent): boolean
  /** Candidates that have a weight. */
  voters(): readonly number[]
  readonly weightOf: (candidate: number) => number
}

const UNKNOWN = 0.5

const byScore = (pool: Pool, scorer: Scorer): Weighing => {
  const [lowest, highest] = scorer.range
  return {
    scorer,
    isDue: (event) => event.type === 'candidate.scored' && event.scorer === scorer.name,
    voters: () => pool.completed.filter((each) => pool.score(each, scorer.name) !== undefined),
    weightOf: (candidate) => {
      const value = pool.score(candidate, scorer.name)
      return typeof value === 'number' ? (value - lowest) / (highest - lowest) : UNKNOWN
    },
  }
}

/** How peaked the softmax over the samples of one question is. */
const SOFTMAX_TEMPERATURE = 0.5

/** Geometric mean of the probabilities of the tokens, in (0, 1]. */
const confidenceOf = (pool: Pool, candidate: number): number => {
  const { logProbability, tokens = 0 } = pool.draft(candidate)
  return logProbability === undefined ? UNKNOWN : Math.exp(logProbability / Math.max(1, tokens))
}

/**
 * The weight of a sample: its score as a share of the scorer's range; with `confidence` the softmax, over the samples
 * of the question, of how sure the model was of its tokens. That normalisation is CISC's (Taubenfeld et al. 2025,
 * arXiv:2502.06233), which asks the model for P(True) by another call instead. A missing score counts as one half.
 */
export const createWeighing = ({ pool, context }: Refinement, weights: Weights): Weighing => {
  const name = scorerOf(weights)
  if (name !== undefined) return byScore(pool, context.scorers.scorer(name))
  const peaked = (candidate: number): number =>
    Math.exp(confidenceOf(pool, candidate) / SOFTMAX_TEMPERATURE)
  const total = (): number => pool.completed.reduce((sum, each) => sum + peaked(each), 0)
  return {
    scorer: undefined,
    isDue: (event) => event.type === 'candidate.completed',
    voters: () => pool.completed,
    weightOf: weights === 'none' ? () => 1 : (candidate) => peaked(candidate) / total(),
  }
}
