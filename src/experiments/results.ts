/** From the sums of every arm to the results of an experiment: a pure function, a millisecond whatever the traffic. */
import { difference } from './analysis.ts'
import { believe } from './beliefs.ts'
import {
  compareAnytime,
  compareFixed,
  compareLift,
  exactChange,
  isSparse,
  measure,
  ownInterval,
  type Measured,
  type MetricData,
} from './comparison.ts'
import { decide, type Undecided } from './decision.ts'
import { decideByDuels } from './duel-decision.ts'
import { readDuels, type DuelData } from './duel-results.ts'
import { cuped } from './estimate.ts'
import { exactDifferenceP, exactInterval } from './exact-sequence.ts'
import { guardrailsOf, type Experiment, type Metric } from './experiment.ts'
import { anytimeGuardrail, slackOf } from './guardrail.ts'
import { holm } from './multiplicity.ts'
import { readPlannedLooks } from './planned-looks.ts'
import type { ArmResult, ExperimentResults, MetricResult, SampleRatio } from './results-schema.ts'
import { chiSquareMismatch, MISMATCH_BELOW, sequentialMismatch } from './sample-ratio.ts'
import { NO_SUMS } from '../core/sums.ts'

/** One arm as storage adds it up: units of the current phase with reason `assigned`. */
export interface ArmData {
  readonly name: string
  /** Units assigned and treated. */
  readonly exposures: number
  /** By name of the metric; a metric nobody reported yet may be left out. */
  readonly metrics: Readonly<Record<string, MetricData>>
}

export interface ResultsContext {
  /** Time of the look, ISO 8601. */
  readonly at: string
  /** The look before, for running minima of always-valid p-values and for a decision that stands. */
  readonly previous?: ExperimentResults
  /** Of experiments that compare answers to one prompt. */
  readonly duels?: DuelData
}

const NO_DATA: MetricData = { count: 0, sums: NO_SUMS }

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)
const bounds = (interval: readonly [number, number] | null | undefined) =>
  interval === null || interval === undefined
    ? null
    : ([finite(interval[0]), finite(interval[1])] as [number | null, number | null])

const least = (now: number | null, before: number | null | undefined): number | null =>
  now === null ? (before ?? null) : Math.min(now, before ?? 1)

/** All arms in one metric, with the covariate taken out where there is one. */
const measureAll = (metric: Metric, arms: readonly ArmData[]): Measured[] => {
  const data = arms.map(({ metrics }) => metrics[metric.name] ?? NO_DATA)
  if (metric.covariate === undefined) return data.map((each) => measure(metric, each))
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
    margin: metric.transform === 'log' && !relative ? Math.log1p(margin) : margin,
    relative,
  })
  const isKnown = Math.min(control.estimate.units, arm.estimate.units) >= 100 && slack.variance > 0
  const { alpha, tuned_for } = experiment.stop
  const test =
    isKnown && Number.isFinite(slack.variance)
      ? anytimeGuardrail(slack, { alpha, tunedFor: tuned_for })
      : { p: null, passes: false, breached: false }
  return { margin, relative, p_anytime: test.p, passes: test.passes, breached: test.breached }
}

const alone = (metric: Metric, arm: Measured, exposures: number, alpha: number): MetricResult => ({
  mean: finite(arm.estimate.value),
  count: arm.data.count,
  units: arm.data.sums.units,
  response_rate: exposures === 0 ? null : arm.data.sums.units / exposures,
  interval: bounds(ownInterval(metric, arm, alpha)),
  mean_interval_anytime: arm.isBinomial
    ? bounds(exactInterval(arm.data.sums.total, arm.data.sums.units, alpha))
    : null,
  difference: null,
  standard_error: null,
  difference_interval: null,
  p: null,
  interval_anytime: null,
  p_anytime: null,
  p_adjusted: null,
  planned: null,
  method: null,
  lift: null,
  lift_interval_anytime: null,
  chance_best: null,
  expected_loss: null,
  response_p: null,
  guardrail: null,
  better: null,
})

/** Always-valid p that as many units of the arm as of the control came back with a value. */
const responseP = (control: MetricData, arm: MetricData, exposures: readonly number[]): number => {
  const [first, second] = [control, arm].map(({ sums }, index) => ({
    successes: Math.min(sums.units, exposures[index]!),
    units: exposures[index]!,
  }))
  return exactDifferenceP(first!, second!)
}

