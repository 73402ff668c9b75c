/**
 * Solver, reviewer and refiner: MAgICoRe, multi-agent iteration for coarse-to-fine refinement (Chen et al. 2024,
 * arXiv:2409.12147; read in dinobby/MAgICoRe). Easy questions are answered by a weighted vote; only hard ones are
 * reviewed step by step and rewritten, and the rewrites compete with what they replace.
 *
 * Deviations, all because a server sees one question and no test set: μ and σ of the quality gate are fixed options
 * (cold start 1.0 and 0.5), not statistics of all questions; k = 8 and two rounds instead of 40 and 3; only the chains
 * of the `buckets` leading answers are reviewed, and those the reviewer finds right are not rewritten; a chain is
 * reviewed once; neither reviewer nor refiner is shown an example (theirs: one each). A missing reward counts as ½. The
 * gate asks exp(H) ≤ 3, which is the paper's 2(1 − σ(H)) ≥ 0.5.
 */
import { Type } from 'typebox'
import type { StopReason } from '../core/event.ts'
import { merge } from '../core/merge.ts'
import type { Critique } from '../core/prompts.ts'
import { defineStrategy } from '../core/strategy.ts'
import { effectiveAnswers } from '../core/vote.ts'
import { compose, react, type Events, type Refinement } from './compose.ts'
import { affordablePieces } from './parts/allowance.ts'
import { orOneEach, tally, vote } from './parts/ballot.ts'
import { isRated, outcomeOf, processOf, rate, rewardOf, stepsOf } from './parts/chain-reward.ts'
import { draftCost, refineCost, reviewCost, scoreCost } from './parts/cost.ts'
import { critique, isOutdated } from './parts/critique.ts'
import { draftCall } from './parts/draft.ts'
import { sampleAndScore } from './parts/sample-and-score.ts'
import * as options from './parts/options.ts'
import type { Pool } from './parts/pool.ts'
import { revise } from './parts/revise.ts'

const OPTIONS = Type.Object(
  {
    n: options.samples(8),
    rounds: options.rounds(2),
    effective_answers: options.number({
      default: 3,
      minimum: 1,
      maximum: 256,
      description: 'Gate: a vote with at most this many effective answers, exp(entropy), is easy.',
    }),
    mean: options.number({
      default: 1,
      minimum: 0,
      maximum: 2,
      description: 'Gate: reward of a chain, 0 to 2, that counts as average.',
    }),
    deviation: options.number({
      default: 0.5,
      minimum: 0.01,
      maximum: 2,
      description: 'Gate: standard deviation of the reward, for the z-score that is shown.',
    }),
    buckets: options.integer({
      default: 2,
      minimum: 1,
      maximum: 256,
      description: 'Leading answers whose chains are reviewed and rewritten.',
    }),
  },
  { additionalProperties: false },
)

interface Settings {
  readonly n: number
  readonly buckets: number
  readonly effective_answers: number
  readonly mean: number
  readonly deviation: number
}

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)

export interface Difficulty {
  readonly byOutcome: number
  readonly byProcess: number
  /** Mean over the chains of the most frequent answer of (reward − mean) / deviation. */
  readonly z: number
  readonly agrees: boolean
  readonly isGood: boolean
}

/** The numbers of the gate; chains without any answer have nothing to agree on, and without any weight one vote each. */
export const difficultyOf = (
  pool: Pool,
  chains: readonly number[],
  { effective_answers: limit, mean, deviation }: Omit<Settings, 'n' | 'buckets'>,
): Difficulty => {
  const [majority] = tally(pool, chains, () => 1)
  const effective = (weightOf: typeof outcomeOf): number => {
    const weighed = orOneEach(chains, (candidate) => weightOf(pool, candidate))
    return effectiveAnswers(tally(pool, chains, weighed))
  }
  const [byOutcome, byProcess] = [effective(outcomeOf), effective(processOf)]
  const rewards = (majority?.candidates ?? chains).map((candidate) => rewardOf(pool, candidate))
  const z = (average(rewards) - mean) / deviation
  const within = (effective: number): boolean => effective <= limit * (1 + 1e-12)
  const agrees = majority !== undefined && within(byOutcome) && within(byProcess)
  return { byOutcome, byProcess, z, agrees, isGood: z >= 0 }
}

/** A review, a rewrite and two scores. */
const CALLS_PER_REWRITE = 4

/** The state of one run: the chains that are in the vote, and what was said of them. */
class Refining {
  readonly #settings: Settings
  readonly #critiques = new Map<number, Critique>()
  #chains: readonly number[] = []

