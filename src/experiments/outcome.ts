/** From what was measured or reported to what a store adds up. */
import { hash } from 'node:crypto'
import { invalidField, RefineError } from '../core/errors.ts'
import type { ExposedRun, Outcome, Series } from '../core/experiment-store.ts'
import { AUTOMATIC, measureRun } from './automatic-metrics.ts'
import { LARGEST_VALUE, observedValue, type Experiment, type Metric } from './experiment.ts'
import { checkImplicit } from './implicit-metrics.ts'
import { errorsOf } from './judge-validity.ts'
import { bucketOf } from './quantile.ts'
import type { RunState } from '../core/run-state.ts'

/** What somebody says came of a run. */
export interface Report {
  readonly runId: string
  readonly metric: string
  readonly value: unknown
  /** Who says so. */
  readonly source: string
  /** Which one of the source: each has a word of its own. */
  readonly actor?: string
}

/** A run that somebody reports on, and the time of the report, ISO 8601. */
export interface ReportedRun {
  /** Of the phase in which the run was exposed. */
  readonly experiment: Experiment
  readonly exposed: ExposedRun
  readonly at: string
}

const DAY = 86_400_000

/** An actor's name may be a person's: only its hash is kept with the sums. */
export const reporterOf = ({ source, actor }: Pick<Report, 'source' | 'actor'>): string =>
  actor === undefined ? '' : hash('sha256', `actor:${source}:${actor}`).slice(0, 16)

/** What is added up for a metric: its values, and how far off its predictions are. */
const seriesFor = (metric: Metric, isWeighted: boolean): Series[] => {
  const { name, denominator = null, covariate = null, predicted_by: predictor } = metric
  const plain = { metric: name, numerator: name, denominator, covariate, minus: null, isWeighted }
  if (predictor === undefined) return [plain]
  const errors = { numerator: predictor, denominator: null, covariate: name, minus: name }
  return [plain, { metric: errorsOf(name), ...errors, isWeighted }]
}

/** All series in which a value of this name takes part. */
const seriesOf = ({ metrics, allocation }: Experiment, name: string): Series[] =>
  metrics
    .flatMap((metric) => seriesFor(metric, allocation.type !== 'fixed'))
    .filter(({ numerator, denominator, covariate }) =>
      [numerator, denominator, covariate].includes(name),
    )

const bucketFor = (metric: Metric | undefined, value: number): Outcome['bucket'] => {
  if (metric?.quantile === undefined) return null
  return value > 0 ? bucketOf(value) : 'zero'
}

interface Observation {
  readonly runId: string
  readonly name: string
  readonly raw: unknown
  readonly reporter?: string
}

/** The value of a name for a run as an outcome; undefined when no metric needs it or it cannot be counted. */
export const outcomeOf = (
  experiment: Experiment,
  { runId, name, raw, reporter = '' }: Observation,
): Outcome | undefined => {
  const series = seriesOf(experiment, name)
  if (series.length === 0) return undefined
  const metric = experiment.metrics.find((each) => each.name === name)
  const plain: Metric = { name, type: 'number', direction: 'up' }
  const value = observedValue(metric ?? plain, raw)
  if (value === undefined) return undefined
  return { runId, name, reporter, value, bucket: bucketFor(metric, value), series }
}

/** Everything that is measured of a run by itself and that a metric needs. */
export const automaticOutcomes = (
  experiment: Experiment,
  run: RunState,
  firstRevisionAt: string | undefined,
): Outcome[] => {
  const names = experiment.metrics.flatMap(({ name, denominator }) => [name, denominator])
  const reserved = [...new Set(names)].filter((name) => name?.startsWith(AUTOMATIC) === true)
  return reserved.flatMap((name) => {
    const raw = measureRun(name!, run, firstRevisionAt)
    return outcomeOf(experiment, { runId: run.id, name: name!, raw }) ?? []
  })
}

/** What was known before the run, from its metadata, under the names of covariates. */
export const covariateOutcomes = (
  experiment: Experiment,
  runId: string,
  metadata: Readonly<Record<string, unknown>>,
): Outcome[] => {
  const names = new Set(experiment.metrics.flatMap(({ covariate }) => covariate ?? []))
  return [...names].flatMap(
    (name) => outcomeOf(experiment, { runId, name, raw: metadata[name] }) ?? [],
  )
}

/** @throws RefineError invalid_request when the metric takes no such value */
const checkValue = ({ key }: Experiment, metric: Metric, value: unknown): void => {
  const of = `"${metric.name}" is a ${metric.type} metric of the experiment "${key}"`
  if (metric.type === 'boolean' && typeof value !== 'boolean') {
    throw invalidField('/value', `must be true or false: ${of}`)
  }
  if (metric.type === 'number' && typeof value !== 'number') {
    throw invalidField('/value', `must be a number: ${of}`)
  }
  if (metric.quantile !== undefined && (value as number) < 0) {
    throw invalidField('/value', `must not be below 0: ${of} that compares a quantile`)
  }
  if (observedValue(metric, value) === undefined) {
    throw invalidField('/value', `must be above 0: ${of} that compares logarithms`)
  }
}

/** @throws RefineError invalid_request for a number that cannot be squared and added up */
const checkSize = (value: unknown): void => {
  if (typeof value !== 'number' || Math.abs(value) <= LARGEST_VALUE) return
  throw invalidField('/value', 'must be between −1e100 and 1e100, since it is added up')
}

/** Every value the report is one of: of metrics that listen to its source, and of what only parts of metrics need. */
const countReport = (experiment: Experiment, report: Report): Outcome[] => {
  const { runId, metric: name, value, source } = report
  const reporter = reporterOf(report)
  const heard = experiment.metrics.filter(
    (metric) => (metric.feedback ?? metric.name) === name && (metric.source ?? source) === source,
  )
  const isMetric = experiment.metrics.some((metric) => metric.name === name)
  const names = [...heard.map((metric) => metric.name), ...(isMetric ? [] : [name])]
  if (names.some((each) => seriesOf(experiment, each).length > 0)) checkSize(value)
  for (const metric of heard) checkValue(experiment, metric, value)
  return names.flatMap(
    (each) => outcomeOf(experiment, { runId, name: each, raw: value, reporter }) ?? [],
  )
}

/** @throws RefineError conflict when feedback on the run counts no more */
const checkTime = ({ experiment, exposed, at }: ReportedRun): void => {
  const { key, feedback_days: days } = experiment
  if (days === undefined || exposed.at === null) return
  const end = Date.parse(exposed.at) + days * DAY
  if (Date.parse(at) <= end) return
  throw new RefineError(
    'conflict',
    `Feedback on this run counted until ${new Date(end).toISOString()}, ${days} days after it met its arm of the experiment "${key}".`,
  )
}

/** What a report adds to the experiment of its run, if there is one; an error when it is at fault. */
export const reportedOutcomes = (
  run: ReportedRun | undefined,
  report: Report,
): Outcome[] | RefineError => {
  const { metric, value } = report
  try {
    if (metric.startsWith(AUTOMATIC)) {
      throw invalidField('/metric', `must not begin with "${AUTOMATIC}": those are measured here`)
    }
    checkImplicit(metric, value)
    if (run === undefined) return []
    checkTime(run)
    return countReport(run.experiment, report)
  } catch (error) {
    if (error instanceof RefineError) return error
    throw error
  }
}
