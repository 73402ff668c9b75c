/**
 * Self-consistency: the answer that most samples agree on (Wang et al. 2022, arXiv:2203.11171), drawn in batches until
 * the majority is sure enough: Adaptive-Consistency's Beta rule (Aggarwal et al. 2023, arXiv:2305.11860), or ESC's
 * unanimous window (Li et al. 2024, arXiv:2401.10480). Deviations: the Beta rule is asked after every sample although
 * samples are drawn in batches, and what is still being written is cut off; both adaptive rules also stop when no
 * outstanding sample can change the majority.
 */
import { Type } from 'typebox'
import type { StopReason, StrategyEvent } from '../core/event.ts'
import { defineStrategy } from '../core/strategy.ts'
import type { AnswerWeight } from '../core/vote.ts'
import { compose, react, type Refinement, type Stage } from './compose.ts'
import { affordableSamples } from './parts/allowance.ts'
import { majorityProbability, vote } from './parts/ballot.ts'
import { draftCost } from './parts/cost.ts'
import { draftCall, sample } from './parts/draft.ts'
import * as options from './parts/options.ts'

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

const isUnanimous = ({ pool }: Refinement, since: number): boolean => {
  const batch = pool.completed.filter((candidate) => candidate >= since)
  const answers = new Set(batch.map((candidate) => pool.answer(candidate)))
  return batch.length > 0 && answers.size === 1 && !answers.has(undefined)
}

const onCompleted = (
  { pool }: Refinement,
  rule: Rule,
  outstanding: () => number,
): ((event: StrategyEvent) => Generator<StrategyEvent, StopReason | undefined, void>) =>
  function* (event) {
    if (event.type !== 'candidate.completed') return undefined
    const answers = yield* vote(pool, pool.completed, () => 1)
    return isDecided(answers, rule, outstanding()) ? 'agreement' : undefined
  }

const sampler = (n: number, batch: number, rule: Rule): Stage =>
  async function* (refinement) {
    const { context, pool, task } = refinement
    let drawn = 0
    let ended = 0
    let total = draftCall(refinement, n).samples
    while (drawn < total) {
      const since = pool.size
      const call = draftCall(refinement, n)
      const samples = Math.min(batch, total - drawn)
      drawn += samples
      const events = sample(refinement, { ...call, samples, ended: () => void ended++ })
      const decide = onCompleted(refinement, rule, () => total - ended - 1)
      const stop = yield* react(refinement, events, decide)
      if (stop !== undefined) return stop
      ended = drawn // a call that failed as a whole ended no sample by itself
      if (rule.stop === 'window' && drawn < total && isUnanimous(refinement, since)) {
        return 'agreement'
      }
      const more = affordableSamples(context, call.messages, task.sampling, n)
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
  worstCase: (size, given) => [draftCost(size, options.settle(OPTIONS, given).n)],
  run: (task, given, context) =>
    compose(task, context, () => {
      const { n, batch, stop, confidence } = options.settle(OPTIONS, given)
      return { sampler: sampler(n, batch, { stop, confidence }) }
    }),
})
