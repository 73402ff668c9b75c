/**
 * Self-check (CriticBench, Luo et al. 2023, arXiv:2310.04815): samples vote; where the vote is not certain, a critic
 * reads them, those it finds wrong lose their vote, and the rest vote again. A critique without a readable verdict counts
 * as right, as in the paper. Deviations: certainty is ln(votes of the first / votes of the second answer), infinite
 * where all agree; critics are not few-shot; where the critic rejects every sample the first vote holds. `critics` of
 * them read each sample, sampled at 0.6, and a majority of their verdicts decides; a single one answers at temperature 0.
 */
import { Type } from 'typebox'
import type { StopReason } from '../core/event.ts'
import { merge } from '../core/merge.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, type Events, type Refinement } from './compose.ts'
import { vote } from './parts/ballot.ts'
import { certaintyOf } from './parts/certainty.ts'
import { draftCost, reviewCost } from './parts/cost.ts'
import { review } from './parts/critique.ts'
import { draftCall, sample } from './parts/draft.ts'
import * as options from './parts/options.ts'

const OPTIONS = Type.Object(
  {
    n: options.samples(8),
    certainty: options.number({
      default: 1,
      minimum: 0,
      maximum: 10,
      description: 'Certainty of the vote, ln of first over second, from which nothing is checked.',
    }),
    critics: options.integer({
      default: 1,
      minimum: 1,
      maximum: 16,
      description: 'Critiques of each sample; a majority of their verdicts decides.',
    }),
  },
  { additionalProperties: false },
)

const CRITIC_TEMPERATURE = 0.6

/** Whether most critics find the sample wrong. */
async function* isRejected(
  refinement: Refinement,
  candidate: number,
  seeds: readonly number[],
): Events<boolean> {
  const verdicts = yield* merge(
    seeds.map(async function* (seed): Events<string | undefined> {
      const temperature = seeds.length > 1 ? CRITIC_TEMPERATURE : 0
      const found = yield* review(refinement, candidate, { voice: { temperature, seed } })
      return found?.verdict
    }),
  )
  return 2 * verdicts.filter((verdict) => verdict === 'wrong').length > seeds.length
}

async function* check(refinement: Refinement, critics: number): Events<StopReason | undefined> {
  const { context, pool } = refinement
  const samples = pool.completed
  const seeds = samples.map(() => Array.from({ length: critics }, () => context.random.seed()))
  const rejected = yield* merge(
    samples.map((candidate, at) => isRejected(refinement, candidate, seeds[at]!)),
  )
  const kept = samples.filter((_, at) => rejected[at] === false)
  if (kept.length > 0) yield* vote(pool, kept, () => 1)
  return undefined
}

export const selfCheck = defineStrategy({
  name: 'self-check',
  description:
    'Samples vote; when the vote is not certain, a critic takes the vote from those it finds wrong.',
  source: 'CriticBench, Luo et al. 2023, arXiv:2310.04815',
  feedback: 'self',
  requires: [],
  options: OPTIONS,
  worstCase: (size, given) => {
    const { n, critics } = options.settle(OPTIONS, given)
    return [draftCost(size, n), reviewCost(size, n * critics)]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { n, certainty, critics } = options.settle(OPTIONS, given)
      return {
        rounds: 1,
        sampler: async function* (refinement) {
          yield* sample(refinement, draftCall(refinement, n, 1 + critics))
          refinement.pool.requireCompleted()
          yield* vote(refinement.pool, refinement.pool.completed, () => 1)
          return undefined
        },
        gate: async function* ({ pool }): Events<StopReason | undefined> {
          const found = certaintyOf(pool, pool.completed)
          const isCertain = found >= certainty
          yield {
            type: 'gate.decided',
            gate: 'self-check',
            outcome: isCertain ? 'certain' : 'check',
            values: { certainty: Number.isFinite(found) ? found : null, limit: certainty },
          }
          return isCertain ? 'agreement' : undefined
        },
        updater: (refinement) => check(refinement, critics),
      }
    }),
})
