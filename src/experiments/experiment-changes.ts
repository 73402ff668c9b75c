/** Which version of an experiment may follow another. */
import { canonicalJson } from '../core/canonical-json.ts'
import { invalidField, RefineError } from '../core/errors.ts'
import type { Arm, Experiment, ExperimentStatus } from './experiment.ts'

const NEXT: Readonly<Record<ExperimentStatus, readonly ExperimentStatus[]>> = {
  draft: ['draft', 'running'],
  running: ['running', 'paused', 'decided'],
  paused: ['paused', 'running', 'decided'],
  decided: ['decided'],
}

/** Whether two definitions say the same. */
export const isSameDefinition = (left: unknown, right: unknown): boolean =>
  canonicalJson(left) === canonicalJson(right)

/** What decides which arm a unit gets, apart from the coverage. */
const splitOf = ({ unit, arms, layer }: Experiment): string =>
  canonicalJson([unit, arms.map(({ name, weight }) => [name, weight]), layer?.name, layer?.salt])

/** What an arm does: changing it mid-phase would mix two treatments in one estimate. */
const treatmentsOf = ({ arms }: Experiment): string =>
  canonicalJson(arms.map((arm) => ({ ...arm, killed: undefined })))

/** An arm that was off and is not. In the shadow every unit gets the control, so that none misses any. */
const revivedOf = (last: Experiment, { arms, mode }: Experiment): Arm | undefined =>
  mode === 'shadow'
    ? undefined
    : arms.find(
        ({ killed }, index) => killed === undefined && last.arms[index]?.killed !== undefined,
      )

/** What is measured and how it is added up: sums of one phase must mean one thing. */
const measurementOf = ({ metrics, allocation, mode, duel }: Experiment): string =>
  canonicalJson([metrics, allocation.type, mode, duel?.judge])

/** Looks planned beforehand hold their level only if nothing of them is changed after the first. */
const plannedOf = ({ stop }: Experiment): string =>
  canonicalJson(stop.planned_looks && [stop.planned_looks, stop.alpha])

/**
 * Whether one version may follow another.
 * @throws RefineError conflict (status), invalid_request (field)
 */
export const checkChange = (before: Experiment, after: Experiment): void => {
  if (after.key !== before.key) throw invalidField('/key', `must stay "${before.key}"`)
  if (NEXT[before.status].includes(after.status)) return
  throw new RefineError(
    'conflict',
    `An experiment that is ${before.status} cannot become ${after.status}; it can become: ${NEXT[before.status].join(', ')}.`,
    { fields: [{ pointer: '/status', message: `cannot follow "${before.status}"` }] },
  )
}

/**
 * Whether a version goes on with a phase, given what stood last in it. Coverage, texts and the stop rule (but for planned
 * looks) may change while an experiment runs, and arms be switched off; arms, weights, metrics and the unit change only
 * together with a salt that was never used, which starts a new phase, and so are arms switched on again.
 * @throws RefineError invalid_request (salt)
 */
export const checkPhase = (last: Experiment, after: Experiment): void => {
  if (last.status === 'draft') return
  if (splitOf(last) !== splitOf(after)) {
    throw invalidField('/salt', 'must change with unit, arms or weights: they move units')
  }
  if (treatmentsOf(last) !== treatmentsOf(after)) {
    throw invalidField('/salt', 'must change with what an arm does: outcomes would be mixed')
  }
  const revived = revivedOf(last, after)
  if (revived !== undefined) {
    throw invalidField(
      '/salt',
      `must change when an arm is switched on again: "${revived.name}" missed units and days that the others had`,
    )
  }
  if (measurementOf(last) !== measurementOf(after)) {
    throw invalidField(
      '/salt',
      'must change with metrics, allocation, mode and judge: sums would be mixed',
    )
  }
  if (plannedOf(last) !== plannedOf(after)) {
    throw invalidField(
      '/salt',
      'must change with planned looks and their α: they are laid down beforehand',
    )
  }
}
