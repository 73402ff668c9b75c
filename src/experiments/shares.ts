/** Which share of the units each arm gets next, from what is known of the arms. */
import { allocate } from './bandit.ts'
import { normalPosterior } from './bayes.ts'
import { estimateOf } from './estimate.ts'
import type { Experiment } from './experiment.ts'
import type { ArmData } from './results.ts'
import { TRACK_AND_STOP_DEFAULTS, trackingShares } from './track-and-stop.ts'

/**
 * Shares in the order of the arms; undefined where the weights stand: under a fixed split, and until every arm has the
 * units and the spread that an estimate needs. The first primary metric decides, the first of all if none is primary.
 */
export const sharesOf = (
  experiment: Experiment,
  data: readonly ArmData[],
): number[] | undefined => {
  const { allocation, arms, metrics } = experiment
  if (allocation.type === 'fixed') return undefined
  const metric = metrics.find(({ primary }) => primary === true) ?? metrics[0]!
  const estimates = arms.flatMap(({ name }) => {
    const own = data.find((arm) => arm.name === name)
    const sums = own?.metrics[metric.name]?.sums
    if (sums === undefined || own!.exposures < allocation.minimum_units) return []
    const estimate = estimateOf(sums)
    return estimate.variance > 0 && Number.isFinite(estimate.variance) ? [estimate] : []
  })
  if (estimates.length < arms.length) return undefined
  const { type, floor } = allocation
  if (type !== 'track_and_stop') {
    const posteriors = estimates.map(({ value, variance }) =>
      normalPosterior(value, Math.sqrt(variance)),
    )
    return allocate(posteriors, { type, floor, direction: metric.direction })
  }
  const sign = metric.direction === 'up' ? 1 : -1
  const moments = estimates.map(({ value, variance, units }) => ({
    mean: sign * value,
    variance: variance * units,
    count: units,
  }))
  return trackingShares(moments, { ...TRACK_AND_STOP_DEFAULTS, floor })
}
