/**
 * Two turns: an answer, and a fixed instruction to find and mend a possible error in it, which is how a checkpoint trained
 * by SCoRe is served (Kumar et al. 2024, arXiv:2409.12917). With n > 1 several first answers are corrected once each:
 * its sequential way of inference scaling.
 *
 * Deviations: the second turn shows the answer as another author's; by default a correction replaces an answer only when
 * the scorer finds it better, since untuned models lose by correcting themselves (Huang et al. 2023). With `selector`
 * vote the corrected answers alone vote, as in the paper: for n = 1 the second turn is then the answer.
 */
import { Type } from 'typebox'
import { merge } from '../core/merge.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, react, type Events, type Refinement } from './compose.ts'
import { vote } from './parts/ballot.ts'
import { draftCost, refineCost, scoreCost } from './parts/cost.ts'
import { draftCall, sample } from './parts/draft.ts'
import * as options from './parts/options.ts'
import { revise } from './parts/revise.ts'
import { score, selectByScore } from './parts/score.ts'

const OPTIONS = Type.Object(
  {
    n: options.samples(1),
    selector: Type.Optional(
      Type.Enum(['score', 'vote'], {
        default: 'score',
        description: 'Best score among first and second answers, or a vote of the second ones.',
      }),
    ),
    scorer: options.scorer('judge'),
  },
  { additionalProperties: false },
)

/** All second turns side by side. */
async function* correct(
  refinement: Refinement,
  drafts: readonly number[],
  then: (candidate: number) => Events,
): Events {
  const { random } = refinement.context
  const turns = drafts.map(async function* (parent): Events {
    const seed = random.seed()
    const second = yield* revise(refinement, { parent, critique: undefined, round: 1, seed })
    if (second !== undefined) yield* then(second)
  })
  yield* merge(turns)
}

export const selfCorrect = defineStrategy({
  name: 'self-correct',
  description: 'A second turn looks for an error in the first answer and mends it.',
  source: 'SCoRe, Kumar et al. 2024, arXiv:2409.12917',
  feedback: 'self',
  requires: [],
  options: OPTIONS,
  needs: (given) => {
    const { selector, scorer } = options.settle(OPTIONS, given)
    return selector === 'score' ? { scorers: [scorer] } : {}
  },
  worstCase: (size, given) => {
    const { n, selector, scorer } = options.settle(OPTIONS, given)
    const scores = selector === 'score' ? [scoreCost(size, scorer, 2 * n)] : []
    return [draftCost(size, n), refineCost(size, n), ...scores]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { n, selector, scorer: name } = options.settle(OPTIONS, given)
      const scorer = selector === 'score' ? context.scorers.scorer(name) : undefined
      return {
        rounds: 1,
        sampler: async function* (refinement) {
          const callsEach = scorer === undefined ? 2 : 4
          yield* sample(refinement, draftCall(refinement, n, callsEach))
          return undefined
        },
        updater: async function* (refinement) {
          const { pool } = refinement
          const drafts = pool.completed
          async function* rate(candidate: number): Events {
            if (scorer !== undefined) yield* score(refinement, scorer, candidate)
          }
          if (scorer === undefined) {
            yield* correct(refinement, drafts, rate)
            const second = pool.completed.filter((each) => pool.role(each) === 'revision')
            const [leader] = yield* vote(pool, second, () => 1)
            const chosen = leader?.candidates[0] ?? second[0]
            if (chosen === undefined) return 'no_improvement'
            if (!second.includes(pool.incumbent!)) yield pool.promote(chosen, 'second turn', null)
            return undefined
          }
          const events = merge([...drafts.map(rate), correct(refinement, drafts, rate)])
          return yield* react(refinement, events, selectByScore(refinement, scorer))
        },
      }
    }),
})
