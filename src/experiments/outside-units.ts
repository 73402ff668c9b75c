/**
 * Units whose work is done elsewhere: they get their arms by the same rule as runs, and an exposure of theirs stands in
 * the place of a run, so that feedback can be given on it.
 */
import { hash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { RefineError } from '../core/errors.ts'
import type { AssignedArm } from './encounter.ts'
import { LARGEST_VALUE } from './experiment.ts'
import type { Experiments } from './experiments.ts'

export const MOST_UNITS = 1000

const Unit = {
  unit: Type.String({
    minLength: 1,
    maxLength: 512,
    description: 'What gets an arm, such as a user; only its hash is kept.',
  }),
  variant: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description: 'An arm to be forced, for trying it out; such units are not analysed.',
    }),
  ),
}

const rows = <Row extends Type.TSchema>(row: Row, $id: string) =>
  Type.Object(
    { data: Type.Array(row, { minItems: 1, maxItems: MOST_UNITS }) },
    { additionalProperties: false, $id },
  )

export const UnitRows = rows(
  Type.Object(Unit, { additionalProperties: false }),
  'ExperimentUnitRows',
)

const ExposedUnit = Type.Object(
  {
    ...Unit,
    covariates: Type.Optional(
      Type.Record(
        Type.String({ maxLength: 128 }),
        Type.Union([
          Type.Number({ minimum: -LARGEST_VALUE, maximum: LARGEST_VALUE }),
          Type.Boolean(),
        ]),
        {
          maxProperties: 64,
          description: 'What was known before, for metrics that name it.',
        },
      ),
    ),
  },
  { additionalProperties: false },
)
export type ExposedUnit = Static<typeof ExposedUnit>

export const ExposureRows = rows(ExposedUnit, 'ExperimentExposureRows')

/** Whose units they are, and whether they may be given an arm by name. */
export interface OutsideCaller {
  readonly owner: string
  readonly mayForce: boolean
}

const ID = 'exposure_'

export const isExposureId = (id: string): boolean => id.startsWith(ID)

/** The same for the same owner, phase and unit: an exposure that comes again changes nothing. */
const exposureId = (owner: string, { experiment, unit }: AssignedArm): string => {
  const name = JSON.stringify([owner, experiment.key, experiment.salt, unit])
  return ID + hash('sha256', name).slice(0, 24)
}

/** Says which of the rows is at fault. */
const inRow = async <Value>(index: number, work: Promise<Value>): Promise<Value> => {
  try {
    return await work
  } catch (cause) {
    if (!(cause instanceof RefineError)) throw cause
    const fields = cause.fields.map(({ pointer, message }) => ({
      pointer: `/data/${index}${pointer.replace('/experiment', '')}`,
      message,
    }))
    throw new RefineError(cause.code, `Row ${index}: ${cause.message}`, { fields, cause })
  }
}

export class OutsideUnits {
  readonly #experiments: Experiments

  constructor(experiments: Experiments) {
    this.#experiments = experiments
  }

  /**
   * The arms of the units, in their order. Records nothing.
   * @throws RefineError not_found without such an experiment; invalid_request naming the row
   */
  assign(
    key: string,
    units: readonly ExposedUnit[],
    { mayForce }: OutsideCaller,
  ): Promise<AssignedArm[]> {
    this.#experiments.definitions.get(key)
    const caller = { conversation: '', question: '', mayForce }
    return Promise.all(
      units.map(({ unit, variant }, index) => {
        const participation = { key, unit, ...(variant !== undefined && { variant }) }
        return inRow(index, this.#experiments.assign(participation, caller))
      }),
    )
  }

  /**
   * The units meet their arms now. Resolves when all that count are durable, with the arms and the ids under which
   * feedback is given; null for units that have no part in the experiment, of which nothing is kept.
   * @throws RefineError as `assign`; overloaded
   */
  async expose(
    key: string,
    units: readonly ExposedUnit[],
    caller: OutsideCaller,
  ): Promise<{ readonly assigned: AssignedArm; readonly id: string | null }[]> {
    const arms = await this.assign(key, units, caller)
    const exposures = arms.map((assigned, index) => ({
      runId: exposureId(caller.owner, assigned),
      assigned,
      metadata: units[index]!.covariates ?? {},
    }))
    await this.#experiments.exposedOutside(exposures)
    return exposures.map(({ runId, assigned }) => ({
      assigned,
      id: assigned.isRecorded ? runId : null,
    }))
  }
}
