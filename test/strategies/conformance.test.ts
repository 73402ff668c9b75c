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
  'self-correct': [{}, { n: 3 }, { n: 1, selector: 'vote' }, { n: 3, selector: 'vote' }],
  progressive: [{}, { scorer: 'outcome-reward', threshold: 0.4 }, { rounds: 0 }],
  selective: [{}, { n: 3, threshold: 8 }],
  'self-check': [{ n: 4 }, { n: 1 }, { n: 3, critics: 3, certainty: 10 }],
  ensemble: [{}, { n: 3, models: ['one', 'two'], similarity: 'rouge-l' }],
  'verify-refine': [
    {},
    { improve: false, passes: 1 },
    { failures: 2, tolerate_gaps: true },
    { rounds: 0 },
  ],
  glore: [{}, { step_threshold: 0.4 }],
  rsa: [{ n: 4, k: 2, rounds: 2 }, { n: 1 }, { n: 3, k: 1 }],
  'parallel-synthesis': [
    {},
    { widths: [3, 2] },
    { widths: [3, 2], workspace: 64 },
    { widths: [1, 1, 1] },
  ],
  mixture: [{}, { proposers: ['one', 'two'], n: 3, layers: 2 }, { n: 2, layers: 3 }],
  compose: [
    {},
    {
      scorer: { kind: 'judge' },
      updater: { kind: 'rewrite', targets: 'all', critique: 'untargeted' },
      selector: { kind: 'weighted-vote' },
      stopper: { kind: 'stagnation', patience: 1 },
    },
    {
      sampler: { kind: 'models', models: ['one', 'two'], n: 3 },
      gate: { kind: 'agreement' },
      updater: { kind: 'aggregate', k: 2 },
      selector: { kind: 'universal' },
      stopper: { kind: 'near-copy' },
    },
    {
      gate: { kind: 'magicore', mean: 2, effective_answers: 1 },
      scorer: { kind: 'chain-reward' },
      updater: { kind: 'rewrite' },
      selector: { kind: 'best' },
    },
    {
      gate: { kind: 'self-check' },
      updater: { kind: 'rewrite', critique: 'none' },
      selector: { kind: 'knockout' },
      stopper: { kind: 'beta' },
    },
    {
      gate: { kind: 'difficulty' },
      updater: { kind: 'aggregate' },
      selector: { kind: 'league' },
      stopper: { kind: 'first-finished' },
    },
    {
      scorer: { kind: 'likelihood' },
      selector: { kind: 'consensus', similarity: 'rouge-l' },
      stopper: { kind: 'threshold', score: -1 },
    },
    {
      sampler: { kind: 'paraphrase', n: 3, paraphrases: 1 },
      scorer: { kind: 'execution' },
      updater: { kind: 'repair', targets: 'all' },
      selector: { kind: 'best' },
      stopper: { kind: 'marginal-gain' },
    },
    {
      sampler: { kind: 'guidelines', n: 3 },
      scorer: { kind: 'vote' },
      updater: { kind: 'tree', width: 2 },
      selector: { kind: 'best' },
      stopper: { kind: 'judge-halt' },
    },
    {
      sampler: { kind: 'iterative-deepening', n: 2, allowance: 8, max_tokens: 64 },
      scorer: { kind: 'league', opponents: 1 },
      updater: { kind: 'rewrite' },
      selector: { kind: 'weighted-vote' },
      stopper: { kind: 'passes', passes: 2 },
    },
    {
      sampler: { kind: 'power', n: 2, steps: 2 },
      scorer: { kind: 'token-confidence' },
      updater: { kind: 'repair', scope: 'local' },
      selector: { kind: 'best' },
      stopper: { kind: 'markov-gain', repair: 0.9, harm: 0 },
    },
    {
      sampler: { kind: 'plain', n: 6, batch: 2 },
      scorer: { kind: 'process-reward', aggregate: 'clipped' },
      selector: { kind: 'best' },
      stopper: { kind: 'reservation', cost: 0.2 },
    },
    {
      sampler: { kind: 'program', n: 3 },
      scorer: { kind: 'rubric', criteria: ['It is right.'] },
      updater: { kind: 'rewrite' },
      selector: { kind: 'best' },
      stopper: { kind: 'any', of: [{ kind: 'threshold', score: 8 }, { kind: 'stagnation' }] },
    },
    {
      sampler: { kind: 'plain', n: 5, batch: 2 },
      scorer: { kind: 'form' },
      updater: { kind: 'aggregate', k: 2 },
      selector: { kind: 'vote' },
      stopper: { kind: 'all', of: [{ kind: 'beta', confidence: 0.7 }, { kind: 'near-copy' }] },
    },
    {
      sampler: { kind: 'plain', n: 6 },
      scorer: { kind: 'token-confidence' },
      selector: { kind: 'weighted-vote' },
      stopper: {
        kind: 'any',
        of: [
          { kind: 'low-confidence', warmup: 2 },
          { kind: 'probe-agreement', chunk: 4, agree: 2 },
        ],
      },
    },
  ],
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

/** Strategies that are tried with the full set: the fake model names candidates as that set has it, by number. */
const FULL: readonly string[] = [
  'universal-self-consistency',
  'rsa',
  'parallel-synthesis',
  'mixture',
  'compose',
]

for (const strategy of STRATEGIES) {
  const prompts = FULL.includes(strategy.name) ? 'full' : 'compact'
  conform(strategy, VARIANTS[strategy.name] ?? [{}], prompts)
}
