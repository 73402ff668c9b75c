/**
 * Selective instruction following: answers, or declines because it does not trust its answer (Self-J, Ye and Ng 2024,
 * arXiv:2409.00935). A declined run still gives its answer; its stop reason is `declined`, and the gate tells score and
 * threshold. An answer that nobody could score is declined too. Deviation: the paper's threshold was not found, and 5 is not
 * calibrated: `whetstone calibrate` chooses one by the risk and the coverage seen in logged runs. With n > 1 the best of n
 * is judged.
 */
import { Type } from 'typebox'
import type { StopReason } from '../core/event.ts'
import type { Scorer } from '../core/scorer.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, react, type Events, type Refinement } from './compose.ts'
import { draftCost, scoreCost } from './parts/cost.ts'
import { draftCall } from './parts/draft.ts'
import { sampleAndScore } from './parts/sample-and-score.ts'
import * as options from './parts/options.ts'
import { callsPerDraft, score, selectByScore } from './parts/score.ts'

const OPTIONS = Type.Object(
  {
    n: options.samples(1),
    scorer: options.scorer('judge'),
    threshold: options.number({
      default: 5,
      minimum: -1_000_000,
      maximum: 100,
      description:
        'Lowest score of an answer that is not declined, in the scorer’s own units: judge and rubric 0 to 9, rewards and execution 0 to 1, confidences 0 to 100, likelihood up to 0.',
    }),
  },
  { additionalProperties: false },
)

function* accept({ pool }: Refinement, scorer: Scorer, threshold: number) {
  const best = pool.score(pool.incumbent!, scorer.name) ?? null
  const isAccepted = best !== null && best >= threshold
  yield {
    type: 'gate.decided',
    gate: 'selective',
    outcome: isAccepted ? 'accepted' : 'declined',
    values: { score: best, threshold },
  } as const
  return isAccepted ? undefined : 'declined'
}

export const selective = defineStrategy({
  name: 'selective',
  description: 'Answers, or says that it does not trust its answer: declined below a threshold.',
  source: 'Self-J, Ye and Ng 2024, arXiv:2409.00935',
  feedback: 'reward',
  requires: [],
  options: OPTIONS,
  needs: (given) => ({ scorers: [options.settle(OPTIONS, given).scorer] }),
  worstCase: (size, given) => {
    const { n, scorer } = options.settle(OPTIONS, given)
    return [draftCost(size, n), scoreCost(size, scorer, n)]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { n, scorer: name, threshold = 5 } = options.settle(OPTIONS, given)
      const scorer = context.scorers.scorer(name)
      return {
        sampler: async function* (refinement): Events<StopReason | undefined> {
          const call = draftCall(refinement, n, callsPerDraft(scorer))
          const events = sampleAndScore(refinement, call, async function* (candidate) {
            yield* score(refinement, scorer, candidate)
          })
          return yield* react(refinement, events, selectByScore(refinement, scorer))
        },
        selector: async function* (refinement): Events<StopReason | undefined> {
          return yield* accept(refinement, scorer, threshold)
        },
      }
    }),
})
