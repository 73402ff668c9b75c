/**
 * Progressive thought refinement, PTR (Du et al. 2024, arXiv:2410.13413): the model improves its previous answer round by
 * round, without any critique. Deviations: the paper serves a checkpoint trained for it and returns the last round, whose
 * accuracy fluctuates; here a round replaces the answer only when the scorer finds it better, while the next round goes
 * on from the last one as in the paper. It stops when a round hardly changes anything and not the answer, or comes back to
 * an earlier version.
 */
import { Type } from 'typebox'
import type { StopReason } from '../core/event.ts'
import type { Scorer } from '../core/scorer.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, type Events, type Refinement } from './compose.ts'
import { draftCost, refineCost, scoreCost } from './parts/cost.ts'
import { draftCall, sample } from './parts/draft.ts'
import * as options from './parts/options.ts'
import { revise } from './parts/revise.ts'
import { score } from './parts/score.ts'

const OPTIONS = Type.Object(
  {
    rounds: options.rounds(3),
    scorer: options.scorer('judge'),
    threshold: options.threshold(),
  },
  { additionalProperties: false },
)

async function* improve(
  refinement: Refinement,
  scorer: Scorer,
  threshold: number | undefined,
  round: number,
): Events<StopReason | undefined> {
  const { pool } = refinement
  const parent = pool.completed.at(-1)!
  if (round === 1) yield* score(refinement, scorer, parent)
  const best = pool.score(pool.incumbent!, scorer.name) ?? -Infinity
  if (threshold !== undefined && best >= threshold) return 'threshold'
  const revision = yield* revise(refinement, { parent, critique: undefined, round })
  if (revision === undefined) return 'no_improvement'
  const earlier = pool.completed.filter((candidate) => candidate < revision)
  if (earlier.some((candidate) => pool.resemble(candidate, revision))) return 'no_improvement'
  const value = yield* score(refinement, scorer, revision)
  yield* pool.promoteBest(scorer.name)
  return threshold !== undefined && value !== null && value >= threshold ? 'threshold' : undefined
}

export const progressive = defineStrategy({
  name: 'progressive',
  description: 'Improves its previous answer round by round, without a critique.',
  source: 'Progressive thought refinement, Du et al. 2024, arXiv:2410.13413',
  feedback: 'self',
  requires: [],
  options: OPTIONS,
  needs: (given) => ({ scorers: [options.settle(OPTIONS, given).scorer] }),
  worstCase: (size, given) => {
    const { rounds, scorer } = options.settle(OPTIONS, given)
    return [
      draftCost(size, 1),
      refineCost(size, rounds),
      scoreCost(size, scorer, rounds === 0 ? 0 : rounds + 1),
    ]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { rounds, scorer: name, threshold } = options.settle(OPTIONS, given)
      const scorer = context.scorers.scorer(name)
      return {
        rounds,
        sampler: async function* (refinement) {
          yield* sample(refinement, draftCall(refinement, 1))
          return undefined
        },
        updater: (refinement, round) => improve(refinement, scorer, threshold, round),
      }
    }),
})
