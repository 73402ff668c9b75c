/**
 * Parallel thinking with message compaction: PaCoRe (2026, arXiv:2601.05593; `widths` [4], [16] and [32, 4] are its low,
 * medium and high) and PDR, parallel-distill-refine (Madaan et al. 2025, arXiv:2510.01123). Each round writes as many
 * answers as its width, all of which see the compacted answers of the round before in an order of their own; one last
 * answer is made of those of the last round. A width of 1 in every round is sequential refinement.
 *
 * Deviations: compaction keeps what stands behind the end of a model's thinking, as PaCoRe does, and is the whole text
 * for a model that does not mark its thinking; PDR's distilled workspace is not written. Untrained models tend to ignore
 * the references, says the report.
 */
import { Type } from 'typebox'
import { defineStrategy } from '../core/strategy.ts'
import { compose } from './compose.ts'
import { draftCost } from './parts/cost.ts'
import { draftCall, sample } from './parts/draft.ts'
import { formOf } from './parts/forms.ts'
import { concludeFrom, nextLayer, type Authors } from './parts/layers.ts'
import * as options from './parts/options.ts'
import { synthesisCost } from './parts/synthesis.ts'

const OPTIONS = Type.Object(
  {
    widths: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1, maximum: 64 }), {
        default: [4],
        minItems: 1,
        maxItems: 8,
        description: 'Answers written side by side in each round, before the last one.',
      }),
    ),
  },
  { additionalProperties: false },
)

const asMany = (width: number): Authors => Array.from({ length: width }, () => undefined)

export const parallelSynthesis = defineStrategy({
  name: 'parallel-synthesis',
  description:
    'Rounds of answers written side by side, each seeing the compacted answers of the round before; one last answer is made of them.',
  source: 'PaCoRe 2026, arXiv:2601.05593; PDR, Madaan et al. 2025, arXiv:2510.01123',
  feedback: 'self',
  requires: [],
  options: OPTIONS,
  needs: () => ({ prompts: [{ role: 'refiner', form: 'synthesise' }] }),
  worstCase: (size, given) => {
    const { widths } = options.settle(OPTIONS, given)
    const [first = 1, ...rest] = widths
    const later = [...rest, 1].map((width, round) => synthesisCost(size, width, widths[round]!))
    return [draftCost(size, first), ...later]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { widths } = options.settle(OPTIONS, given)
      formOf(context, 'refiner', 'synthesise')
      let layer: readonly number[] = []
      return {
        rounds: widths.length,
        sampler: async function* (refinement) {
          yield* sample(refinement, draftCall(refinement, widths[0]!))
          layer = refinement.pool.completed
          return undefined
        },
        updater: async function* (refinement, round) {
          const width = widths[round]
          if (width === undefined) return yield* concludeFrom(refinement, layer, round)
          layer = yield* nextLayer(refinement, layer, asMany(width), round)
          return undefined
        },
      }
    }),
})
