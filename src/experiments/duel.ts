/** Duels: two arms answer the same prompt and a blind judge compares, in both orders. */
import { signTest } from './distributions/binomial.ts'
import { logBeta } from './distributions/gamma.ts'
import { estimateOf, type Estimate } from './estimate.ts'
import { zTest, waldInterval, type Interval } from './analysis.ts'
import { anytime, type Tuning } from './sequential.ts'
import { NO_SUMS } from '../core/sums.ts'

/** What the judge said of one order of showing: which slot was better. */
export type Preference = 'first' | 'second' | 'tie'

/** Both orders together: an arm won both, the same slot won both, or anything else. */
export type Verdict = 'a' | 'b' | 'first' | 'second' | 'tie'

/** `aFirst` is the preference with A in the first slot, `bFirst` with B there. A win counts only in both orders. */
export const verdictOf = (aFirst: Preference, bFirst: Preference): Verdict => {
  if (aFirst === 'tie' || bFirst === 'tie') return 'tie'
  if (aFirst === bFirst) return aFirst
  return aFirst === 'first' ? 'a' : 'b'
}

/** Number of prompts by verdict. */
export type DuelCounts = Readonly<Record<Verdict, number>>

export const NO_DUELS: DuelCounts = { a: 0, b: 0, first: 0, second: 0, tie: 0 }

/** A's score per prompt (1, ½ or 0) as an estimate. */
const scoreOf = ({ a, b, first, second, tie }: DuelCounts): Estimate => {
  const units = a + b + first + second + tie
  const total = a + (units - a - b) / 2
  const totalTotal = a + (units - a - b) / 4
  return estimateOf({
    ...NO_SUMS,
    units,
    base: units,
    total,
    baseBase: units,
    totalTotal,
    baseTotal: total,
  })
}

/**
 * Anytime e-value against equally good arms: e = 2ⁿ B(W + 1, L + 1), the likelihood ratio of a uniform mixture against
 * ½, ties dropped. p = min(1, 1/e).
 */
export const duelEvidence = (
  wins: number,
  losses: number,
): { readonly logEvidence: number; readonly p: number } => {
  const logEvidence = (wins + losses) * Math.LN2 + logBeta(wins + 1, losses + 1)
  return { logEvidence, p: Math.min(1, Math.exp(-logEvidence)) }
}

export interface DuelSummary {
  readonly prompts: number
  /** Win rate of A with everything undecided as ½. */
  readonly score: number
  readonly standardError: number
  /** Fixed-horizon. */
  readonly interval: Interval
  readonly intervalAnytime: Interval
  /** z of score − ½. */
  readonly z: number
  /** Share of prompts with the same winner in both orders: how far the judge can be trusted. */
  readonly consistency: number
  /** Share decided for the first slot both times minus that for the second. */
  readonly positionLean: number
  /** Sign test of the decided prompts, for one look. */
  readonly pSign: number
  /** Always-valid. */
  readonly pAnytime: number
}

/** A rate is nowhere else, whatever a normal approximation says. */
const within = ([low, high]: Interval): Interval => [Math.max(0, low), Math.min(1, high)]

/** Summary of at least one duel; the interval tuned for `tunedFor` prompts. */
export const summariseDuels = (counts: DuelCounts, tuning: Tuning): DuelSummary => {
  const score = scoreOf(counts)
  const { a, b, first, second } = counts
  const { standardError, statistic } = zTest({ ...score, value: score.value - 0.5 })
  const certain: Interval = [0, 1]
  const isKnown = score.variance > 0 && Number.isFinite(score.variance)
  return {
    prompts: score.units,
    score: score.value,
    standardError,
    interval: isKnown ? within(waldInterval(score, tuning.alpha)) : certain,
    intervalAnytime: isKnown ? within(anytime(score, tuning).interval) : certain,
    z: isKnown ? statistic : 0,
    consistency: (a + b) / score.units,
    positionLean: (first - second) / score.units,
    pSign: signTest(a, a + b),
    pAnytime: duelEvidence(a, b).p,
  }
}
