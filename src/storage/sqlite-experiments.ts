/** Experiments in the SQLite file that runs are kept in. */
import type Database from 'libsql'
import type {
  ArmTally,
  ExperimentFact,
  ExperimentStore,
  ExperimentVersion,
  ExposedRun,
  Exposure,
  Look,
  MetricTally,
  Phase,
} from '../core/experiment-store.ts'
import { NO_SUMS, type Sums } from '../core/sums.ts'
import { ExperimentLedger, ZERO_BUCKET } from './experiment-ledger.ts'

interface VersionRow {
  readonly key: string
  readonly version: number
  readonly at: string
  readonly origin: 'api' | 'file'
  readonly definition: string
}

const toVersion = (row: VersionRow): ExperimentVersion => ({
  ...row,
  definition: JSON.parse(row.definition) as unknown,
})

interface SumRow {
  readonly arm: string
  readonly metric: string
  readonly runs: number
  readonly units: number
  readonly base: number
  readonly total: number
  readonly base_base: number
  readonly total_total: number
  readonly base_total: number
  readonly covariate: number
  readonly covariate_covariate: number
  readonly covariate_total: number
  readonly covariate_base: number
}

const toSums = (row: SumRow): Sums => ({
  units: row.units,
  base: row.base,
  total: row.total,
  baseBase: row.base_base,
  totalTotal: row.total_total,
  baseTotal: row.base_total,
  covariate: row.covariate,
  covariateCovariate: row.covariate_covariate,
  covariateTotal: row.covariate_total,
  covariateBase: row.covariate_base,
})

interface BucketRow {
  readonly arm: string
  readonly metric: string
  readonly bucket: number
  readonly runs: number
}

const sketchOf = (rows: readonly BucketRow[]): MetricTally['sketch'] => ({
  zeros: rows.find(({ bucket }) => bucket === ZERO_BUCKET)?.runs ?? 0,
  buckets: Object.fromEntries(
    rows
      .filter(({ bucket, runs }) => bucket !== ZERO_BUCKET && runs > 0)
      .map(({ bucket, runs }) => [bucket, runs]),
  ),
})

const EXPOSURE = `SELECT p.experiment, p.salt, e.unit, e.arm, e.reason, e.bucket, e.propensity,
    e.run_id AS runId, e.at
  FROM experiment_exposures e JOIN experiment_phases p ON p.id = e.phase
  WHERE e.phase = ? AND e.unit = ?`

export class SqliteExperiments implements ExperimentStore {
  readonly #database: Database.Database
  readonly #record: (facts: readonly ExperimentFact[]) => void
  readonly #phases = new Map<string, number>()
  readonly #statements = new Map<string, Database.Statement>()

  constructor(database: Database.Database) {
    this.#database = database
    const ledger = new ExperimentLedger(database, (phase) => this.#phaseOf(phase))
    this.#record = database.transaction((facts: readonly ExperimentFact[]) => ledger.apply(facts))
  }

  async experiments(): Promise<ExperimentVersion[]> {
    return this.#all<VersionRow>(
      `SELECT key, version, at, origin, definition FROM experiment_versions AS v
       WHERE version = (SELECT max(version) FROM experiment_versions WHERE key = v.key) ORDER BY key`,
    ).map(toVersion)
  }

