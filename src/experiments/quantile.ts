/** Quantiles of latencies, tokens and costs, from counts per bucket that can be merged like sums. */
import type { Interval } from './analysis.ts'
import { binomialCdf, binomialQuantile } from './distributions/binomial.ts'
import type { Estimate } from './estimate.ts'

/** Ranks (from 1) of the order statistics that enclose the quantile, and how surely they do. */
export interface RankInterval {
  readonly low: number
  readonly high: number
  readonly coverage: number
}

/**
 * Distribution-free interval of the q-quantile of n values: the order statistics of rank qbinom(α/2) and
 * qbinom(1 − α/2) + 1 (Woodruff 1952). A rank of 0 or n + 1 means no bound on that side.
 */
export const quantileRanks = (n: number, q: number, alpha: number): RankInterval => {
  const low = binomialQuantile(alpha / 2, n, q)
  const high = binomialQuantile(1 - alpha / 2, n, q) + 1
  return { low, high, coverage: binomialCdf(high - 1, n, q) - binomialCdf(low - 1, n, q) }
}

/** Buckets of relative width 2 %: a value read back is off by at most 1 %. */
const BASE = 1.02
const LOG_BASE = Math.log(BASE)

/**
 * Counts of positive values by logarithmic bucket ⌈ln v / ln 1.02⌉ (DDSketch; Masson, Rim & Lee, VLDB 2019). Values
 * of zero or less are counted as zero. The keys are integers, as text where it went through JSON.
 */
export interface Sketch {
  readonly zeros: number
  readonly buckets: Readonly<Record<string, number>>
}

/** Number of the bucket of a positive value, for stores that count by bucket themselves. */
export const bucketOf = (value: number): number => Math.ceil(Math.log(value) / LOG_BASE)

export const sketchOf = (values: Iterable<number>): Sketch => {
  let zeros = 0
  const buckets: Record<string, number> = {}
  for (const value of values) {
    if (value > 0) buckets[bucketOf(value)] = (buckets[bucketOf(value)] ?? 0) + 1
    else zeros += 1
  }
  return { zeros, buckets }
}

const sizeOf = ({ zeros, buckets }: Sketch): number =>
  Object.values(buckets).reduce((sum, count) => sum + count, zeros)

/** The value of rank r (from 1) in ascending order. */
const valueAt = ({ zeros, buckets }: Sketch, rank: number): number => {
  let left = rank - zeros
  if (left <= 0) return 0
  const ascending = Object.keys(buckets)
    .map(Number)
    .sort((a, b) => a - b)
  for (const bucket of ascending) {
    left -= buckets[bucket]!
    if (left <= 0) return (2 * BASE ** bucket) / (BASE + 1)
  }
  return Infinity
}

export interface QuantileEstimate {
  readonly value: number
  /** Distribution-free, at the ranks of `quantileRanks`; a side without a bound is ±Infinity. */
  readonly interval: Interval
  readonly count: number
}

/**
 * The q-quantile of what the sketch counted; NaN when it is empty. `effective` says how many independent values it is
 * worth, where several of one unit tell less than as many units.
 */
export const readQuantile = (
  sketch: Sketch,
  q: number,
  alpha: number,
  effective = Infinity,
): QuantileEstimate => {
  const count = sizeOf(sketch)
  if (count === 0) return { value: Number.NaN, interval: [-Infinity, Infinity], count }
  const independent = Math.max(1, Math.min(count, Math.floor(effective)))
  const { low, high } = quantileRanks(independent, q, alpha)
  const at = (rank: number): number => valueAt(sketch, Math.ceil((rank * count) / independent))
  return {
    value: valueAt(sketch, Math.max(1, Math.ceil(q * count))),
    interval: [low < 1 ? -Infinity : at(low), high > independent ? Infinity : at(high)],
    count,
  }
}

const ONE_DEVIATION = 2 * (1 - 0.841_344_746_068_542_9)
/** Deviation of a value within its bucket, as a share of the value. */
const RESOLUTION = (2 * (BASE - 1)) / (BASE + 1) / Math.sqrt(12)

/**
 * The quantile as an estimate with a variance, so that arms can be compared: half the width of its interval of one
 * standard deviation (Woodruff), and what the bucket leaves open, which many values have in common. Its units are the
 * independent values.
 */
export const quantileAsEstimate = (sketch: Sketch, q: number, effective: number): Estimate => {
  const wide = readQuantile(sketch, q, 0.05, effective)
  const { interval } = readQuantile(sketch, q, ONE_DEVIATION, effective)
  const width = Number.isFinite(wide.interval[0]) ? interval[1] - interval[0] : Infinity
  const variance = (width / 2) ** 2 + (RESOLUTION * wide.value) ** 2
  return { value: wide.value, variance, units: Math.min(wide.count, Math.floor(effective)) }
}
