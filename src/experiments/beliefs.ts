/** The Bayesian figures of a metric, for display beside the sequences: they decide nothing. */
import {
  betaPosterior,
  expectedLoss,
  normalPosterior,
  probabilityBest,
  type Posterior,
} from './bayes.ts'
import type { Measured } from './comparison.ts'
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

/** The figures of every arm, in the order given; null until all have data. */
export const believe = (
  metric: Metric,
  measured: readonly Measured[],
): Pick<MetricResult, 'chance_best' | 'expected_loss'>[] => {
  const posteriors = posteriorsOf(measured)
  if (posteriors === null) return measured.map(() => ({ chance_best: null, expected_loss: null }))
  const best = probabilityBest(posteriors, metric.direction)
  return posteriors.map((posterior, arm) => ({
    chance_best: best[arm]!,
    expected_loss: arm === 0 ? null : lossOf(metric, posteriors[0]!, posterior),
  }))
}
