/**
 * Adds up facts inside one transaction. Sums are kept per unit and per arm, so that a value that comes late, or comes
 * again with a correction, takes the unit's earlier contribution out and puts the new one in.
 */
import type Database from 'libsql'
import type { ExperimentFact, Exposure, Outcome, Series } from '../core/experiment-store.ts'
import { mergeSums, NO_SUMS, subtractSums, sumsOf, type Sums } from '../core/sums.ts'

/** Stands for values of zero or less, which have no logarithmic bucket. */
export const ZERO_BUCKET = -1_000_000_000

interface UnitRow {
  readonly total: number
  readonly runs: number
}

/** A run whose outcomes count. */
interface RunRow {
  readonly phase: number
  readonly unit: string
  readonly arm: string
  readonly propensity: number
}

/** What one group of facts adds to one arm and metric; written once, when the group is applied. */
interface Change {
  sums: Sums
  runs: number
}

const NO_VALUES: UnitRow = { total: 0, runs: 0 }

const SUM_COLUMNS = [
  'units',
  'base',
  'total',
  'base_base',
  'total_total',
  'base_total',
  'covariate',
  'covariate_covariate',
  'covariate_total',
  'covariate_base',
] as const

const columnsOf = (sums: Sums): number[] => [
  sums.units,
  sums.base,
  sums.total,
  sums.baseBase,
  sums.totalTotal,
  sums.baseTotal,
  sums.covariate,
  sums.covariateCovariate,
  sums.covariateTotal,
  sums.covariateBase,
]

/** What the unit contributes to a metric; nothing until it has a value of every part. */
const contribution = (
  { denominator, covariate }: Series,
  parts: { readonly numerator: UnitRow; readonly base: UnitRow; readonly covariate: UnitRow },
  weight: number,
): Sums => {
  if (parts.numerator.runs === 0) return NO_SUMS
  if (denominator !== null && parts.base.runs === 0) return NO_SUMS
  const before = parts.covariate
  return sumsOf({
    total: parts.numerator.total,
    base: denominator === null ? parts.numerator.runs : parts.base.total,
    covariate: covariate === null || before.runs === 0 ? 0 : before.total / before.runs,
    weight,
  })
}

