/** One draft, returned as it is: the control arm of every experiment. */
import { Type } from 'typebox'
import { defineStrategy } from '../core/strategy.ts'
import { compose, type Refinement } from './compose.ts'
import { draftCost } from './parts/cost.ts'
import { draftCall, sample } from './parts/draft.ts'

export const single = defineStrategy({
  name: 'single',
  description: 'One draft, returned as it is. What every other strategy must beat.',
  source: 'baseline',
  feedback: 'none',
  requires: [],
  options: Type.Object({}, { additionalProperties: false }),
  worstCase: (size) => [draftCost(size, 1)],
  run: (task, _options, context) =>
    compose(task, context, () => ({
      sampler: async function* (refinement: Refinement) {
        yield* sample(refinement, draftCall(refinement, 1))
        return undefined
      },
    })),
})
