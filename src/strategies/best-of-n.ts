/**
 * Best-of-N: n drafts, the one with the highest score wins. Selection by a scorer as in Cobbe et al. 2021
 * (arXiv:2110.14168); with the judge it is Self-J's best-of-N (`scoring/judge.ts`). Each draft is scored while the
 * others are still being written; with a threshold the first that reaches it ends the others.
 */
import { Type } from 'typebox'
import type { Scorer } from '../core/scorer.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, react, type Events, type Stage } from './compose.ts'
import { draftCost, scoreCost } from './parts/cost.ts'
import { draftCall, sampleAndScore } from './parts/draft.ts'
import * as options from './parts/options.ts'
import { score, selectByScore } from './parts/score.ts'

const OPTIONS = Type.Object(
  {
    n: options.samples(8),
    scorer: options.scorer('judge'),
    threshold: options.threshold(),
  },
  { additionalProperties: false },
)

const sampler = (n: number, scorer: Scorer, threshold: number | undefined): Stage =>
  async function* (refinement) {
    async function* rate(candidate: number): Events {
      yield* score(refinement, scorer, candidate)
    }
    const call = {
      ...draftCall(refinement, n, scorer.name === 'likelihood' ? 1 : 2),
      likelihood: scorer.name === 'likelihood',
    }
    const events = sampleAndScore(refinement, call, rate)
    return yield* react(refinement, events, selectByScore(refinement, scorer, threshold))
  }

export const bestOfN = defineStrategy({
  name: 'best-of-n',
  description:
    'Several drafts side by side; each is scored as soon as it is written, the best one is the answer.',
  source: 'Cobbe et al. 2021, arXiv:2110.14168, section 4; judge: Self-J, Ye and Ng 2024',
  feedback: 'reward',
  requires: [],
  options: OPTIONS,
  worstCase: (size, given) => {
    const { n, scorer } = options.settle(OPTIONS, given)
    return [draftCost(size, n), scoreCost(size, scorer, n)]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { n, scorer, threshold } = options.settle(OPTIONS, given)
      return {
        sampler: sampler(n, context.scorers.scorer(scorer), threshold),
      }
    }),
})
