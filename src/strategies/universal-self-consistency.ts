/**
 * Universal self-consistency (Chen et al. 2023, arXiv:2311.17311): a model reads all samples and names the one that
 * agrees most with the others, which needs no answers that can be compared as strings. With `orders` 2 (a deviation) it
 * reads them forwards and backwards, and must name the same sample or the same answer; else the first sample stays, as
 * it does when the reply names none.
 */
import { Type } from 'typebox'
import type { StopReason } from '../core/event.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, type Events, type Refinement } from './compose.ts'
import { draftCost, roleInput, VERDICT_TOKENS } from './parts/cost.ts'
import { draftCall, sample } from './parts/draft.ts'
import { formOf } from './parts/forms.ts'
import * as options from './parts/options.ts'
import { select } from './parts/select.ts'

const OPTIONS = Type.Object(
  {
    n: options.samples(8),
    orders: options.integer({
      default: 1,
      minimum: 1,
      maximum: 2,
      description:
        'Orders in which the samples are read; with 2 the choice must be the same in both.',
    }),
  },
  { additionalProperties: false },
)

const FRAME_TOKENS = 16

export const universalSelfConsistency = defineStrategy({
  name: 'universal-self-consistency',
  description:
    'Several samples; a model reads them all and names the one that says what most of them agree on.',
  source: 'Chen et al. 2023, arXiv:2311.17311',
  feedback: 'vote',
  requires: [],
  options: OPTIONS,
  needs: () => ({ prompts: [{ role: 'judge', form: 'select' }] }),
  worstCase: (size, given) => {
    const { n, orders } = options.settle(OPTIONS, given)
    const input = roleInput(size, n) + n * FRAME_TOKENS
    return [
      draftCost(size, n),
      {
        role: 'judge',
        calls: orders,
        inputTokens: orders * input,
        outputTokens: orders * VERDICT_TOKENS,
      },
    ]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { n, orders } = options.settle(OPTIONS, given)
      formOf(context, 'judge', 'select')
      return {
        sampler: async function* (refinement: Refinement): Events<StopReason | undefined> {
          yield* sample(refinement, draftCall(refinement, n, 1, orders))
          return undefined
        },
        selector: async function* (refinement) {
          yield* select(refinement, refinement.pool.completed, orders)
          return undefined
        },
      }
    }),
})
