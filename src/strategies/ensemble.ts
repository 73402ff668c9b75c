/**
 * Consensus among models or samples: the candidate that is most like all others wins (minimum Bayes risk with a
 * similarity of words, Kumar and Byrne 2004; consensus across models as in Ensemble-Instruct, Lee et al. 2023,
 * arXiv:2310.13961). Needs no answers that can be compared as strings and no further call. Deviation: similarity counts
 * the first 400 words.
 */
import { Type } from 'typebox'
import { defineStrategy } from '../core/strategy.ts'
import { compose } from './compose.ts'
import { consent } from './parts/consensus.ts'
import { draftCost } from './parts/cost.ts'
import { draftCall, sample } from './parts/draft.ts'
import { proposeByAll } from './parts/layers.ts'
import * as options from './parts/options.ts'

const OPTIONS = Type.Object(
  {
    models: options.modelIds('Ids of the models that answer, in turn; empty: the generator.'),
    n: options.integer({
      default: 4,
      minimum: 1,
      maximum: 32,
      description: 'Answers in all.',
    }),
    similarity: options.similarity(),
  },
  { additionalProperties: false },
)

export const ensemble = defineStrategy({
  name: 'ensemble',
  description: 'Answers of several models, or several of one; the one most like all others wins.',
  source: 'Minimum Bayes risk, Kumar and Byrne 2004; Ensemble-Instruct, arXiv:2310.13961',
  feedback: 'vote',
  requires: [],
  options: OPTIONS,
  needs: (given) => ({
    models: options.settle(OPTIONS, given).models.map((id, at) => ({
      id,
      pointer: `/options/models/${at}`,
    })),
  }),
  worstCase: (size, given) => {
    const { models, n } = options.settle(OPTIONS, given)
    if (models.length === 0) return [draftCost(size, n)]
    return models.map((model, at) => {
      const calls = Math.floor(n / models.length) + (at < n % models.length ? 1 : 0)
      return { ...draftCost(size, calls), model }
    })
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { models, n, similarity } = options.settle(OPTIONS, given)
      const named = models.map((id) => context.model(id))
      const authors = Array.from({ length: n }, (_, place) => named[place % named.length])
      return {
        sampler: async function* (refinement) {
          if (models.length === 0) yield* sample(refinement, draftCall(refinement, n))
          else yield* proposeByAll(refinement, authors)
          return undefined
        },
        selector: async function* ({ pool }) {
          yield* consent(pool, pool.completed, similarity)
          return undefined
        },
      }
    }),
})
