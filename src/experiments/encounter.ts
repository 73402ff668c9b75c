/** How a unit meets its arm, as facts that are stored. */
import type { Assignment } from '../core/event.ts'
import type { ExperimentFact, Exposure, Outcome } from '../core/experiment-store.ts'
import type { RunState } from '../core/run-state.ts'
import type { Arm, Experiment } from './experiment.ts'
import { phaseOf } from './looks.ts'
import { covariateOutcomes } from './outcome.ts'

/** An arm for one run, before the run exists. */
export interface AssignedArm {
  readonly arm: Arm
  /** As the run shows it. */
  readonly assignment: Assignment
  readonly experiment: Experiment
  /** Hash of the unit. */
  readonly unit: string
  readonly bucket: number
  readonly isRecorded: boolean
}

/** A unit met its arm. */
export interface Encounter {
  /** Of the run, or what stands in its place. */
  readonly runId: string
  readonly assigned: AssignedArm
  /** May hold covariates. */
  readonly metadata: RunState['metadata']
  /** When, ISO 8601; now if absent. */
  readonly at?: string
}

export const exposureOf = (
  { runId, assigned, at }: Encounter,
  now: string,
): ({ readonly type: 'exposure' } & Exposure)[] => {
  const { assignment, experiment, unit, bucket, isRecorded } = assigned
  const { arm, reason, propensity } = assignment
  if (!isRecorded) return []
  const met = { unit, arm, reason, bucket, propensity, runId, at: at ?? now }
  return [{ type: 'exposure', ...phaseOf(experiment), ...met }]
}

export const covariatesOf = ({ runId, assigned, metadata }: Encounter): ExperimentFact[] =>
  assigned.isRecorded ? covariateOutcomes(assigned.experiment, runId, metadata).map(toFact) : []

export const toFact = (outcome: Outcome): ExperimentFact => ({ type: 'outcome', ...outcome })
