/** What is known of one metric: each arm by itself and against the first. */
import { difference } from './analysis.ts'
import { horvitzThompson } from './bandit.ts'
import { believe } from './beliefs.ts'
import {
  compareAnytime,
  compareFixed,
  compareLift,
  ENOUGH_UNITS,
  exactChange,
  isSparse,
  measure,
  ownInterval,
  type Measured,
  type MetricData,
} from './comparison.ts'
import { cuped, estimateOf, type Estimate } from './estimate.ts'
import { exactDifferenceTest, exactInterval } from './exact-sequence.ts'
import { guardrailsOf, type Experiment, type Metric } from './experiment.ts'
import { anytimeGuardrail, NOT_SHOWN, slackOf } from './guardrail.ts'
import { leastOf, pointedBy } from './least-p.ts'
import { agreementOf, covarianceWithErrors, errorsOf, predictionPowered } from './judge-validity.ts'
import type { ExperimentResults, MetricResult } from './results-schema.ts'
import { NO_SUMS, type Sums } from '../core/sums.ts'

/** One arm as storage adds it up: units of the current phase with reason `assigned`. */
export interface ArmData {
  readonly name: string
  /** Units assigned and treated. */
  readonly exposures: number
  /** By name of the metric; a metric nobody reported yet may be left out. */
  readonly metrics: Readonly<Record<string, MetricData>>
}

/** What a look has to go by. */
export interface Look {
  readonly experiment: Experiment
  readonly arms: readonly ArmData[]
  readonly previous: ExperimentResults | undefined
}

const NOT_COMPARED = {
  difference: null,
  standard_error: null,
  difference_interval: null,
  p: null,
  interval_anytime: null,
  p_anytime: null,
  pointed: null,
  p_adjusted: null,
  evidence: null,
  discovered: null,
  planned: null,
  method: null,
  lift: null,
  lift_interval_anytime: null,
  lift_believed: null,
  chance_best: null,
  expected_loss: null,
  response_p: null,
  guardrail: null,
  better: null,
} as const

/** e to the power of more is no number. */
const LARGEST_LOG = 700

/** Under adaptive allocation, of a plain mean. */
const unbiasedMean = ({ experiment, arms }: Look, metric: Metric, sums: Sums): number | null => {
  const { allocation } = experiment
  const isPlain = [metric.denominator, metric.quantile, metric.predicted_by].every(
    (part) => part === undefined,
  )
  if (allocation.type === 'fixed' || !isPlain) return null
  const rounds = arms.reduce((sum, arm) => sum + dataOf(arm, metric.name).count, 0)
  return finite(horvitzThompson(sums, rounds))
}

const agreement = (
  { experiment, arms }: Look,
  { name, type, predicted_by }: Metric,
  arm: number,
): MetricResult['agreement'] => {
  if (predicted_by === undefined) return null
  const predictor = experiment.metrics.find((metric) => metric.name === predicted_by)!
  const areTruths = type === 'boolean' && predictor.type === 'boolean'
  const { units, bias, kappa } = agreementOf(dataOf(arms[arm]!, errorsOf(name)).sums, areTruths)
  return { units, bias: finite(bias), kappa: finite(kappa) }
}

const NO_DATA: MetricData = { count: 0, sums: NO_SUMS }

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)
const bounds = (interval: readonly [number, number] | null | undefined) =>
  interval === null || interval === undefined
    ? null
    : ([finite(interval[0]), finite(interval[1])] as [number | null, number | null])

const least = (now: number | null, before: number | null | undefined): number | null =>
  now === null ? (before ?? null) : Math.min(now, before ?? 1)

const dataOf = ({ metrics }: ArmData, name: string): MetricData => metrics[name] ?? NO_DATA

/** The mean that the predictions of a metric have in an arm, less their errors. */
const predicted = (arm: ArmData, { name }: Metric, predictor: string): Estimate => {
  const { sums: errors } = dataOf(arm, errorsOf(name))
  const judged = estimateOf(dataOf(arm, predictor).sums)
  return predictionPowered(judged, estimateOf(errors), covarianceWithErrors(errors))
}

/** All arms in one metric, with the covariate taken out, or the predictions taken in, where there are any. */
const measureAll = (metric: Metric, arms: readonly ArmData[]): Measured[] => {
  const { name, predicted_by: predictor, covariate } = metric
  const data = arms.map((arm) => dataOf(arm, name))
  if (predictor !== undefined) {
    return data.map((each, arm) => measure(metric, each, predicted(arms[arm]!, metric, predictor)))
  }
  if (covariate === undefined) return data.map((each) => measure(metric, each))
  const adjusted = cuped(data.map(({ sums }) => sums)).arms
  return data.map((each, arm) => measure(metric, each, adjusted[arm]))
}

