/** Confidence intervals for shares and for paired differences of shares; all at 95 %. */
import { createRandom } from '../../core/random.ts'
import { normalSurvival } from '../../experiments/distributions/normal.ts'
import { studentQuantile } from '../../experiments/distributions/student-t.ts'

export interface Interval {
  readonly low: number
  readonly high: number
}

/** Two-sided 95 % point of the normal distribution. */
const Z = 1.959963984540054

/**
 * Wilson's score interval of a share (Wilson 1927). `trials` may be a fraction: an effective sample size.
 * Without trials nothing is known: [0, 1].
 */
export const wilson = (successes: number, trials: number): Interval => {
  if (trials <= 0) return { low: 0, high: 1 }
  const share = successes / trials
  const spread = Z ** 2 / trials
  const centre = (share + spread / 2) / (1 + spread)
  const half =
    (Z * Math.sqrt((share * (1 - share)) / trials + spread / (4 * trials))) / (1 + spread)
  return {
    low: successes <= 0 ? 0 : Math.max(0, centre - half),
    high: successes >= trials ? 1 : Math.min(1, centre + half),
  }
}

/** Runs of one item, which share its difficulty and so tell less than as many runs of different items. */
export interface Cluster {
  readonly right: number
  readonly runs: number
}

/**
 * Wilson's interval with the effective sample size (runs divided by the design effect) of a ratio estimator over
 * clusters, held between the number of clusters and the number of runs (Korn & Graubard 1998); the number of clusters
 * where all runs are right or all wrong, which tells nothing of the spread. With one run an item it is the plain interval.
 */
export const clusteredWilson = (clusters: readonly Cluster[]): Interval => {
  const runs = clusters.reduce((sum, cluster) => sum + cluster.runs, 0)
  const right = clusters.reduce((sum, cluster) => sum + cluster.right, 0)
  if (runs === 0) return wilson(0, 0)
  const count = clusters.length
  const share = right / runs
  const squares = clusters.reduce(
    (sum, cluster) => sum + (cluster.right - share * cluster.runs) ** 2,
    0,
  )
  const variance = count > 1 ? (count / (count - 1)) * (squares / runs ** 2) : 0
  const isMixed = share > 0 && share < 1
  const effective = isMixed ? (share * (1 - share)) / variance : count
  const trials = Math.min(runs, Math.max(count, effective))
  return wilson(share * trials, trials)
}

/** Pairs by whether the first and the second of them were right. */
export interface PairedTable {
  readonly both: number
  readonly firstOnly: number
  readonly secondOnly: number
  readonly neither: number
}

/** Newcombe's correlation of the pairs, with his continuity correction where it is positive; 0 at an empty margin. */
const correlation = ({ both, firstOnly, secondOnly, neither }: PairedTable): number => {
  const total = both + firstOnly + secondOnly + neither
  const margins =
    (both + firstOnly) * (secondOnly + neither) * (both + secondOnly) * (firstOnly + neither)
  if (margins === 0) return 0
  const product = both * neither - firstOnly * secondOnly
  const corrected = product > 0 ? Math.max(0, product - total / 2) : product
  return corrected / Math.sqrt(margins)
}

/**
 * Interval of (share of the first − share of the second) over the same items: the square-and-add method for pairs,
 * method 10 of Newcombe 1998 (Statistics in Medicine 17, 2635–2650).
 */
export const newcombePaired = (table: PairedTable): Interval => {
  const total = table.both + table.firstOnly + table.secondOnly + table.neither
  if (total === 0) return { low: -1, high: 1 }
  const successes = [table.both + table.firstOnly, table.both + table.secondOnly] as const
  const [first, second] = [successes[0] / total, successes[1] / total]
  const [one, two] = [wilson(successes[0], total), wilson(successes[1], total)]
  const phi = correlation(table)
  const span = (below: number, above: number): number =>
    Math.sqrt(Math.max(0, below ** 2 - 2 * phi * below * above + above ** 2))
  return {
    low: first - second - span(first - one.low, two.high - second),
    high: first - second + span(second - two.low, one.high - first),
  }
}

/** What one item adds to a mean over runs. */
export interface Share {
  readonly sum: number
  readonly runs: number
}

/** What is cut off at either end: 2.5 % of many items, less of few, by which percentiles are too narrow (Hesterberg 2015). */
const tailOf = (items: number): number =>
  items < 2 ? 0 : normalSurvival(Math.sqrt(items / (items - 1)) * studentQuantile(0.975, items - 1))

/**
 * Expanded percentile interval of Σ sum / Σ runs over items drawn with replacement (Efron 1979); the same seed, the same
 * interval.
 */
export const bootstrap = (items: readonly Share[], seed: number, resamples = 2000): Interval => {
  if (items.length === 0) return { low: -1, high: 1 }
  const random = createRandom(seed)
  const means = Array.from({ length: resamples }, () => {
    let [sum, runs] = [0, 0]
    for (let draw = 0; draw < items.length; draw++) {
      const item = items[random.integer(items.length)]!
      sum += item.sum
      runs += item.runs
    }
    return sum / runs
  }).toSorted((left, right) => left - right)
  const tail = tailOf(items.length)
  return { low: quantile(means, tail), high: quantile(means, 1 - tail) }
}

/** Quantile of sorted values by linear interpolation (Hyndman & Fan type 7); NaN of none. */
export const quantile = (sorted: readonly number[], share: number): number => {
  if (sorted.length === 0) return Number.NaN
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)]!
  return below + (sorted[Math.ceil(position)]! - below) * (position - Math.floor(position))
}
