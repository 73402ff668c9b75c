/**
 * Parallel thinking with message compaction: PaCoRe (2026, arXiv:2601.05593; `widths` [4], [16] and [32, 4] are its low,
 * medium and high) and PDR, parallel-distill-refine (Madaan et al. 2025, arXiv:2510.01123). Each round writes as many
 * answers as its width, all of which see the compacted answers of the round before in an order of their own; one last
 * answer is made of those of the last round. A width of 1 in every round is sequential refinement.
 *
 * With `workspace` a round sees notes of bounded length that are distilled from the one before (`parts/workspace.ts`),
 * which is PDR; without it the answers themselves, behind the end of a model's thinking, which is PaCoRe's compaction.
 *
 * Deviations: for a model that does not mark its thinking the compacted answer is the whole text; the last answer is made
 * by the refiner's model and at the task's temperature instead of 1.0. Untrained models tend to ignore the references,
 * says the report.
 */
import { Type } from 'typebox'
import type { PromptForm } from '../core/prompts.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose } from './compose.ts'
import { draftCost } from './parts/cost.ts'
import { draftCall, sample } from './parts/draft.ts'
import { formOf } from './parts/forms.ts'
import { concludeFrom, nextLayer, type Authors } from './parts/layers.ts'
import * as options from './parts/options.ts'
import { synthesisCost } from './parts/synthesis.ts'
import { distil, distilCost } from './parts/workspace.ts'

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
    workspace: options.integer({
      default: 0,
      minimum: 0,
      maximum: 8192,
      description:
        'Tokens of the notes that a round is distilled into for the next one (PDR); 0: it sees the answers themselves.',
    }),
  },
  { additionalProperties: false },
)

/** Where no workspace comes about the answers are shown themselves, so that form is always needed. */
const formsOf = (workspace: number): readonly PromptForm[] =>
  workspace === 0 ? ['synthesise'] : ['synthesise', 'distil', 'solveFrom']

const asMany = (width: number): Authors => Array.from({ length: width }, () => undefined)

export const parallelSynthesis = defineStrategy({
  name: 'parallel-synthesis',
  description:
    'Rounds of answers written side by side, each seeing the compacted answers of the round before; one last answer is made of them.',
  source: 'PaCoRe 2026, arXiv:2601.05593; PDR, Madaan et al. 2025, arXiv:2510.01123',
  feedback: 'self',
  requires: [],
  options: OPTIONS,
  needs: (given) => ({
    prompts: formsOf(options.settle(OPTIONS, given).workspace).map((form) => ({
      role: 'refiner',
      form,
    })),
  }),
  worstCase: (size, given) => {
    const { widths, workspace } = options.settle(OPTIONS, given)
    const [first = 1, ...rest] = widths
    const later = [...rest, 1].map((width, round) => {
      const { inputTokens, ...bound } = synthesisCost(size, width, widths[round]!)
      return { ...bound, inputTokens: inputTokens + width * workspace }
    })
    const distilled = workspace === 0 ? [] : widths
    return [
      draftCost(size, first),
      ...later,
      ...distilled.map((width) => distilCost(size, width, workspace)),
    ]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { widths, workspace } = options.settle(OPTIONS, given)
      for (const form of formsOf(workspace)) formOf(context, 'refiner', form)
      let layer: readonly number[] = []
      return {
        rounds: widths.length,
        sampler: async function* (refinement) {
          const kept = workspace === 0 ? 1 : 2
          yield* sample(refinement, draftCall(refinement, widths[0]!, 1, kept))
          layer = refinement.pool.completed
          return undefined
        },
        updater: async function* (refinement, round) {
          const width = widths[round]
          const notes = workspace === 0 ? undefined : yield* distil(refinement, layer, workspace)
          if (width === undefined) return yield* concludeFrom(refinement, layer, round, notes)
          layer = yield* nextLayer(refinement, layer, asMany(width), round, notes)
          return undefined
        },
      }
    }),
})