  async version(key: string, version: number): Promise<ExperimentVersion | undefined> {
    return this.#all<VersionRow>(
      `SELECT key, version, at, origin, definition FROM experiment_versions
       WHERE key = ? AND version = ?`,
      key,
      version,
    ).map(toVersion)[0]
  }

  async fromFile(key: string): Promise<ExperimentVersion | undefined> {
    return this.#all<VersionRow>(
      `SELECT key, version, at, origin, definition FROM experiment_versions
       WHERE key = ? AND origin = 'file' ORDER BY version DESC LIMIT 1`,
      key,
    ).map(toVersion)[0]
  }

  async addVersion({ key, version, at, origin, definition }: ExperimentVersion): Promise<boolean> {
    const { changes } = this.#database
      .prepare(
        `INSERT OR IGNORE INTO experiment_versions (key, version, at, origin, definition)
         VALUES (?, ?, ?, ?, ?)`,
      )
      .run(key, version, at, origin, JSON.stringify(definition))
    return changes === 1
  }

  async record(facts: readonly ExperimentFact[]): Promise<void> {
    try {
      this.#record(facts)
    } catch (cause) {
      // A phase that was made in the transaction went with it.
      this.#phases.clear()
      throw cause
    }
  }

  async exposure(phase: Phase, unit: string): Promise<Exposure | undefined> {
    return this.#prepared(EXPOSURE).get(this.#phaseOf(phase), unit) as Exposure | undefined
  }

  async exposedRun(runId: string): Promise<ExposedRun | undefined> {
    return this.#prepared(
      `SELECT p.experiment, p.salt, r.unit, r.arm, r.reason
       FROM experiment_runs r JOIN experiment_phases p ON p.id = r.phase WHERE r.run_id = ?`,
    ).get(runId) as ExposedRun | undefined
  }

  async unsettled(): Promise<string[]> {
    return this.#all<{ run_id: string }>(
      'SELECT run_id FROM experiment_runs WHERE settled = 0 ORDER BY run_id',
    ).map(({ run_id }) => run_id)
  }

  async tallies(phase: Phase): Promise<ArmTally[]> {
    const id = this.#phaseOf(phase)
    const arms = this.#all<{ arm: string; exposures: number }>(
      'SELECT arm, exposures FROM experiment_arms WHERE phase = ?',
      id,
    )
    const sums = this.#all<SumRow>('SELECT * FROM experiment_sums WHERE phase = ?', id)
    const buckets = this.#all<BucketRow>(
      'SELECT arm, metric, bucket, runs FROM experiment_buckets WHERE phase = ?',
      id,
    )
    return arms.map(({ arm, exposures }) => {
      const own = buckets.filter((row) => row.arm === arm)
      const tally = (row: SumRow): [string, MetricTally] => {
        const sketch = sketchOf(own.filter(({ metric }) => metric === row.metric))
        // Additions and subtractions of rounded numbers leave dust where there is nothing.
        return [
          row.metric,
          { runs: row.runs, sketch, sums: row.units === 0 ? NO_SUMS : toSums(row) },
        ]
      }
      const metrics = Object.fromEntries(sums.filter((row) => row.arm === arm).map(tally))
      return { arm, exposures, metrics }
    })
  }

  async saveLook(phase: Phase, results: Look, point?: Look): Promise<void> {
    const id = this.#phaseOf(phase)
    const save = this.#database.transaction(() => {
      this.#insert('experiment_results', id, results)
      if (point !== undefined) this.#insert('experiment_course', id, point)
    })
    save()
  }

  async lastLook(phase: Phase): Promise<Look | undefined> {
    return this.#looks('experiment_results', this.#phaseOf(phase))[0]
  }

  async course(phase: Phase): Promise<Look[]> {
    return this.#looks('experiment_course', this.#phaseOf(phase))
  }

  #insert(table: 'experiment_results' | 'experiment_course', phase: number, look: Look): void {
    this.#database
      .prepare(`INSERT OR REPLACE INTO ${table} (phase, at, body) VALUES (?, ?, ?)`)
      .run(phase, look.at, JSON.stringify(look.body))
  }

  #looks(table: 'experiment_results' | 'experiment_course', phase: number): Look[] {
    return this.#all<{ at: string; body: string }>(
      `SELECT at, body FROM ${table} WHERE phase = ? ORDER BY at`,
      phase,
    ).map(({ at, body }) => ({ at, body: JSON.parse(body) as unknown }))
  }

  #phaseOf({ experiment, salt }: Phase): number {
    const name = JSON.stringify([experiment, salt])
    const known = this.#phases.get(name)
    if (known !== undefined) return known
    this.#database
      .prepare('INSERT OR IGNORE INTO experiment_phases (experiment, salt) VALUES (?, ?)')
      .run(experiment, salt)
    const [row] = this.#all<{ id: number }>(
      'SELECT id FROM experiment_phases WHERE experiment = ? AND salt = ?',
      experiment,
      salt,
    )
    this.#phases.set(name, row!.id)
    return row!.id
  }

  #all<Row>(sql: string, ...values: (string | number)[]): Row[] {
    return this.#prepared(sql).all(...values) as Row[]
  }

  /** Making a statement costs more than running it. The texts are few. */
  #prepared(sql: string): Database.Statement {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql)
    this.#statements.set(sql, known)
    return known
  }
}
