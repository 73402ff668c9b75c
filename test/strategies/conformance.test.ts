import { STRATEGIES } from '../../src/strategies/index.ts'
import { conform } from './conformance.ts'

/** Options each strategy is run with; a strategy without an entry runs with its defaults. */
const VARIANTS: Readonly<Record<string, readonly Record<string, unknown>[]>> = {
  'self-refine': [
    {},
    { patience: 3, history: 2 },
    { scorer: 'pairwise' },
    { scorer: 'outcome-reward', threshold: 0.4, patience: 2 },
    { rounds: 0 },
  ],
  'best-of-n': [
    { n: 4 },
    { n: 1 },
    { n: 3, scorer: 'outcome-reward' },
    { n: 4, threshold: 5 },
    { n: 5, scorer: 'knockout' },
    { n: 4, scorer: 'league', comparisons: 1, opponents: 2 },
  ],
  'self-consistency': [
    {},
    { n: 1 },
    { n: 6, batch: 3, stop: 'window' },
    { n: 5, stop: 'none' },
    { n: 4, weights: 'judge' },
    { n: 4, weights: 'confidence' },
  ],
  'universal-self-consistency': [{ n: 4 }, { n: 1 }, { n: 3, orders: 2 }],
  'solver-reviewer-refiner': [
    { n: 4 },
    { n: 1 },
    { n: 4, effective_answers: 1, mean: 2 },
    { n: 3, effective_answers: 1, mean: 2, buckets: 1, rounds: 3 },
  ],
  'iterative-deepening': [
    { n: 2, allowance: 8, max_tokens: 64 },
    { n: 3, allowance: 4, growth: 1.5, selector: 'score' },
    { n: 1, triggers: 0 },
    { n: 3, selector: 'score', threshold: 5, scorer: 'outcome-reward' },
  ],
}

/** Strategies that ask what only the full prompt set can ask. */
const FULL: readonly string[] = ['universal-self-consistency']

for (const strategy of STRATEGIES) {
  const prompts = FULL.includes(strategy.name) ? 'full' : 'compact'
  conform(strategy, VARIANTS[strategy.name] ?? [{}], prompts)
}
