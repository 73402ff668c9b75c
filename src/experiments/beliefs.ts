/** The Bayesian figures of a metric, for display beside the sequences: they decide nothing. */
import {
  betaPosterior,
  expectedLoss,
  normalPosterior,
  probabilityBest,
  readLift,
  updateNormal,
  type Posterior,
} from './bayes.ts'
import { liftOf, type Measured } from './comparison.ts'
import type { Metric } from './experiment.ts'
import type { MetricResult } from './results-schema.ts'

/** What is believed of every arm; null until all have data. */
const posteriorsOf = (arms: readonly Measured[]): Posterior[] | null => {
  const posteriors: Posterior[] = []
  for (const { estimate, isBinomial, data } of arms) {
    if (isBinomial) {
      posteriors.push(betaPosterior(data.sums.total, data.sums.units - data.sums.total))
    } else if (estimate.variance > 0 && Number.isFinite(estimate.variance)) {
      posteriors.push(normalPosterior(estimate.value, Math.sqrt(estimate.variance)))
    } else return null
  }
  return posteriors
}

/** What the arm costs on average in place of the control, should it be the worse one. */
const lossOf = ({ direction }: Metric, control: Posterior, arm: Posterior): number =>
  direction === 'up' ? expectedLoss(arm, control) : expectedLoss(control, arm)

/** Lifts are believed to be around 0 by so much before there are data (Eppo's prior). */
const PRIOR = { mean: 0, deviation: 0.05 }

/** The lift as it is believed after the data, and what either choice risks. */
const believeLift = (
  { direction, transform }: Metric,
  control: Measured,
  arm: Measured,
  alpha: number,
): MetricResult['lift_believed'] => {
  const lift = transform === 'log' ? null : liftOf(control.estimate, arm.estimate, alpha)
  if (lift === null || !(lift.variance > 0) || !Number.isFinite(lift.variance)) return null
  const sign = direction === 'up' ? 1 : -1
  const read = readLift(updateNormal({ ...lift, value: sign * lift.value }, PRIOR), alpha)
  const [low, high] = read.interval
  return {
    mean: sign * read.mean,
    interval: direction === 'up' ? [low, high] : [-high, -low],
    chance_better: read.chanceToWin,
    risk_of_shipping: read.riskOfShipping,
    risk_of_keeping: read.riskOfNotShipping,
  }
}

type Beliefs = Pick<MetricResult, 'chance_best' | 'expected_loss' | 'lift_believed'>

/** The figures of every arm, in the order given; null until all have data. */
export const believe = (
  metric: Metric,
  measured: readonly Measured[],
  alpha: number,
): Beliefs[] => {
  const posteriors = posteriorsOf(measured)
  if (posteriors === null) {
    return measured.map(() => ({ chance_best: null, expected_loss: null, lift_believed: null }))
  }
  const best = probabilityBest(posteriors, metric.direction)
  return posteriors.map((posterior, arm) => ({
    chance_best: best[arm]!,
    expected_loss: arm === 0 ? null : lossOf(metric, posteriors[0]!, posterior),
    lift_believed: arm === 0 ? null : believeLift(metric, measured[0]!, measured[arm]!, alpha),
  }))
}
