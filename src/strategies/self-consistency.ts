/**
 * Self-consistency: the answer that most samples agree on (Wang et al. 2022, arXiv:2203.11171), drawn in batches until
 * the majority is sure enough: Adaptive-Consistency's Beta rule (Aggarwal et al. 2023, arXiv:2305.11860), or ESC's
 * unanimous window (Li et al. 2024, arXiv:2401.10480). Deviations: eight samples at most instead of 40, at 0.8 instead of
 * 0.7 where the task names no temperature; the window is a batch, four samples instead of five; the Beta rule is asked
 * after every sample although samples are drawn in batches, and what is still being written is cut off; both adaptive
 * rules also stop when no outstanding sample can change the majority. With `weights` the votes are weighted
 * (`parts/weights.ts`); the rules then ask for the numbers of votes, and stop only where numbers and weights name the same
 * answer.
 */
import { Type } from 'typebox'
import type { StopReason, StrategyEvent } from '../core/event.ts'
import { defineStrategy } from '../core/strategy.ts'
import type { AnswerWeight } from '../core/vote.ts'
import { compose, react, type Events, type Refinement, type Stage } from './compose.ts'
import { affordableSamples } from './parts/allowance.ts'
import { majorityProbability, vote } from './parts/ballot.ts'
import { draftCost, scoreCost } from './parts/cost.ts'
import { draftCall, sample, type SampleCall } from './parts/draft.ts'
import { sampleAndScore } from './parts/sample-and-score.ts'
import * as options from './parts/options.ts'
import { score } from './parts/score.ts'
import {
  createWeighing,
  scorerOf,
  weightNeeds,
  WEIGHTS,
  type Weighing,
  type Weights,
} from './parts/weights.ts'

const STOPS = ['beta', 'window', 'none'] as const

const OPTIONS = Type.Object(
  {
    n: options.samples(8),
    batch: options.integer({
      default: 4,
      minimum: 1,
      maximum: 256,
      description: 'Samples drawn at the same time, and the length of the window.',
    }),
    stop: Type.Optional(
      Type.Enum([...STOPS], {
        default: 'beta',
        description:
          'beta: when the leading answer is the majority with the given confidence; window: when a whole batch agrees; none: always draws all samples.',
      }),
    ),
    confidence: options.number({
      default: 0.95,
      minimum: 0.5,
      maximum: 1,
      description: 'Confidence in the majority at which `beta` stops; 1 never does.',
    }),
    weights: Type.Optional(
      Type.Enum([...WEIGHTS], {
        default: 'none',
        description:
          'What a vote counts: one each, the score of the sample, or how sure the model was of its own words.',
      }),
    ),
  },
  { additionalProperties: false },
)

interface Rule {
  readonly stop: (typeof STOPS)[number]
  readonly confidence: number
}

/** Whether the vote is decided with `outstanding` samples still to come. */
const isDecided = (
  answers: readonly AnswerWeight[],
  { stop, confidence }: Rule,
  outstanding: number,
): boolean => {
  const [first = 0, second = 0] = answers.map(({ weight }) => weight)
  if (stop === 'none' || first === 0 || outstanding === 0) return false
  if (first - second > outstanding) return true
  return stop === 'beta' && majorityProbability(first, second) >= confidence
}

const isUnanimous = ({ pool }: Refinement, since: number, samples: number): boolean => {
  const batch = pool.completed.filter((candidate) => candidate >= since)
  const answers = new Set(batch.map((candidate) => pool.answer(candidate)))
  return batch.length === samples && answers.size === 1 && !answers.has(undefined)
}

/** Counts the votes at each new weight; the rule asks numbers of votes, and that the weights name the same answer. */
const count = (
  { pool }: Refinement,
  weighing: Weighing,
  rule: Rule,
  outstanding: () => number,
): ((event: StrategyEvent) => Generator<StrategyEvent, StopReason | undefined, void>) =>
  function* (event) {
    if (!weighing.isDue(event)) return undefined
    const answers = yield* vote(pool, weighing.voters(), weighing.weightOf)
    const heads = answers
      .map((entry) => ({ ...entry, weight: entry.candidates.length }))
      .toSorted((left, right) => right.weight - left.weight)
    const agreed = heads[0]?.answer === answers[0]?.answer
    return agreed && isDecided(heads, rule, outstanding()) ? 'agreement' : undefined
  }

const draw = (refinement: Refinement, call: SampleCall, { scorer }: Weighing): Events<unknown> =>
  scorer === undefined
    ? sample(refinement, call)
    : sampleAndScore(refinement, call, async function* (candidate) {
        yield* score(refinement, scorer, candidate)
      })

const sampler = (n: number, batch: number, rule: Rule, weights: Weights): Stage =>
  async function* (refinement) {
    const { context, pool, task } = refinement
    const weighing = createWeighing(refinement, weights)
    const callsEach = weighing.scorer === undefined ? 1 : 2
    let drawn = 0
    let ended = 0
    let total = draftCall(refinement, n, callsEach).samples
    const outstanding = (): number =>
      total - (weighing.scorer === undefined ? ended + 1 : weighing.voters().length)
    while (drawn < total) {
      const since = pool.size
      const call = draftCall(refinement, n, callsEach)
      const samples = Math.min(batch, total - drawn)
      drawn += samples
      const likelihood = weights === 'confidence'
      const asked = { ...call, samples, likelihood, ended: () => void ended++ }
      const events = draw(refinement, asked, weighing)
      const stop = yield* react(refinement, events, count(refinement, weighing, rule, outstanding))
      if (stop !== undefined) return stop
      ended = drawn // a call that failed as a whole ended no sample by itself
      if (rule.stop === 'window' && drawn < total && isUnanimous(refinement, since, samples)) {
        return 'agreement'
      }
      const more = affordableSamples(context, call.messages, task.sampling, n, callsEach)
      total = Math.min(total, drawn + more)
    }
    if (pool.completed.every((candidate) => pool.answer(candidate) === undefined)) {
      const message = 'No sample has an answer to vote by; the first one is returned.'
      yield { type: 'warning', code: 'no_votes', message }
    }
    return undefined
  }

export const selfConsistency = defineStrategy({
  name: 'self-consistency',
  description:
    'Several samples vote by their final answers; sampling stops as soon as the majority is clear.',
  source: 'Wang et al. 2022, arXiv:2203.11171; stop rules: arXiv:2305.11860 and arXiv:2401.10480',
  feedback: 'vote',
  requires: [],
  options: OPTIONS,
  needs: (given) => weightNeeds(options.settle(OPTIONS, given).weights),
  worstCase: (size, given) => {
    const { n, weights } = options.settle(OPTIONS, given)
    const scorer = scorerOf(weights)
    return [draftCost(size, n), ...(scorer === undefined ? [] : [scoreCost(size, scorer, n)])]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { n, batch, stop, confidence, weights } = options.settle(OPTIONS, given)
      return { sampler: sampler(n, batch, { stop, confidence }, weights) }
    }),
})
