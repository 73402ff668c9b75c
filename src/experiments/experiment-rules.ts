/** What a schema cannot say of an experiment, and which changes are allowed. Every error names the field. */
import { invalidField, RefineError } from '../core/errors.ts'
import { validate } from '../core/validation.ts'
import { checkAutomaticMetrics } from './automatic-metrics.ts'
import {
  ExperimentDefinition,
  type Arm,
  type Experiment,
  type ExperimentStatus,
} from './experiment.ts'

/** How far the weights may be from 1 for want of decimals. */
const WEIGHT_TOLERANCE = 1e-6
/** Assignment counts in ten-thousandths; a smaller range might never be hit. */
const SMALLEST_RANGE = 1e-4

const checkUnique = (names: readonly string[], list: string, field: string): void => {
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) !== index) {
      throw invalidField(`/${list}/${index}/${field}`, `must be unique; "${name}" is there before`)
    }
  }
}

const checkArms = ({ arms, coverage }: Experiment): void => {
  checkUnique(
    arms.map(({ name }) => name),
    'arms',
    'name',
  )
  const sum = arms.reduce((total, { weight }) => total + weight, 0)
  if (Math.abs(sum - 1) > WEIGHT_TOLERANCE) {
    throw invalidField('/arms', `the weights must sum to 1; they sum to ${Number(sum.toFixed(9))}`)
  }
  for (const [index, { weight }] of arms.entries()) {
    const range = weight * coverage
    if (coverage > 0 && range < SMALLEST_RANGE * (1 - 1e-9)) {
      throw invalidField(
        `/arms/${index}/weight`,
        `times the coverage must be at least ${SMALLEST_RANGE}; it is ${range}`,
      )
    }
  }
  if (arms.every(({ killed }) => killed !== undefined)) {
    throw invalidField('/arms', 'at least one arm must not be killed')
  }
}

const checkMetrics = ({ metrics, guardrails }: Experiment): void => {
  const names = metrics.map(({ name }) => name)
  checkUnique(names, 'metrics', 'name')
  for (const [index, metric] of metrics.entries()) {
    const at = `/metrics/${index}`
    const { type, transform, quantile, denominator, covariate } = metric
    if (type === 'boolean' && transform !== undefined) {
      throw invalidField(`${at}/transform`, 'is for number metrics only')
    }
    if (quantile !== undefined && (type === 'boolean' || transform !== undefined)) {
      throw invalidField(`${at}/quantile`, 'is for number metrics without a transform')
    }
    if (quantile !== undefined && (denominator !== undefined || covariate !== undefined)) {
      throw invalidField(`${at}/quantile`, 'excludes a denominator and a covariate')
    }
    if (denominator !== undefined && transform !== undefined) {
      throw invalidField(`${at}/transform`, 'excludes a denominator')
    }
  }
  for (const [index, { metric, margin, relative }] of guardrails.entries()) {
    if (!names.includes(metric)) {
      throw invalidField(`/guardrails/${index}/metric`, `must be a metric: ${names.join(', ')}`)
    }
    if (relative === true && margin >= 1) {
      throw invalidField(`/guardrails/${index}/margin`, 'must be below 1 when it is relative')
    }
  }
}

const checkRange = (range: { readonly from: number; readonly to: number }, at: string): void => {
  if (range.to - range.from < SMALLEST_RANGE * (1 - 1e-9)) {
    throw invalidField(`${at}/to`, `must be at least ${SMALLEST_RANGE} above \`from\``)
  }
}

const overlap = (
  a: { readonly from: number; readonly to: number },
  b: { readonly from: number; readonly to: number },
): boolean => a.from < b.to && b.from < a.to

const checkLayer = ({ layer, holdout }: Experiment): void => {
  if (layer !== undefined) checkRange(layer, '/layer')
  if (holdout === undefined) return
  if (layer === undefined) throw invalidField('/holdout', 'needs a layer to be a part of')
  checkRange(holdout, '/holdout')
  if (overlap(layer, holdout)) throw invalidField('/holdout', 'must not overlap `/layer`')
}

const checkStop = ({ stop, allocation, arms }: Experiment): void => {
  const { minimum_units, maximum_units, ends_at } = stop
  if (maximum_units !== undefined && maximum_units < minimum_units * arms.length) {
    throw invalidField(
      '/stop/maximum_units',
      `must be at least minimum_units × arms, ${minimum_units * arms.length}`,
    )
  }
  if (ends_at !== undefined && Number.isNaN(Date.parse(ends_at))) {
    throw invalidField('/stop/ends_at', 'must be a date and time such as 2030-01-31T12:00:00Z')
  }
  if (allocation.floor * arms.length >= 1) {
    throw invalidField('/allocation/floor', `must be below 1 / ${arms.length}`)
  }
}

