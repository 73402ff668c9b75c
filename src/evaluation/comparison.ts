/**
 * The analysis of experiments on a data set: every arm answers every item, so that arms are compared item by item, and
 * what makes an item hard falls out of the difference; a covariate such as its difficulty has nothing left to explain.
 * Wire data, hence snake_case.
 */
import { collect } from '../core/sums.ts'
import { meanInterval } from '../experiments/analysis.ts'
import { normalPosterior, readLift } from '../experiments/bayes.ts'
import { twoSidedStudent } from '../experiments/distributions/student-t.ts'
import { estimateOf, type Estimate } from '../experiments/estimate.ts'
import { nonInferiority, type NonInferiority } from '../experiments/guardrail.ts'
import { benjaminiHochberg, holm } from '../experiments/multiplicity.ts'
import { anytime } from '../experiments/sequential.ts'
import { groupBy, mean } from './grouping.ts'
import { tokensOf, type RunMeasure } from './measure.ts'

export interface ComparisonSettings {
  readonly baseline: string
  readonly alpha: number
  /** Items at which the intervals that hold at all looks are tightest. */
  readonly tunedFor: number
  /** How much less accurate an arm may be and still pass; null to ask nothing. */
  readonly margin: number | null
}

const METRICS = {
  correct: { direction: 'up', of: ({ last }: RunMeasure) => Number(last) },
  tokens: { direction: 'down', of: tokensOf },
  cost: { direction: 'down', of: ({ usage }: RunMeasure) => usage.cost },
  seconds: { direction: 'down', of: ({ usage }: RunMeasure) => usage.seconds },
} as const
export type ComparedMetric = keyof typeof METRICS

export interface PairedResult {
  readonly metric: ComparedMetric
  /** Mean of the arm, and of the baseline, over the items both have; null while there are none. */
  readonly mean: number | null
  readonly baseline: number | null
  readonly difference: number | null
  /** Student, for one look; null while there is no spread. */
  readonly interval: readonly [number, number] | null
  /** Holds however often the evaluation is looked at while it runs; items must come in no particular order. */
  readonly interval_anytime: readonly [number, number] | null
  /** Student, like the interval. */
  readonly p: number | null
  readonly p_anytime: number | null
  /** Of the fixed p: Holm over the arms for `correct`, Benjamini–Hochberg over all others, which only explore. */
  p_adjusted: number | null
  /** Bayesian, flat prior: that the arm is the better one, and what choosing it is expected to lose. */
  readonly chance_better: number | null
  readonly expected_loss: number | null
  readonly non_inferior: NonInferiority | null
  readonly better: boolean | null
}

export interface ArmComparison {
  readonly arm: string
  /** Items that both have answered. */
  readonly items: number
  readonly metrics: readonly PairedResult[]
  /** Cost of a right answer, of the arm and of the baseline; null without any. */
  readonly cost_per_correct: number | null
  readonly baseline_cost_per_correct: number | null
}

type Runs = readonly RunMeasure[]

interface Pair {
  readonly own: Runs
  readonly other: Runs
}

/** Below this many items a normal approximation at every look is not trusted. */
const ENOUGH_ITEMS = 30

const isKnown = ({ variance }: Estimate): boolean => variance > 0 && Number.isFinite(variance)

const readMetric = (
  metric: ComparedMetric,
  pairs: readonly Pair[],
  { alpha, tunedFor, margin }: ComparisonSettings,
): PairedResult => {
  const { of, direction } = METRICS[metric]
  const means = pairs.map(({ own, other }) => [mean(own.map(of)), mean(other.map(of))] as const)
  const change = estimateOf(collect(means.map(([own, other]) => ({ total: own - other, base: 1 }))))
  const sign = direction === 'up' ? 1 : -1
  const [isSpread, isThere] = [isKnown(change), pairs.length > 0]
  const df = pairs.length - 1
  const sequence =
    isSpread && pairs.length >= ENOUGH_ITEMS ? anytime(change, { tunedFor, alpha }) : null
  const gain = readLift(normalPosterior(sign * change.value, Math.sqrt(change.variance)), alpha)
  const slack = { ...change, value: change.value + (margin ?? 0) }
  return {
    metric,
    mean: isThere ? mean(means.map(([own]) => own)) : null,
    baseline: isThere ? mean(means.map(([, other]) => other)) : null,
    difference: isThere ? change.value : null,
    interval: isSpread ? meanInterval(change, alpha) : null,
    interval_anytime: sequence?.interval ?? null,
    p: isSpread ? twoSidedStudent(change.value / Math.sqrt(change.variance), df) : null,
    p_anytime: sequence?.p ?? null,
    p_adjusted: null,
    chance_better: isSpread ? gain.chanceToWin : null,
    expected_loss: isSpread ? gain.riskOfShipping : null,
    non_inferior:
      metric === 'correct' && margin !== null && isSpread
        ? nonInferiority(slack, { margin, alpha, df })
        : null,
    better: !isThere || change.value === 0 ? null : sign * change.value > 0,
  }
}

/** Items that both have, with all runs of each. */
const pairsOf = (own: Runs, other: Runs): Pair[] => {
  const others = groupBy(other, ({ item }) => item)
  return [...groupBy(own, ({ item }) => item)].flatMap(([item, runs]) => {
    const twins = others.get(item)
    return twins === undefined ? [] : [{ own: runs, other: twins }]
  })
}

const costPerCorrect = (runs: Runs): number | null => {
  const right = runs.filter(({ last }) => last).length
  return right === 0 ? null : runs.reduce((sum, { usage }) => sum + usage.cost, 0) / right
}

const adjust = (
  results: readonly PairedResult[],
  method: (ps: readonly number[]) => number[],
): void => {
  const known = results.filter(({ p }) => p !== null)
  const adjusted = method(known.map(({ p }) => p!))
  for (const [index, result] of known.entries()) result.p_adjusted = adjusted[index]!
}

/** Each arm against the baseline, in the order in which they appear. Pure. */
export const compareArms = (measures: Runs, settings: ComparisonSettings): ArmComparison[] => {
  const runs = groupBy(measures, ({ arm }) => arm)
  const baseline = runs.get(settings.baseline) ?? []
  const compared = [...runs]
    .filter(([arm]) => arm !== settings.baseline)
    .map(([arm, own]): ArmComparison => {
      const pairs = pairsOf(own, baseline)
      return {
        arm,
        items: pairs.length,
        metrics: (Object.keys(METRICS) as ComparedMetric[]).map((metric) =>
          readMetric(metric, pairs, settings),
        ),
        cost_per_correct: costPerCorrect(pairs.flatMap((pair) => pair.own)),
        baseline_cost_per_correct: costPerCorrect(pairs.flatMap(({ other }) => other)),
      }
    })
  const all = compared.flatMap(({ metrics }) => metrics)
  adjust(
    all.filter(({ metric }) => metric === 'correct'),
    holm,
  )
  adjust(
    all.filter(({ metric }) => metric !== 'correct'),
    benjaminiHochberg,
  )
  return compared
}
