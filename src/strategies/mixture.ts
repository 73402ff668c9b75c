/**
 * Mixture of agents, MoA (Wang et al. 2024, arXiv:2406.04692; read in togethercomputer/MoA), and Self-MoA (Li et al.
 * 2025, arXiv:2502.00674): layers of proposals, each of which sees all of the layer before, and an aggregator that
 * writes the answer. With `proposers` the models named there write in turn; without any, all proposals come from the
 * run's own generator, which is Self-MoA. The aggregator is the refiner. Deviations: one layer of four proposals instead
 * of two to three of six; references are shuffled for each proposal; later layers of Self-MoA are written by the
 * refiner's model; proposals are drawn at 0.8 instead of 0.7 where the task names no temperature.
 */
import { Type } from 'typebox'
import type { RoleCost, StrategyContext } from '../core/strategy.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose } from './compose.ts'
import { draftCost } from './parts/cost.ts'
import { draftCall, sample } from './parts/draft.ts'
import { formIn, formOf } from './parts/forms.ts'
import { concludeFrom, nextLayer, proposeByAll, type Authors } from './parts/layers.ts'
import * as options from './parts/options.ts'
import { synthesisCost } from './parts/synthesis.ts'

const OPTIONS = Type.Object(
  {
    proposers: options.modelIds('Ids of the models that propose, in turn; empty: the generator.'),
    n: options.samples(4),
    layers: options.integer({
      default: 1,
      minimum: 1,
      maximum: 8,
      description: 'Layers of proposals before the answer.',
    }),
  },
  { additionalProperties: false },
)

const authorsOf = (
  context: StrategyContext,
  proposers: readonly string[],
  n: number,
  layers: number,
): Authors => {
  const models = proposers.map((id) => context.model(id))
  if (layers > 1) for (const { prompts } of models) formIn(prompts, 'synthesise')
  return Array.from({ length: n }, (_, place) => models[place % models.length])
}

/** The same bound, by the model that makes the calls. */
const spread = (
  bound: (calls: number) => RoleCost,
  proposers: readonly string[],
  n: number,
): RoleCost[] => {
  if (proposers.length === 0) return [bound(n)]
  return proposers.map((model, at) => {
    const calls = Math.floor(n / proposers.length) + (at < n % proposers.length ? 1 : 0)
    return { ...bound(calls), role: 'generator', model }
  })
}

export const mixture = defineStrategy({
  name: 'mixture',
  description:
    'Several models, or one several times, propose answers layer by layer; an aggregator writes the answer from them.',
  source: 'MoA, arXiv:2406.04692; Self-MoA, arXiv:2502.00674',
  feedback: 'model',
  requires: [],
  options: OPTIONS,
  needs: (given) => ({
    prompts: [{ role: 'refiner', form: 'synthesise' }],
    models: options.settle(OPTIONS, given).proposers.map((id, at) => ({
      id,
      pointer: `/options/proposers/${at}`,
    })),
  }),
  worstCase: (size, given) => {
    const { proposers, n, layers } = options.settle(OPTIONS, given)
    const later = Array.from({ length: layers - 1 }, () =>
      spread((calls) => synthesisCost(size, calls, n), proposers, n),
    )
    return [
      ...spread((calls) => draftCost(size, calls), proposers, n),
      ...later.flat(),
      synthesisCost(size, 1, n),
    ]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { proposers, n, layers } = options.settle(OPTIONS, given)
      formOf(context, 'refiner', 'synthesise')
      const authors = authorsOf(context, proposers, n, layers)
      let layer: readonly number[] = []
      return {
        rounds: layers,
        sampler: async function* (refinement) {
          if (proposers.length === 0) yield* sample(refinement, draftCall(refinement, n, 1, 1))
          else yield* proposeByAll(refinement, authors, 1)
          layer = refinement.pool.completed
          return undefined
        },
        updater: async function* (refinement, round) {
          if (round === layers) return yield* concludeFrom(refinement, layer, round)
          layer = yield* nextLayer(refinement, layer, authors, round)
          return undefined
        },
      }
    }),
})