/**
 * Checks a definition and fills in what it leaves open. `checkArm` may look up the strategy, its options and models,
 * which this layer does not know; it throws with fields below the pointer it is given.
 * @throws RefineError invalid_request naming the field.
 */
export const defineExperiment = (
  body: unknown,
  checkArm: (arm: Arm, pointer: string) => void = () => undefined,
): Experiment => {
  const definition = validate(ExperimentDefinition, body)
  const {
    status = 'draft',
    guardrails = [],
    unit = 'request',
    coverage = 1,
    salt = '1',
  } = definition
  const { alpha = 0.05, tuned_for = 5000, minimum_units = 100 } = definition.stop ?? {}
  const { type = 'fixed', floor = 0.01 / definition.arms.length } = definition.allocation ?? {}
  const experiment: Experiment = {
    ...definition,
    status,
    guardrails,
    unit,
    coverage,
    salt,
    stop: { ...definition.stop, alpha, tuned_for, minimum_units },
    allocation: { type, floor, minimum_units: definition.allocation?.minimum_units ?? 100 },
  }
  checkArms(experiment)
  checkMetrics(experiment)
  checkAutomaticMetrics(experiment.metrics)
  checkLayer(experiment)
  checkStop(experiment)
  for (const [index, arm] of experiment.arms.entries()) checkArm(arm, `/arms/${index}`)
  return experiment
}

/**
 * Experiments of one layer must not claim the same part of it, nor another's holdout, and must hash alike.
 * @throws RefineError invalid_request
 */
export const checkNeighbours = (experiment: Experiment, others: readonly Experiment[]): void => {
  const { layer, holdout } = experiment
  if (layer === undefined) return
  for (const other of others) {
    if (other.key === experiment.key || other.layer?.name !== layer.name) continue
    if (other.status === 'decided') continue
    if ((other.layer.salt ?? '1') !== (layer.salt ?? '1')) {
      throw invalidField('/layer/salt', `must be that of "${other.key}" in the same layer`)
    }
    if (overlap(layer, other.layer) || (other.holdout && overlap(layer, other.holdout))) {
      throw invalidField('/layer', `overlaps what "${other.key}" claims or holds out`)
    }
    if (holdout !== undefined && overlap(holdout, other.layer)) {
      throw invalidField('/holdout', `overlaps what "${other.key}" claims`)
    }
  }
}

const NEXT: Readonly<Record<ExperimentStatus, readonly ExperimentStatus[]>> = {
  draft: ['draft', 'running'],
  running: ['running', 'paused', 'decided'],
  paused: ['paused', 'running', 'decided'],
  decided: ['decided'],
}

/** Text that is equal for equal values, in whatever order their fields were written. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )

/** Whether two definitions say the same. */
export const isSameDefinition = (left: unknown, right: unknown): boolean =>
  canonical(left) === canonical(right)

/** What decides which arm a unit gets, apart from the coverage. */
const splitOf = ({ unit, arms, layer }: Experiment): string =>
  canonical([unit, arms.map(({ name, weight }) => [name, weight]), layer?.name, layer?.salt])

/** What an arm does: changing it mid-phase would mix two treatments in one estimate. */
const treatmentsOf = ({ arms }: Experiment): string =>
  canonical(arms.map((arm) => ({ ...arm, killed: undefined })))

/** What is measured and how it is added up: sums of one phase must mean one thing. */
const measurementOf = ({ metrics, allocation }: Experiment): string =>
  canonical([metrics, allocation.type])

/**
 * Whether one version may follow another. Coverage, kill switches, texts and the stop rule may change while the
 * experiment runs; arms, weights, metrics and the unit only together with a new salt, which starts a new phase.
 * @throws RefineError conflict (status), invalid_request (field)
 */
export const checkChange = (before: Experiment, after: Experiment): void => {
  if (after.key !== before.key) throw invalidField('/key', `must stay "${before.key}"`)
  if (!NEXT[before.status].includes(after.status)) {
    throw new RefineError(
      'conflict',
      `An experiment that is ${before.status} cannot become ${after.status}; it can become: ${NEXT[before.status].join(', ')}.`,
      { fields: [{ pointer: '/status', message: `cannot follow "${before.status}"` }] },
    )
  }
  if (before.status === 'draft' || after.salt !== before.salt) return
  if (splitOf(before) !== splitOf(after)) {
    throw invalidField('/salt', 'must change with unit, arms or weights: they move units')
  }
  if (treatmentsOf(before) !== treatmentsOf(after)) {
    throw invalidField('/salt', 'must change with what an arm does: outcomes would be mixed')
  }
  if (measurementOf(before) !== measurementOf(after)) {
    throw invalidField('/salt', 'must change with metrics and allocation: sums would be mixed')
  }
}
