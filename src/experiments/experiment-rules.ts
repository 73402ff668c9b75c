/** What a schema cannot say of an experiment, and which changes are allowed. Every error names the field. */
import { invalidField } from '../core/errors.ts'
import { validate } from '../core/validation.ts'
import { ExperimentDefinition, type Arm, type Experiment } from './experiment.ts'
import { checkMetrics, checkUnique } from './metric-rules.ts'
import { fillStopRule } from './stop-rule.ts'

/** How far the weights may be from 1 for want of decimals. */
const WEIGHT_TOLERANCE = 1e-6
/** Assignment counts in ten-thousandths; a smaller range might never be hit. */
const SMALLEST_RANGE = 1e-4

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

/** Bounds need the shares of a fixed split, and as many units at each look as an arm needs for a decision. */
const checkPlannedLooks = ({ stop, allocation, arms, metrics, mode }: Experiment): void => {
  const { planned_looks: planned, minimum_units, maximum_units } = stop
  if (planned === undefined) return
  const at = '/stop/planned_looks'
  if (mode !== 'split')
    throw invalidField(at, 'is for the mode `split`: duels may stop at any time')
  if (allocation.type !== 'fixed') throw invalidField(at, 'needs the allocation `fixed`')
  if (metrics.every(({ primary }) => primary !== true)) {
    throw invalidField(at, 'needs a primary metric to look at')
  }
  const least = minimum_units * arms.length * planned.number
  if (planned.units < least) {
    throw invalidField(`${at}/units`, `must be at least minimum_units × arms × number, ${least}`)
  }
  if (maximum_units !== undefined && planned.units > maximum_units) {
    throw invalidField(`${at}/units`, `must be at most maximum_units, ${maximum_units}`)
  }
}

const checkDuel = ({ mode, duel, guardrails, metrics, allocation }: Experiment): void => {
  if (mode === 'split') {
    if (duel !== undefined) throw invalidField('/duel', 'needs the mode `duel` or `shadow`')
    return
  }
  if (duel === undefined) throw invalidField('/duel', `is required in the mode \`${mode}\``)
  if (mode !== 'shadow') return
  if (allocation.type !== 'fixed') {
    throw invalidField('/allocation/type', 'must be `fixed`: all units of a shadow get the control')
  }
  const guarded = guardrails.length > 0 || metrics.some(({ margin }) => margin !== undefined)
  if (guarded) {
    throw invalidField('/guardrails', 'cannot be shown of arms that nobody sees: leave margins out')
  }
}

/** Looks up what a definition names; throws with fields below the pointer. */
export interface DefinitionChecks {
  readonly arm?: (arm: Arm, pointer: string) => void
  readonly judge?: (model: string, pointer: string) => void
}

const fill = (definition: ExperimentDefinition): Experiment => {
  const {
    status = 'draft',
    guardrails = [],
    unit = 'request',
    coverage = 1,
    salt = '1',
    mode = 'split',
    duel,
    ...plain
  } = definition
  const { type = 'fixed', floor = 0.01 / definition.arms.length } = definition.allocation ?? {}
  return {
    ...plain,
    status,
    mode,
    guardrails,
    unit,
    coverage,
    salt,
    ...(duel && { duel: { ...duel, share: duel.share ?? 1, concurrency: duel.concurrency ?? 2 } }),
    stop: fillStopRule(definition.stop),
    allocation: { type, floor, minimum_units: definition.allocation?.minimum_units ?? 100 },
  }
}

/**
 * Checks a definition and fills in what it leaves open. The checks look up strategies, options and models,
 * which this layer does not know.
 * @throws RefineError invalid_request naming the field.
 */
export const defineExperiment = (body: unknown, checks: DefinitionChecks = {}): Experiment => {
  const experiment = fill(validate(ExperimentDefinition, body))
  checkArms(experiment)
  checkMetrics(experiment)
  checkLayer(experiment)
  checkStop(experiment)
  checkPlannedLooks(experiment)
  checkDuel(experiment)
  for (const [index, arm] of experiment.arms.entries()) checks.arm?.(arm, `/arms/${index}`)
  if (experiment.duel !== undefined) checks.judge?.(experiment.duel.judge, '/duel/judge')
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
