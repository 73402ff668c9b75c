/**
 * Best-arm identification with a stated confidence: Track-and-Stop (Garivier & Kaufmann, COLT 2016) for normal rewards
 * with unequal variances and a tolerance ε, in the form used by TensorZero.
 */

export interface ArmMoments {
  readonly mean: number
  /** Variance of a single reward. */
  readonly variance: number
  /** Rewards seen. */
  readonly count: number
}

export interface TrackAndStopOptions {
  /** An arm this close to the best is good enough, ≥ 0. */
  readonly epsilon: number
  /** Smallest share of an arm, below 1/K. */
  readonly floor: number
  /** Pull towards equal shares, divided by √(rewards seen), ≥ 0. */
  readonly regularization: number
}

export const TRACK_AND_STOP_DEFAULTS = {
  epsilon: 0,
  floor: 1e-6,
  regularization: 0.01,
} as const

const VARIANCE_FLOOR = 1e-12
const SQUARED_GAP_FLOOR = 1e-6
const STEPS = 100

/** The arm with the highest mean; of equals the one with the larger variance, which needs the traffic more. */
const leaderOf = (arms: readonly ArmMoments[]): number =>
  arms.reduce((best, arm, index) => {
    const { mean, variance } = arms[best]!
    return arm.mean > mean || (arm.mean === mean && arm.variance > variance) ? index : best
  }, 0)

/** argmin of a convex function on an interval, by golden sections. */
const minimise = (f: (x: number) => number, from: number, to: number): number => {
  const golden = (Math.sqrt(5) - 1) / 2
  let low = from
  let high = to
  for (let step = 0; step < STEPS && high - low > 1e-9 * Math.max(1, high); step++) {
    const left = high - golden * (high - low)
    const right = low + golden * (high - low)
    if (f(left) <= f(right)) high = right
    else low = left
  }
  return (low + high) / 2
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)

/** The point closest to equal shares with the given sum and lower bounds: max(lower, level), filled like water. */
const project = (lower: readonly number[], sum: number): number[] => {
  const descending = [...lower].sort((a, b) => b - a)
  let left = sum
  let level = 0
  for (const [index, bound] of descending.entries()) {
    level = left / (descending.length - index)
    if (level >= bound) break
    left -= bound
  }
  return lower.map((bound) => Math.max(bound, level))
}

interface Problem {
  readonly leaderVariance: number
  readonly others: readonly { readonly variance: number; readonly squaredGap: number }[]
  readonly floor: number
  readonly pull: number
}

interface Solution {
  readonly value: number
  readonly leader: number
  readonly others: readonly number[]
}

/** Least shares of the other arms when the leader has `leader` and no pair may need more than `time`. */
const lowerBounds = (problem: Problem, leader: number, time: number): number[] =>
  problem.others.map(({ variance, squaredGap }) => {
    const left = (time * squaredGap) / 2 - problem.leaderVariance / leader
    return left > 0 ? Math.max(problem.floor, variance / left) : Infinity
  })

/** Shares closest to equal ones within a time that suffices. */
const solveAt = (problem: Problem, leader: number, time: number): Solution => {
  const others = project(lowerBounds(problem, leader, time), 1 - leader)
  const equal = 1 / (others.length + 1)
  const distance = others.reduce((sum, w) => sum + (w - equal) ** 2, (leader - equal) ** 2)
  return { value: time + problem.pull * distance, leader, others }
}

/** Least time for a given share of the leader, by bisection: the lower bounds just fit. */
const leastTime = (problem: Problem, leader: number): number => {
  const fits = (time: number): boolean => total(lowerBounds(problem, leader, time)) <= 1 - leader
  let low = 0
  let high = 1
  while (!fits(high)) {
    low = high
    high *= 2
  }
  for (let step = 0; step < STEPS && high - low > 1e-15 * high; step++) {
    const middle = (low + high) / 2
    if (fits(middle)) high = middle
    else low = middle
  }
  return high
}

/** Best solution for a given share of the leader: along the time, the objective is convex. */
const solveLeader = (problem: Problem, leader: number): Solution => {
  const least = leastTime(problem, leader)
  const at = (time: number): Solution => solveAt(problem, leader, Math.max(time, least))
  if (problem.pull === 0) return at(least)
  return at(minimise((time) => at(time).value, least, least + problem.pull))
}

/**
 * Shares w that minimise max_i 2 (σ²_L/w_L + σ²ᵢ/wᵢ) / (μ_L − μᵢ + ε)² + reg/√t · ‖w − 1/K‖², w ≥ floor, Σ w = 1: the
 * traffic with which the leader is told from every other arm soonest. Convex; solved by nested line searches over the
 * leader's share and the time instead of a cone solver. They sum to 1.
 */
export const trackingShares = (
  arms: readonly ArmMoments[],
  options: TrackAndStopOptions,
): number[] => {
  const { epsilon, floor, regularization } = options
  const leader = leaderOf(arms)
  const count = total(arms.map((arm) => arm.count))
  const others = arms
    .filter((_, index) => index !== leader)
    .map(({ mean, variance }) => ({
      variance: Math.max(variance, VARIANCE_FLOOR),
      squaredGap: Math.max((arms[leader]!.mean - mean + epsilon) ** 2, SQUARED_GAP_FLOOR),
    }))
  const problem: Problem = {
    leaderVariance: Math.max(arms[leader]!.variance, VARIANCE_FLOOR),
    others,
    floor,
    pull: regularization / Math.sqrt(count),
  }
  // The ends themselves would leave the other arms without a share when the floor is zero.
  const most = 1 - Math.max(floor, 1e-9) * others.length
  const share = minimise((w) => solveLeader(problem, w).value, Math.max(floor, 1e-9), most)
  const solution = solveLeader(problem, share)
  const shares = [...solution.others]
  shares.splice(leader, 0, solution.leader)
  const sum = total(shares)
  return shares.map((w) => w / sum)
}

export interface StopCheck {
  readonly leader: number
  /** minᵢ (μ_L − μᵢ + ε)² / (2 (s²_L/n_L + s²ᵢ/nᵢ)), the generalised likelihood ratio. */
  readonly evidence: number
  /** ln((1 + ln t) / δ) with t rewards in all. */
  readonly threshold: number
  readonly stop: boolean
}

/** Whether the leader is within ε of the best arm with probability at least 1 − δ. */
export const checkStop = (
  arms: readonly ArmMoments[],
  epsilon: number,
  delta: number,
): StopCheck => {
  const leader = leaderOf(arms)
  const first = arms[leader]!
  const noise = ({ variance, count }: ArmMoments): number =>
    Math.max(variance, VARIANCE_FLOOR) / count
  const ratios = arms
    .filter((_, index) => index !== leader)
    .map((arm) => (first.mean - arm.mean + epsilon) ** 2 / (2 * (noise(first) + noise(arm))))
  const evidence = Math.min(...ratios)
  const rewards = total(arms.map(({ count }) => count))
  const threshold = Math.log((1 + Math.log(rewards)) / delta)
  return { leader, evidence, threshold, stop: evidence > threshold }
}
