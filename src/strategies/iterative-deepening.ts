/**
 * Iterative deepening sampling, ID-sampling (Chen et al. 2025, arXiv:2502.05449): a response is written under a token
 * allowance that grows geometrically; whenever the allowance is used up or the model stops, a fixed sentence makes it
 * look again at what it wrote. n such responses, then best-of-n or a vote.
 *
 * The paper's γ, first allowance and wording are not public; ours are γ = 2, 512 tokens and `RolePrompts.reflection`.
 * Deviations: at most `triggers` reflections (long loops of "wait" do harm, Muennighoff et al. 2025, s1); a response
 * ends when two stages in a row give the same answer, and when the budget does not allow another stage. One that runs out
 * of its last allowance is made to say its answer (`parts/forced-answer.ts`).
 */
import { Type } from 'typebox'
import { defineStrategy } from '../core/strategy.ts'
import { merge } from '../core/merge.ts'
import { compose, react, type Events, type Refinement, type Stage } from './compose.ts'
import { affordableSamples } from './parts/allowance.ts'
import { vote } from './parts/ballot.ts'
import { scoreCost } from './parts/cost.ts'
import { Deepening, type Schedule } from './parts/deepening.ts'
import * as options from './parts/options.ts'
import { chainCost, deepened, SCHEDULE_OPTIONS, scheduleOf } from './parts/schedule.ts'
import { score, selectByScore } from './parts/score.ts'
import type { Scorer } from '../core/scorer.ts'

const OPTIONS = Type.Object(
  {
    n: options.samples(4),
    ...SCHEDULE_OPTIONS,
    selector: Type.Optional(
      Type.Enum(['vote', 'score'], {
        default: 'vote',
        description: 'How the answer is chosen from the responses.',
      }),
    ),
    scorer: options.scorer('judge'),
    threshold: options.threshold(),
  },
  { additionalProperties: false },
)

/** n responses side by side, each with the seeds of its stages drawn beforehand. */
const chains = (
  refinement: Refinement,
  n: number,
  schedule: Schedule,
  scorer: Scorer | undefined,
): Events[] => {
  const { context, task } = refinement
  const messages = context.prompts.generator.solve(task)
  const first = { max_tokens: schedule.allowance }
  const callsEach = scorer === undefined ? 1 : 2
  const samples = affordableSamples(context, messages, first, n, callsEach)
  return Array.from({ length: samples }, () => {
    const seeds = Array.from({ length: schedule.triggers + 1 }, () => context.random.seed())
    const deepening = new Deepening(refinement, messages, schedule, seeds, n)
    return (async function* () {
      const candidate = yield* deepening.write()
      if (candidate !== undefined && scorer !== undefined) {
        yield* score(refinement, scorer, candidate)
      }
    })()
  })
}

const sampler = (
  n: number,
  schedule: Schedule,
  scorer: Scorer | undefined,
  threshold: number | undefined,
): Stage =>
  async function* (refinement) {
    const { pool } = refinement
    const events = merge(chains(refinement, n, schedule, scorer))
    if (scorer !== undefined) {
      return yield* react(refinement, events, selectByScore(refinement, scorer, threshold))
    }
    return yield* react(refinement, events, function* (event) {
      if (event.type === 'candidate.completed' && n > 1) yield* vote(pool, pool.completed, () => 1)
      return undefined
    })
  }

export const iterativeDeepening = defineStrategy({
  name: 'iterative-deepening',
  description:
    'Responses that are made to look again at what they wrote, with more room each time; a vote or a scorer chooses among them.',
  source: 'ID-sampling, Chen et al. 2025, arXiv:2502.05449',
  feedback: 'self',
  requires: ['assistant_continuation'],
  options: OPTIONS,
  needs: (given) => {
    const { selector, scorer } = options.settle(OPTIONS, given)
    return {
      ...(selector === 'score' ? { scorers: [scorer] } : {}),
      loses: ['tools', 'response_format'], // reflections stand in the middle of the answer
    }
  },
  worstCase: (size, given) => {
    const { n, triggers, max_tokens, selector, scorer } = options.settle(OPTIONS, given)
    const drafts = chainCost(size, n, triggers, max_tokens)
    const scored = deepened(size, triggers, max_tokens)
    return selector === 'score' ? [drafts, scoreCost(scored, scorer, n)] : [drafts]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const settled = options.settle(OPTIONS, given)
      const { n, max_tokens, selector, scorer, threshold } = settled
      const schedule = scheduleOf(settled, [max_tokens, task.sampling.max_tokens])
      const rater = selector === 'score' ? context.scorers.scorer(scorer) : undefined
      return { sampler: sampler(n, schedule, rater, threshold) }
    }),
})
