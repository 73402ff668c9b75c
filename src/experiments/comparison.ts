/** One metric of one arm, alone and against the control, with the method that fits the data. */
import {
  criticalNormal,
  difference,
  meanInterval,
  newcombeInterval,
  pooledTest,
  relativeLift,
  welchTest,
  wilsonInterval,
  type Interval,
} from './analysis.ts'
import { effectiveUnits, estimateOf, isOnePerUnit, proportion, type Estimate } from './estimate.ts'
import { exactDifference, exactDifferenceTest } from './exact-sequence.ts'
import type { Metric } from './experiment.ts'
import { quantileAsEstimate, readQuantile, type Sketch } from './quantile.ts'
import { anytime, type AnytimeResult, type Tuning } from './sequential.ts'
import type { Sums } from '../core/sums.ts'

/** What storage adds up for one arm and metric, over the units of one phase with reason `assigned`. */
export interface MetricData {
  /** Runs with a value. */
  readonly count: number
  readonly sums: Sums
  /** For metrics with a quantile. */
  readonly sketch?: Sketch
}

/** Below this many units per arm the central limit theorem is not relied on. */
export const ENOUGH_UNITS = 100
/** Nor with fewer successes or failures than this in an arm. */
const ENOUGH_EVENTS = 10

/** One arm's data with the estimate that is compared. */
export interface Measured {
  readonly data: MetricData
  readonly estimate: Estimate
  readonly isBinomial: boolean
}

/** The plain estimate of a metric; `adjusted` replaces it where CUPED applies. */
export const measure = (metric: Metric, data: MetricData, adjusted?: Estimate): Measured => {
  const { sums, sketch } = data
  const isBinomial =
    metric.type === 'boolean' && metric.denominator === undefined && isOnePerUnit(sums)
  if (metric.quantile !== undefined && sketch !== undefined) {
    const estimate = quantileAsEstimate(sketch, metric.quantile, effectiveUnits(sums))
    return { data, estimate, isBinomial: false }
  }
  if (adjusted !== undefined) return { data, estimate: adjusted, isBinomial: false }
  const estimate = isBinomial ? proportion(sums.total, sums.units) : estimateOf(sums)
  return { data, estimate, isBinomial }
}

const isFinite = (interval: Interval): boolean => interval.every(Number.isFinite)

/** Fixed-horizon interval of one arm: Wilson, Woodruff or Student. */
export const ownInterval = (metric: Metric, arm: Measured, alpha: number): Interval | null => {
  const { estimate, data, isBinomial } = arm
  if (isBinomial) {
    return estimate.units === 0 ? null : wilsonInterval(data.sums.total, estimate.units, alpha)
  }
  if (metric.quantile !== undefined && data.sketch !== undefined) {
    const effective = effectiveUnits(data.sums)
    const { interval } = readQuantile(data.sketch, metric.quantile, alpha, effective)
    return isFinite(interval) ? interval : null
  }
  return estimate.units > 1 && Number.isFinite(estimate.variance)
    ? meanInterval(estimate, alpha)
    : null
}

export interface FixedComparison {
  readonly interval: Interval
  readonly p: number
}

/** Fixed-horizon comparison: Newcombe and the pooled z test for proportions, else Welch. Null while it cannot be told. */
export const compareFixed = (
  control: Measured,
  arm: Measured,
  alpha: number,
): FixedComparison | null => {
  const change = difference(control.estimate, arm.estimate)
  if (!Number.isFinite(change.value) || !Number.isFinite(change.variance)) return null
  if (control.isBinomial && arm.isBinomial) {
    const interval = newcombeInterval(control.estimate, arm.estimate, alpha)
    return { interval, p: pooledTest(control.estimate, arm.estimate).p }
  }
  if (change.variance === 0) return null
  return welchTest(control.estimate, arm.estimate, alpha)
}

export interface AnytimeComparison extends AnytimeResult {
  readonly method: 'mixture' | 'exact'
}

/** Whether both are proportions of too few units or events for a normal approximation. */
export const isSparse = (control: Measured, arm: Measured): boolean =>
  [control, arm].every(({ isBinomial }) => isBinomial) &&
  [control, arm].some((each) => each.estimate.units < ENOUGH_UNITS || events(each) < ENOUGH_EVENTS)

/**
 * Confidence sequence of the change with the sign turned so that more is better, by exact martingales: also where
 * nothing ever failed, and there is no variance to go by. One-sided bounds at `alpha`.
 */
export const exactChange = (
  control: Measured,
  arm: Measured,
  direction: Metric['direction'],
  alpha: number,
): Interval => {
  const [first, second] = [control, arm].map(({ data: { sums } }) => ({
    successes: sums.total,
    units: sums.units,
  }))
  const [low, high] = exactDifference(first!, second!, 2 * alpha)
  return direction === 'up' ? [low, high] : [-high, -low]
}

const events = ({ data: { sums } }: Measured): number =>
  Math.min(sums.total, sums.units - sums.total)

/**
 * Anytime-valid comparison. Proportions use exact martingales until both arms have 100 units with ten events of
 * either kind, then the mixture sequence; other metrics have none before 100 units per arm, where the mixture sequence
 * is not trustworthy.
 */
export const compareAnytime = (
  control: Measured,
  arm: Measured,
  tuning: Tuning,
): AnytimeComparison | null => {
  const arms = [control, arm]
  const areEnough = arms.every(({ estimate }) => estimate.units >= ENOUGH_UNITS)
  if (arms.every(({ isBinomial }) => isBinomial)) {
    if (arms.some(({ estimate }) => estimate.units === 0)) return null
    if (!areEnough || arms.some((each) => events(each) < ENOUGH_EVENTS)) {
      const [first, second] = arms.map(({ data: { sums } }) => ({
        successes: sums.total,
        units: sums.units,
      }))
      const interval = exactDifference(first!, second!, tuning.alpha)
      return { interval, ...exactDifferenceTest(first!, second!), method: 'exact' }
    }
  }
  const change = difference(control.estimate, arm.estimate)
  if (!areEnough || !(change.variance > 0) || !Number.isFinite(change.variance)) return null
  return { ...anytime(change, tuning), method: 'mixture' }
}

export interface Lift {
  readonly value: number
  readonly interval: Interval | null
}

/** Relative difference; null of a control near zero, where its sign, or its size, would be a matter of chance. */
export const liftOf = (control: Estimate, arm: Estimate, alpha: number): Estimate | null => {
  if (!(Math.abs(control.value) > criticalNormal(alpha) * Math.sqrt(control.variance))) return null
  const lift = relativeLift(control, arm)
  return Number.isFinite(lift.value) ? lift : null
}

/** Relative difference with its confidence sequence; of a log metric the ratio of geometric means less 1. */
export const compareLift = (
  metric: Metric,
  control: Measured,
  arm: Measured,
  against: AnytimeComparison | null,
  tuning: Tuning,
): Lift | null => {
  if (metric.transform === 'log') {
    const change = difference(control.estimate, arm.estimate)
    if (!Number.isFinite(change.value)) return null
    const [low, high] = against?.interval ?? [-Infinity, Infinity]
    const interval: Interval = [Math.expm1(low), Math.expm1(high)]
    return { value: Math.expm1(change.value), interval: against === null ? null : interval }
  }
  const lift = liftOf(control.estimate, arm.estimate, tuning.alpha)
  if (lift === null) return null
  return {
    value: lift.value,
    interval: against?.method === 'mixture' ? anytime(lift, tuning).interval : null,
  }
}
