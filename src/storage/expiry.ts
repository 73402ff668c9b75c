/** Removes what is old, a little at a time: nothing else waits long for it. */
import type { Expiry } from '../core/run-store.ts'
import { statement, type Database, type Statement } from './database.ts'

/** Rows of the events that may go, found by the key of the table. */
const expireEvents = (before: string, limit: number): Statement =>
  statement(
    `DELETE FROM events WHERE (run_id, sequence) IN (
       SELECT run_id, sequence FROM events
       WHERE run_id < ? AND run_id NOT IN (SELECT id FROM runs WHERE finished = 0)
       ORDER BY run_id, sequence LIMIT ?)`,
    before,
    limit,
  )

const expireFeedback = (before: string, limit: number): Statement =>
  statement(
    'DELETE FROM feedback WHERE id IN (SELECT id FROM feedback WHERE at < ? ORDER BY at LIMIT ?)',
    before,
    limit,
  )

/** A run goes when its events are gone, so that no statement removes more rows than a few for each run. */
const OLD_RUNS = `SELECT id FROM runs WHERE id < ? AND finished = 1
  AND NOT EXISTS (SELECT 1 FROM events WHERE run_id = runs.id) ORDER BY id LIMIT ?`

const GOES_WITH_RUN = ['feedback', 'request_keys', 'deliveries', 'experiment_runs']

/** The run, and that of the other arm that answered the same prompt for a duel and that nobody saw. */
const RUN_AND_HIDDEN =
  'SELECT ? UNION SELECT other_run_id FROM experiment_duels WHERE run_id = ? AND ending IS NOT NULL AND other_run_id IS NOT NULL'

/** Removes a run that has ended with all that goes with it; what was counted of it stays. */
export const removeRun = (id: string): Statement[] =>
  [...['events', ...GOES_WITH_RUN].map((table) => `${table} WHERE run_id`), 'runs WHERE id'].map(
    (rows) => statement(`DELETE FROM ${rows} IN (${RUN_AND_HIDDEN})`, id, id),
  )

const expireRuns = (before: string, limit: number): Statement[] => [
  ...GOES_WITH_RUN.map((table) =>
    statement(`DELETE FROM ${table} WHERE run_id IN (${OLD_RUNS})`, before, limit),
  ),
  statement(`DELETE FROM runs WHERE id IN (${OLD_RUNS})`, before, limit),
]

const later = (left: string | undefined, right: string | undefined): string | undefined =>
  left === undefined || (right !== undefined && right > left) ? right : left

/** Resolves with the number of rows that went, those that go with a run not counted. */
export const expire = async (
  database: Database,
  { runsBefore, eventsBefore, feedbackBefore }: Expiry,
  limit: number,
): Promise<number> => {
  const events = later(runsBefore, eventsBefore)
  const groups = [
    events === undefined ? [] : [expireEvents(events, limit)],
    runsBefore === undefined ? [] : expireRuns(runsBefore, limit),
    feedbackBefore === undefined ? [] : [expireFeedback(feedbackBefore, limit)],
  ]
  let count = 0
  for (const group of groups) count += (await database.write(group)).at(-1) ?? 0
  return count
}

const UNITS = 'SELECT unit FROM experiment_exposures WHERE phase = ? ORDER BY unit LIMIT ?'
const OF_UNITS = ['experiment_values', 'experiment_units', 'experiment_exposures']

/** Removes the first units of the phase with what is known of them; resolves with their number. */
export const forgetUnits = async (
  database: Database,
  phase: number,
  limit: number,
): Promise<number> => {
  const runs = ['experiment_values', 'experiment_exposures'].map((table) =>
    statement(
      `DELETE FROM experiment_runs WHERE run_id IN (
         SELECT run_id FROM ${table} WHERE phase = ? AND unit IN (${UNITS}))`,
      phase,
      phase,
      limit,
    ),
  )
  const rows = OF_UNITS.map((table) =>
    statement(`DELETE FROM ${table} WHERE phase = ? AND unit IN (${UNITS})`, phase, phase, limit),
  )
  return (await database.write([...runs, ...rows])).at(-1) ?? 0
}