/** Standard error of the difference, where it may be taken for normal. */
const errorOf = (control: Measured, own: Measured): number | null => {
  const { variance } = difference(control.estimate, own.estimate)
  const isKnown = variance > 0 && Number.isFinite(variance) && !isSparse(control, own)
  return isKnown ? Math.sqrt(variance) : null
}

interface Look {
  readonly experiment: Experiment
  readonly arms: readonly ArmData[]
  readonly previous: ExperimentResults | undefined
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
  const exposures = [look.arms[0]!.exposures, look.arms[arm]!.exposures]
  return {
    difference: finite(change),
    standard_error: errorOf(control, own),
    difference_interval: bounds(fixed?.interval),
    p: fixed?.p ?? null,
    interval_anytime: bounds(sequence?.interval),
    p_anytime: least(sequence?.p ?? null, earlier?.p_anytime),
    planned: earlier?.planned ?? null,
    method: sequence?.method ?? null,
    lift: lift?.value ?? null,
    lift_interval_anytime: bounds(lift?.interval),
    response_p: least(responseP(control.data, own.data, exposures), earlier?.response_p),
    guardrail: guard(look.experiment, metric, control, own),
    better:
      change === 0 || Number.isNaN(change) ? null : change > 0 === (metric.direction === 'up'),
  }
}

/** Results of one metric, arm by arm. */
const readMetric = (look: Look, metric: Metric): MetricResult[] => {
  const measured = measureAll(metric, look.arms)
  const beliefs = believe(metric, measured)
  return measured.map((arm, index) => ({
    ...alone(metric, arm, look.arms[index]!.exposures, look.experiment.stop.alpha),
    ...(index === 0 ? {} : against(look, metric, measured, index)),
    ...beliefs[index]!,
  }))
}

/** Holm over all primary metrics of all arms that have an always-valid p; those without count as 1. */
const adjustPrimaries = (experiment: Experiment, arms: readonly ArmResult[]): void => {
  const primaries = experiment.metrics.filter(({ primary }) => primary === true)
  const family = arms.slice(1).flatMap(({ metrics }) => primaries.map(({ name }) => metrics[name]!))
  const adjusted = holm(family.map(({ p_anytime }) => p_anytime ?? 1))
  for (const [index, result] of family.entries()) {
    result.p_adjusted = result.p_anytime === null ? null : adjusted[index]!
  }
}

const sampleRatio = ({ experiment, arms, previous }: Look): SampleRatio => {
  const running = experiment.arms.filter(({ killed }) => killed === undefined)
  const isSplit = experiment.allocation.type === 'fixed' && experiment.mode !== 'shadow'
  if (!isSplit || running.length < 2) {
    return { p: null, p_fixed: null, mismatched: false }
  }
  const counts = running.map(({ name }) => arms.find((arm) => arm.name === name)?.exposures ?? 0)
  const weights = running.map(({ weight }) => weight)
  const p = Math.min(sequentialMismatch(counts, weights).p, previous?.srm.p ?? 1)
  return { p, p_fixed: chiSquareMismatch(counts, weights).p, mismatched: p < MISMATCH_BELOW }
}

/**
 * Everything that is known of the experiment from the sums of its arms, with the decision that follows. The arms may
 * come in any order; those without data count as empty. p-values and the decision take the previous look into account,
 * so hand in the last results of the same phase.
 */
export const resultsOf = (
  experiment: Experiment,
  data: readonly ArmData[],
  { at, previous, duels }: ResultsContext,
): ExperimentResults => {
  const arms = experiment.arms.map(
    ({ name }) => data.find((arm) => arm.name === name) ?? { name, exposures: 0, metrics: {} },
  )
  const look: Look = { experiment, arms, previous }
  const columns = experiment.metrics.map((metric) => readMetric(look, metric))
  const results: Undecided = {
    object: 'experiment.results',
    key: experiment.key,
    status: experiment.status,
    at,
    alpha: experiment.stop.alpha,
    tuned_for: experiment.stop.tuned_for,
    arms: arms.map(({ name, exposures }, arm) => ({
      name,
      weight: experiment.arms[arm]!.weight,
      exposures,
      metrics: Object.fromEntries(
        experiment.metrics.map((metric, index) => [metric.name, columns[index]![arm]!]),
      ),
    })),
    srm: sampleRatio(look),
    planned_looks: null,
    duels: readDuels(experiment, duels, previous?.duels ?? null),
  }
  adjustPrimaries(experiment, results.arms)
  results.planned_looks = readPlannedLooks(experiment, results, previous?.planned_looks ?? null)
  const follow = experiment.mode === 'split' ? decide : decideByDuels
  return { ...results, decision: follow(experiment, results, previous?.decision) }
}
