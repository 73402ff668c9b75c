/** Which share of the units each arm gets next, and which arm is best by now, from what is known of the arms. */
import { allocate } from './bandit.ts'
import { normalPosterior } from './bayes.ts'
import { estimateOf, type Estimate } from './estimate.ts'
import type { Arm, Experiment, Metric } from './experiment.ts'
import type { ArmData } from './results.ts'
import type { BestArm } from './results-schema.ts'
import {
  checkStop,
  TRACK_AND_STOP_DEFAULTS,
  trackingShares,
  type ArmMoments,
} from './track-and-stop.ts'

/** The first primary metric decides, the first of all if none is primary. */
const metricOf = ({ metrics }: Experiment): Metric =>
  metrics.find(({ primary }) => primary === true) ?? metrics[0]!

/** What there is to choose from. */
const runningOf = ({ arms }: Experiment): Arm[] => arms.filter(({ killed }) => killed === undefined)

/** In the order of the arms; undefined until each of them has the units and the spread that an estimate needs. */
const estimatesOf = (
  experiment: Experiment,
  arms: readonly Arm[],
  data: readonly ArmData[],
): readonly Estimate[] | undefined => {
  const { allocation } = experiment
  const { name: metric } = metricOf(experiment)
  const estimates = arms.flatMap(({ name }) => {
    const own = data.find((arm) => arm.name === name)
    const sums = own?.metrics[metric]?.sums
    if (sums === undefined || own!.exposures < allocation.minimum_units) return []
    const estimate = estimateOf(sums)
    return estimate.variance > 0 && Number.isFinite(estimate.variance) ? [estimate] : []
  })
  return estimates.length < arms.length ? undefined : estimates
}

/** Turned so that more is better. */
const momentsOf = (experiment: Experiment, estimates: readonly Estimate[]): ArmMoments[] => {
  const sign = metricOf(experiment).direction === 'up' ? 1 : -1
  return estimates.map(({ value, variance, units }) => ({
    mean: sign * value,
    variance: variance * units,
    count: units,
  }))
}

/** Shares of arms of which so much is known. */
const sharesAmong = (
  experiment: Experiment,
  type: Exclude<Experiment['allocation']['type'], 'fixed'>,
  estimates: readonly Estimate[],
): number[] => {
  const { floor } = experiment.allocation
  if (type === 'track_and_stop') {
    const moments = momentsOf(experiment, estimates)
    return trackingShares(moments, { ...TRACK_AND_STOP_DEFAULTS, floor })
  }
  const posteriors = estimates.map(({ value, variance }) =>
    normalPosterior(value, Math.sqrt(variance)),
  )
  return allocate(posteriors, { type, floor, direction: metricOf(experiment).direction })
}

/**
 * Shares in the order of the arms, none for those that are switched off; undefined where the weights stand: under a fixed
 * split, where there is no choice, and until enough is known.
 */
export const sharesOf = (
  experiment: Experiment,
  data: readonly ArmData[],
): number[] | undefined => {
  const { type } = experiment.allocation
  const running = runningOf(experiment)
  if (type === 'fixed' || running.length < 2) return undefined
  const estimates = estimatesOf(experiment, running, data)
  if (estimates === undefined) return undefined
  const shares = sharesAmong(experiment, type, estimates)
  return experiment.arms.map((arm) => shares[running.indexOf(arm)] ?? 0)
}

/** Under track-and-stop: the arm that leads, and whether it is the best with probability 1 − α. */
export const bestArmOf = (experiment: Experiment, data: readonly ArmData[]): BestArm | null => {
  const running = runningOf(experiment)
  if (experiment.allocation.type !== 'track_and_stop' || running.length < 2) return null
  const estimates = estimatesOf(experiment, running, data)
  if (estimates === undefined) return null
  const { epsilon } = TRACK_AND_STOP_DEFAULTS
  const moments = momentsOf(experiment, estimates)
  const { leader, evidence, threshold, stop } = checkStop(moments, epsilon, experiment.stop.alpha)
  return { arm: running[leader]!.name, evidence, threshold, found: stop }
}