const guard = (
  experiment: Experiment,
  metric: Metric,
  control: Measured,
  arm: Measured,
): MetricResult['guardrail'] => {
  const guardrail = guardrailsOf(experiment).find((each) => each.metric === metric.name)
  if (guardrail === undefined) return null
  const { margin, relative = false } = guardrail
  if (!relative && isSparse(control, arm)) {
    const [low, high] = exactChange(control, arm, metric.direction, experiment.stop.alpha)
    return { margin, relative, p_anytime: null, passes: low > -margin, breached: high < -margin }
  }
  const slack = slackOf(control.estimate, arm.estimate, {
    direction: metric.direction,
    // A metric of logarithms has its margin as a factor: 0.1 tolerates 10 % worse.
    margin: metric.transform === 'log' ? Math.log1p(margin) : margin,
    relative,
  })
  const areEnough = Math.min(control.estimate.units, arm.estimate.units) >= ENOUGH_UNITS
  const { alpha, tuned_for: tunedFor } = experiment.stop
  const { p, passes, breached } = areEnough
    ? anytimeGuardrail(slack, { alpha, tunedFor }, metric.type)
    : NOT_SHOWN
  return { margin, relative, p_anytime: p, passes, breached }
}

/** Of an arm alone; what compares it with the first is filled in elsewhere. */
const alone = (look: Look, metric: Metric, arm: Measured, index: number): MetricResult => {
  const { exposures } = look.arms[index]!
  const { alpha } = look.experiment.stop
  const { sums, count } = arm.data
  return {
    ...NOT_COMPARED,
    mean: finite(arm.estimate.value),
    count,
    units: sums.units,
    response_rate: exposures === 0 ? null : sums.units / exposures,
    interval: bounds(ownInterval(metric, arm, alpha)),
    mean_interval_anytime: arm.isBinomial
      ? bounds(exactInterval(sums.total, sums.units, alpha))
      : null,
    unbiased_mean: unbiasedMean(look, metric, sums),
    agreement: agreement(look, metric, index),
  }
}

/** Always-valid p that as many units of the arm as of the control came back with a value. */
const responseP = (control: MetricData, arm: MetricData, exposures: readonly number[]): number => {
  const [first, second] = [control, arm].map(({ sums }, index) => ({
    successes: Math.min(sums.units, exposures[index]!),
    units: exposures[index]!,
  }))
  return exactDifferenceTest(first!, second!).p
}

/** Standard error of the difference, where it may be taken for normal. */
const errorOf = (control: Measured, own: Measured): number | null => {
  const { variance } = difference(control.estimate, own.estimate)
  const isKnown = variance > 0 && Number.isFinite(variance) && !isSparse(control, own)
  return isKnown ? Math.sqrt(variance) : null
}

const against = (look: Look, metric: Metric, measured: readonly Measured[], arm: number) => {
  const { alpha, tuned_for: tunedFor } = look.experiment.stop
  const [control, own] = [measured[0]!, measured[arm]!]
  const before = look.previous?.arms.find(({ name }) => name === look.arms[arm]!.name)
  const earlier = before?.metrics[metric.name]
  const fixed = compareFixed(control, own, alpha)
  const sequence = compareAnytime(control, own, { alpha, tunedFor })
  const lift = compareLift(metric, control, own, sequence, { alpha, tunedFor })
  const change = own.estimate.value - control.estimate.value
  const better =
    change === 0 || Number.isNaN(change) ? null : change > 0 === (metric.direction === 'up')
  const shown = leastOf(
    { p: sequence?.p ?? null, pointed: pointedBy(better) },
    earlier && { p: earlier.p_anytime, pointed: earlier.pointed },
  )
  const exposures = [look.arms[0]!.exposures, look.arms[arm]!.exposures]
  return {
    difference: finite(change),
    standard_error: errorOf(control, own),
    difference_interval: bounds(fixed?.interval),
    p: fixed?.p ?? null,
    interval_anytime: bounds(sequence?.interval),
    p_anytime: shown.p,
    pointed: shown.pointed,
    evidence: sequence === null ? null : Math.exp(Math.min(sequence.logEvidence, LARGEST_LOG)),
    planned: earlier?.planned ?? null,
    method: sequence?.method ?? null,
    lift: lift?.value ?? null,
    lift_interval_anytime: bounds(lift?.interval),
    response_p: least(responseP(control.data, own.data, exposures), earlier?.response_p),
    guardrail: guard(look.experiment, metric, control, own),
    better,
  }
}

/** Results of one metric, arm by arm. */
export const readMetric = (look: Look, metric: Metric): MetricResult[] => {
  const measured = measureAll(metric, look.arms)
  const beliefs = believe(metric, measured, look.experiment.stop.alpha)
  return measured.map((arm, index) => ({
    ...alone(look, metric, arm, index),
    ...(index === 0 ? {} : against(look, metric, measured, index)),
    ...beliefs[index]!,
  }))
}