const prepareRows = (database: Database.Database) => ({
  expose: database.prepare(
    `INSERT OR IGNORE INTO experiment_exposures (phase, unit, arm, reason, bucket, propensity, run_id, at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  addRun: database.prepare(
    `INSERT OR IGNORE INTO experiment_runs (run_id, phase, unit, arm, reason, settled)
     VALUES (?, ?, ?, ?, ?, 0)`,
  ),
  settle: database.prepare('UPDATE experiment_runs SET settled = 1 WHERE run_id = ?'),
  // A unit that met an arm otherwise first, by force for instance, is in no comparison.
  run: database.prepare(
    `SELECT r.phase, r.unit, r.arm, e.propensity
     FROM experiment_runs r JOIN experiment_exposures e ON e.phase = r.phase AND e.unit = r.unit
     WHERE r.run_id = ? AND r.reason = 'assigned' AND e.reason = 'assigned' AND e.arm = r.arm`,
  ),
  value: database.prepare(
    `SELECT value, bucket FROM experiment_values
     WHERE phase = ? AND unit = ? AND name = ? AND run_id = ?`,
  ),
  setValue: database.prepare(
    `INSERT OR REPLACE INTO experiment_values (phase, unit, name, run_id, value, bucket)
     VALUES (?, ?, ?, ?, ?, ?)`,
  ),
  unit: database.prepare(
    'SELECT total, runs FROM experiment_units WHERE phase = ? AND unit = ? AND name = ?',
  ),
  setUnit: database.prepare(
    `INSERT OR REPLACE INTO experiment_units (phase, unit, name, total, runs) VALUES (?, ?, ?, ?, ?)`,
  ),
})

const prepareSums = (database: Database.Database) => ({
  addExposures: database.prepare(
    `INSERT INTO experiment_arms (phase, arm, exposures) VALUES (?, ?, ?)
     ON CONFLICT (phase, arm) DO UPDATE SET exposures = exposures + excluded.exposures`,
  ),
  addSums: database.prepare(
    `INSERT INTO experiment_sums (phase, arm, metric, runs, ${SUM_COLUMNS.join(', ')})
     VALUES (?, ?, ?, ?, ${SUM_COLUMNS.map(() => '?').join(', ')})
     ON CONFLICT (phase, arm, metric) DO UPDATE SET runs = runs + excluded.runs,
       ${SUM_COLUMNS.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')}`,
  ),
  addBucket: database.prepare(
    `INSERT INTO experiment_buckets (phase, arm, metric, bucket, runs) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (phase, arm, metric, bucket) DO UPDATE SET runs = runs + excluded.runs`,
  ),
})

type Statements = ReturnType<typeof prepareRows> & ReturnType<typeof prepareSums>

type PhaseOf = (phase: { readonly experiment: string; readonly salt: string }) => number

/** Not a transaction by itself: the caller wraps `apply` in one. */
export class ExperimentLedger {
  readonly #statements: Statements
  readonly #phaseOf: PhaseOf
  #exposures = new Map<string, number>()
  #changes = new Map<string, Change>()
  /** Rows of units as they are in this transaction. */
  #units = new Map<string, UnitRow>()

  constructor(database: Database.Database, phaseOf: PhaseOf) {
    this.#statements = { ...prepareRows(database), ...prepareSums(database) }
    this.#phaseOf = phaseOf
  }

  apply(facts: readonly ExperimentFact[]): void {
    this.#exposures = new Map()
    this.#changes = new Map()
    this.#units = new Map()
    for (const fact of facts) {
      if (fact.type === 'exposure') this.#expose(fact)
      else if (fact.type === 'outcome') this.#observe(fact)
      else this.#statements.settle.run(fact.runId)
    }
    this.#write()
  }

  #expose({ unit, arm, reason, bucket, propensity, runId, at, ...key }: Exposure): void {
    const phase = this.#phaseOf(key)
    const { expose, addRun } = this.#statements
    const { changes } = expose.run(phase, unit, arm, reason, bucket, propensity, runId, at)
    addRun.run(runId, phase, unit, arm, reason)
    if (changes === 0 || reason !== 'assigned') return
    const name = JSON.stringify([phase, arm])
    this.#exposures.set(name, (this.#exposures.get(name) ?? 0) + 1)
  }

  #observe(outcome: Outcome): void {
    const run = this.#statements.run.get(outcome.runId) as RunRow | undefined
    if (run === undefined) return
    const own = outcome.series.map((series) => {
      const weight = series.isWeighted ? 1 / run.propensity : 1
      return { series, weight, before: this.#contribution(run, series, weight) }
    })
    const isNew = this.#replace(run, outcome)
    for (const { series, weight, before } of own) {
      const after = this.#contribution(run, series, weight)
      const change = this.#changeOf(run, series.metric)
      change.sums = mergeSums(change.sums, subtractSums(after, before))
      if (isNew && series.numerator === outcome.name) change.runs += 1
    }
  }

  /** Whether the run had no value of this name before. */
  #replace({ phase, unit, arm }: RunRow, { runId, name, value, bucket }: Outcome): boolean {
    const { value: find, setValue, setUnit, addBucket } = this.#statements
    const before = find.get(phase, unit, name, runId) as
      | { value: number; bucket: number | null }
      | undefined
    const number = bucket === 'zero' ? ZERO_BUCKET : bucket
    setValue.run(phase, unit, name, runId, value, number)
    const own = this.#unitRow(phase, unit, name)
    const total = own.total + value - (before?.value ?? 0)
    const runs = own.runs + (before === undefined ? 1 : 0)
    setUnit.run(phase, unit, name, total, runs)
    this.#units.set(`${phase} ${unit} ${name}`, { total, runs })
    if (before !== undefined && before.bucket !== null) {
      addBucket.run(phase, arm, name, before.bucket, -1)
    }
    if (number !== null) addBucket.run(phase, arm, name, number, 1)
    return before === undefined
  }

  #contribution({ phase, unit }: RunRow, series: Series, weight: number): Sums {
    const read = (name: string | null): UnitRow =>
      name === null ? NO_VALUES : this.#unitRow(phase, unit, name)
    const { numerator, denominator, covariate } = series
    const parts = {
      numerator: read(numerator),
      base: read(denominator),
      covariate: read(covariate),
    }
    return contribution(series, parts, weight)
  }

  #unitRow(phase: number, unit: string, name: string): UnitRow {
    const id = `${phase} ${unit} ${name}`
    const known =
      this.#units.get(id) ??
      (this.#statements.unit.get(phase, unit, name) as UnitRow | undefined) ??
      NO_VALUES
    this.#units.set(id, known)
    return known
  }

  #changeOf({ phase, arm }: RunRow, metric: string): Change {
    const name = JSON.stringify([phase, arm, metric])
    const known = this.#changes.get(name) ?? { sums: NO_SUMS, runs: 0 }
    this.#changes.set(name, known)
    return known
  }

  #write(): void {
    const { addExposures, addSums } = this.#statements
    for (const [name, count] of this.#exposures) {
      const [phase, arm] = JSON.parse(name) as [number, string]
      addExposures.run(phase, arm, count)
    }
    for (const [name, { runs, sums }] of this.#changes) {
      const [phase, arm, metric] = JSON.parse(name) as [number, string, string]
      addSums.run(phase, arm, metric, runs, ...columnsOf(sums))
    }
  }
}