  constructor(settings: Settings) {
    this.#settings = settings
  }

  async *solve(refinement: Refinement): Events<StopReason | undefined> {
    const { context, pool } = refinement
    const call = draftCall(refinement, this.#settings.n, 3)
    const sampling = { top_p: 0.95, ...call.sampling }
    const events = sampleAndScore(refinement, { ...call, sampling }, (candidate) =>
      rate(refinement, context.scorers, candidate),
    )
    yield* react(refinement, events, function* (event) {
      if (event.type !== 'candidate.scored' || !isRated(pool, event.candidate)) return undefined
      const rated = pool.completed.filter((candidate) => isRated(pool, candidate))
      yield* vote(pool, rated, (candidate) => rewardOf(pool, candidate))
      return undefined
    })
    this.#chains = pool.completed
    return undefined
  }

  async *gate({ pool }: Refinement): Events<StopReason | undefined> {
    const settings = this.#settings
    const found = difficultyOf(pool, this.#chains, settings)
    yield {
      type: 'gate.decided',
      gate: 'difficulty',
      outcome: found.agrees || found.isGood ? 'easy' : 'hard',
      values: {
        effective_answers_by_outcome: found.byOutcome,
        effective_answers_by_process: found.byProcess,
        effective_answers_limit: settings.effective_answers,
        z: found.z,
      },
    }
    return found.agrees ? 'agreement' : found.isGood ? 'threshold' : undefined
  }

  async *refine(refinement: Refinement, round: number): Events<StopReason | undefined> {
    const { context, pool } = refinement
    const before = pool.size
    const { steering } = context
    this.#chains = this.#chains.filter((candidate) => !steering.isDropped(candidate))
    const targets = affordablePieces(context, this.#targets(pool), CALLS_PER_REWRITE)
    const chains = targets.map((parent) =>
      this.#rewrite(refinement, parent, round, context.random.seed()),
    )
    yield* merge(chains)
    const revised = pool.completed.filter((candidate) => candidate >= before)
    if (revised.length === 0) return 'no_improvement'
    this.#chains = [...this.#chains, ...revised]
      .toSorted((left, right) => rewardOf(pool, right) - rewardOf(pool, left))
      .slice(0, this.#settings.n)
    yield* vote(pool, this.#chains, (candidate) => rewardOf(pool, candidate))
    return undefined
  }

  /** The chains of the leading answers; without any answer, as many of the best chains. */
  #targets(pool: Pool): readonly number[] {
    const { buckets } = this.#settings
    const answers = tally(pool, this.#chains, (candidate) => rewardOf(pool, candidate))
    if (answers.length > 0) {
      return answers.slice(0, buckets).flatMap(({ candidates }) => candidates)
    }
    return this.#chains
      .toSorted((left, right) => rewardOf(pool, right) - rewardOf(pool, left))
      .slice(0, buckets)
  }

  async *#rewrite(refinement: Refinement, parent: number, round: number, seed: number): Events {
    const { context, pool } = refinement
    const known = this.#critiques.get(parent)
    const found =
      known !== undefined && !isOutdated(refinement, parent, known)
        ? known
        : yield* critique(refinement, parent, stepsOf(pool, parent))
    if (found === undefined) return
    this.#critiques.set(parent, found)
    if (found.verdict === 'right') return
    const revision = yield* revise(refinement, { parent, critique: found.text, round, seed })
    if (revision !== undefined) yield* rate(refinement, context.scorers, revision)
  }
}

export const solverReviewerRefiner = defineStrategy({
  name: 'solver-reviewer-refiner',
  description:
    'Several solutions vote; only when the vote is unsure are they reviewed step by step and rewritten, and all of them vote again.',
  source: 'MAgICoRe, Chen et al. 2024, arXiv:2409.12147',
  feedback: 'reward',
  requires: [],
  options: OPTIONS,
  worstCase: (size, given) => {
    const { n, rounds } = options.settle(OPTIONS, given)
    const solutions = n * (1 + rounds)
    return [
      draftCost(size, n),
      reviewCost(size, n * rounds),
      refineCost(size, n * rounds),
      scoreCost(size, 'outcome-reward', solutions),
      scoreCost(size, 'process-reward', solutions),
    ]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { rounds, ...settings } = options.settle(OPTIONS, given)
      const refining = new Refining(settings)
      return {
        rounds,
        sampler: (refinement) => refining.solve(refinement),
        gate: (refinement) => refining.gate(refinement),
        updater: (refinement, round) => refining.refine(refinement, round),
      }
    }),
})
