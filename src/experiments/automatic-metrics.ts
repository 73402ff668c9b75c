/** What is measured of every run that ends, under reserved names, so that a metric needs nobody to report it. */
import { invalidField } from '../core/errors.ts'
import { STOP_REASONS } from '../core/event.ts'
import type { RunState } from '../core/run-state.ts'
import { ROLES } from '../core/task.ts'
import type { Metric } from './experiment.ts'

/** Names that begin with this are measured here and cannot be reported. */
export const AUTOMATIC = 'auto.'

type Measurement = Pick<Metric, 'type'> & {
  /** Undefined where the run has no such value. */
  readonly of: (run: RunState, firstRevisionAt: string | undefined) => number | boolean | undefined
}

const secondsBetween = (from: string, to: string | null | undefined): number | undefined =>
  to === null || to === undefined ? undefined : (Date.parse(to) - Date.parse(from)) / 1000

const number = (of: Measurement['of']): Measurement => ({ type: 'number', of })
const truth = (of: Measurement['of']): Measurement => ({ type: 'boolean', of })

const byRole = ROLES.map((role): [string, Measurement] => [
  `tokens.${role}`,
  number(({ usage }) => {
    const own = usage.by_role[role]
    return own === undefined ? 0 : own.input_tokens + own.output_tokens
  }),
])

const byStopReason = STOP_REASONS.map((reason): [string, Measurement] => [
  `stop.${reason}`,
  truth((run) => run.stop_reason === reason),
])

const MEASUREMENTS: ReadonlyMap<string, Measurement> = new Map<string, Measurement>([
  ['seconds', number(({ created_at, ended_at }) => secondsBetween(created_at, ended_at))],
  [
    'first_revision_seconds',
    number(({ created_at }, firstRevisionAt) => secondsBetween(created_at, firstRevisionAt)),
  ],
  ['calls', number(({ usage }) => usage.calls)],
  ['tokens', number(({ usage }) => usage.input_tokens + usage.output_tokens)],
  ['input_tokens', number(({ usage }) => usage.input_tokens)],
  ['output_tokens', number(({ usage }) => usage.output_tokens)],
  ['cost', number(({ usage }) => usage.cost)],
  ['revisions', number(({ revisions }) => revisions.length)],
  ['score', number(({ answer }) => answer?.score ?? undefined)],
  ['schema_valid', truth(({ measures }) => measures?.schema_valid ?? undefined)],
  ['failed', truth(({ status }) => status === 'failed')],
  ['cancelled', truth(({ status }) => status === 'cancelled')],
  ...byRole,
  ...byStopReason,
])

/** All reserved names, each with `auto.` before it. */
export const AUTOMATIC_NAMES: readonly string[] = [...MEASUREMENTS.keys()].map(
  (name) => AUTOMATIC + name,
)

/** The value of a reserved name for a run that has ended; undefined where it has none. */
export const measureRun = (
  name: string,
  run: RunState,
  firstRevisionAt: string | undefined,
): number | boolean | undefined =>
  MEASUREMENTS.get(name.slice(AUTOMATIC.length))?.of(run, firstRevisionAt)

const known = (name: string, pointer: string): Measurement => {
  const measurement = MEASUREMENTS.get(name.slice(AUTOMATIC.length))
  if (measurement !== undefined) return measurement
  throw invalidField(pointer, `"${name}" is not measured; there are: ${AUTOMATIC_NAMES.join(', ')}`)
}

/** @throws RefineError invalid_request when a reserved name is unknown or has another type. */
export const checkAutomaticMetrics = (metrics: readonly Metric[]): void => {
  for (const [index, { name, type, denominator }] of metrics.entries()) {
    if (denominator?.startsWith(AUTOMATIC) === true) {
      known(denominator, `/metrics/${index}/denominator`)
    }
    if (!name.startsWith(AUTOMATIC)) continue
    const measurement = known(name, `/metrics/${index}/name`)
    if (measurement.type !== type) {
      throw invalidField(`/metrics/${index}/type`, `"${name}" is of type ${measurement.type}`)
    }
  }
}
