/**
 * GLoRe, global and local refinement (Havrilla et al. 2024, arXiv:2402.10963): a step reward finds where a draft goes
 * wrong first; a global refinement rewrites it all, a local one keeps what stands before that step; an outcome reward
 * chooses among the three.
 *
 * Deviations: the paper trains both refiners; here the refiner's prompt without a critique is the global one, and the
 * local one goes on from the kept steps as the generator, so that the mark of the bad step is the place of the cut. The
 * threshold of a bad step is not published (0.5 here). A draft without a bad step is kept: refining valid solutions is
 * how the method loses. The outcome of "when" is not asked, as the step rewards answer it. The draft is sampled at the
 * task's temperature instead of greedily; without step rewards the reviewer names the step.
 */
import { Type } from 'typebox'
import type { StopReason } from '../core/event.ts'
import { merge } from '../core/merge.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, react, type Events, type Refinement } from './compose.ts'
import { cost, draftCost, refineCost, reviewCost, scoreCost } from './parts/cost.ts'
import { critique } from './parts/critique.ts'
import { draftCall, sample } from './parts/draft.ts'
import { firstBadStep, regrow } from './parts/local-repair.ts'
import * as options from './parts/options.ts'
import { revise } from './parts/revise.ts'
import { score, selectByScore } from './parts/score.ts'

const OPTIONS = Type.Object(
  {
    step_threshold: options.number({
      default: 0.5,
      minimum: 0,
      maximum: 1,
      description: 'A step whose score is below this is bad.',
    }),
  },
  { additionalProperties: false },
)

/** By step scores where the models can give them, else by the reviewer, who names the first wrong step. */
async function* findBadStep(refinement: Refinement, threshold: number): Events<number | undefined> {
  const { context, pool } = refinement
  const draft = pool.incumbent!
  if (!context.scorers.has('process-reward')) {
    const found = yield* critique(refinement, draft)
    return found?.verdict === 'wrong' ? (found.step ?? 1) - 1 : undefined
  }
  const scorer = context.scorers.scorer('process-reward')
  yield* score(refinement, scorer, draft)
  return firstBadStep(pool.steps(draft, scorer.name) ?? [], threshold)
}

/** The first bad step of the draft, told as a gate; without one, or when nobody can tell, the run stops. */
async function* locate(refinement: Refinement, threshold: number): Events<number | undefined> {
  const step = yield* findBadStep(refinement, threshold)
  yield {
    type: 'gate.decided',
    gate: 'first-bad-step',
    outcome: step === undefined ? 'keep' : 'refine',
    values: { step: step === undefined ? null : step + 1, threshold },
  }
  return step
}

async function* refineBoth(refinement: Refinement, step: number): Events<StopReason | undefined> {
  const { context, pool } = refinement
  const draft = pool.incumbent!
  const scorer = context.scorers.scorer('outcome-reward')
  const [globalSeed, localSeed] = [context.random.seed(), context.random.seed()]
  async function* rate(candidate: number | undefined): Events {
    if (candidate !== undefined) yield* score(refinement, scorer, candidate)
  }
  async function* globally(): Events {
    const plan = { parent: draft, critique: undefined, round: 1, seed: globalSeed }
    yield* rate(yield* revise(refinement, plan))
  }
  async function* locally(): Events {
    yield* rate(yield* regrow(refinement, { parent: draft, step, round: 1, seed: localSeed }))
  }
  const events = merge([rate(draft), globally(), locally()])
  return yield* react(refinement, events, selectByScore(refinement, scorer))
}

export const glore = defineStrategy({
  name: 'glore',
  description:
    'Finds the first bad step of a draft, rewrites it as a whole and from that step on, and keeps the best of the three.',
  source: 'Havrilla et al. 2024, arXiv:2402.10963',
  feedback: 'reward',
  requires: ['assistant_continuation'],
  options: OPTIONS,
  // It goes on with half-written texts, which are no prefix of a call or of a whole JSON value.
  needs: () => ({ scorers: ['outcome-reward'], loses: ['tools', 'response_format'] }),
  worstCase: (size) => [
    draftCost(size, 1),
    cost('generator', 1, size.promptTokens + size.maxTokens, size.maxTokens),
    refineCost(size, 1),
    reviewCost(size, 1),
    scoreCost(size, 'process-reward', 1),
    scoreCost({ ...size, maxTokens: 2 * size.maxTokens }, 'outcome-reward', 3),
  ],
  run: (task, given, context) =>
    compose(task, context, () => {
      const { step_threshold: threshold } = options.settle(OPTIONS, given)
      let step: number | undefined
      return {
        rounds: 1,
        sampler: async function* (refinement) {
          yield* sample(refinement, draftCall(refinement, 1))
          return undefined
        },
        gate: async function* (refinement): Events<StopReason | undefined> {
          step = yield* locate(refinement, threshold)
          return step === undefined ? 'threshold' : undefined
        },
        updater: (refinement) => refineBoth(refinement, step!),
      }
    }),
})
