/** Experiments in the database that runs are kept in. */
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
import { NO_SUMS } from '../core/sums.ts'
import { findRows, insertRows, replacing, type Database, type Statement } from './database.ts'
import { Duels } from './duels.ts'
import { Ledger } from './experiment-ledger.ts'
import {
  sketchOf,
  toSums,
  toVersion,
  type BucketRow,
  type SumRow,
  type VersionRow,
} from './experiment-tallies.ts'
import { loadRows, writeChanges } from './experiment-rows.ts'
import { forgetUnits } from './expiry.ts'

const EXPOSURE = `SELECT p.experiment, p.salt, e.unit, e.arm, e.reason, e.bucket, e.propensity,
    e.run_id AS "runId", e.at
  FROM experiment_exposures e JOIN experiment_phases p ON p.id = e.phase
  WHERE e.phase = ? AND e.unit = ?`

const EXPOSED_RUN = {
  fields: 'r.run_id, p.experiment, p.salt, r.unit, r.arm, r.reason, r.at',
  from: '(experiment_runs r JOIN experiment_phases p ON p.id = r.phase)',
}

const VERSION = 'SELECT key, version, at, origin, definition FROM experiment_versions'

type LookTable = 'experiment_results' | 'experiment_course'

export class Experiments implements ExperimentStore {
  readonly duels: Duels
  readonly #database: Database
  readonly #phases = new Map<string, number>()
  #recording: Promise<unknown> = Promise.resolve()

  constructor(database: Database) {
    this.#database = database
    this.duels = new Duels(database, (phase) => this.#phaseOf(phase))
  }

  async experiments(): Promise<ExperimentVersion[]> {
    const rows = await this.#database.all<VersionRow>(
      `${VERSION} AS v
       WHERE version = (SELECT max(version) FROM experiment_versions WHERE key = v.key) ORDER BY key`,
    )
    return rows.map(toVersion)
  }

  async version(key: string, version: number): Promise<ExperimentVersion | undefined> {
    const sql = `${VERSION} WHERE key = ? AND version = ?`
    const [row] = await this.#database.all<VersionRow>(sql, key, version)
    return row && toVersion(row)
  }

  async fromFile(key: string): Promise<ExperimentVersion | undefined> {
    const sql = `${VERSION} WHERE key = ? AND origin = 'file' ORDER BY version DESC LIMIT 1`
    const [row] = await this.#database.all<VersionRow>(sql, key)
    return row && toVersion(row)
  }

  async addVersion({ key, version, at, origin, definition }: ExperimentVersion): Promise<boolean> {
    const columns = ['key', 'version', 'at', 'origin', 'definition']
    const row = [key, version, at, origin, JSON.stringify(definition)]
    const [changes] = await this.#database.write(
      insertRows('experiment_versions', columns, [row], 'DO NOTHING'),
    )
    return changes === 1
  }

  /** One group after the other: each reads what the one before wrote. */
  record(facts: readonly ExperimentFact[]): Promise<void> {
    return this.#inTurn(() => this.#record(facts))
  }

  async exposure(phase: Phase, unit: string): Promise<Exposure | undefined> {
    const [row] = await this.#database.all<Exposure>(EXPOSURE, await this.#phaseOf(phase), unit)
    return row
  }

  async exposedRuns(runIds: readonly string[]): Promise<Map<string, ExposedRun>> {
    const rows = await findRows<ExposedRun & { readonly run_id: string }>(
      this.#database,
      EXPOSED_RUN,
      ['r.run_id'],
      runIds.map((id) => [id]),
    )
    return new Map(rows.map(({ run_id, ...run }) => [run_id, run]))
  }

  async unsettled(): Promise<string[]> {
    const rows = await this.#database.all<{ run_id: string }>(
      'SELECT run_id FROM experiment_runs WHERE settled = 0 ORDER BY run_id',
    )
    return rows.map(({ run_id }) => run_id)
  }

  forgetUnits(phase: Phase, limit: number): Promise<number> {
    return this.#inTurn(async () => forgetUnits(this.#database, await this.#phaseOf(phase), limit))
  }

  async tallies(phase: Phase): Promise<ArmTally[]> {
    const id = await this.#phaseOf(phase)
    const all = <Row>(columns: string, table: string): Promise<Row[]> =>
      this.#database.all<Row>(`SELECT ${columns} FROM ${table} WHERE phase = ?`, id)
    const arms = await all<{ arm: string; exposures: number }>('arm, exposures', 'experiment_arms')
    const sums = await all<SumRow>('*', 'experiment_sums')
    const buckets = await all<BucketRow>('arm, metric, bucket, runs', 'experiment_buckets')
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
    const id = await this.#phaseOf(phase)
    const course = point === undefined ? [] : keep('experiment_course', 'phase, at', id, point)
    await this.#database.write([...keep('experiment_results', 'phase', id, results), ...course])
  }

  async lastLook(phase: Phase): Promise<Look | undefined> {
    return (await this.#looks('experiment_results', phase))[0]
  }

  course(phase: Phase): Promise<Look[]> {
    return this.#looks('experiment_course', phase)
  }

  async #record(facts: readonly ExperimentFact[]): Promise<void> {
    const phases = new Map<string, number>()
    for (const fact of facts) {
      if (fact.type === 'exposure') phases.set(phaseName(fact), await this.#phaseOf(fact))
    }
    const phaseOf = (phase: Phase): number => phases.get(phaseName(phase))!
    const ledger = new Ledger(await loadRows(this.#database, facts, phaseOf), phaseOf)
    for (const fact of facts) ledger.apply(fact)
    await this.#database.write(writeChanges(ledger))
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const mine = this.#recording.then(work)
    this.#recording = mine.catch(() => undefined)
    return mine
  }

  async #looks(table: LookTable, phase: Phase): Promise<Look[]> {
    const rows = await this.#database.all<{ at: string; body: string }>(
      `SELECT at, body FROM ${table} WHERE phase = ? ORDER BY at`,
      await this.#phaseOf(phase),
    )
    return rows.map(({ at, body }) => ({ at, body: JSON.parse(body) as unknown }))
  }

  async #phaseOf({ experiment, salt }: Phase): Promise<number> {
    const name = phaseName({ experiment, salt })
    const known = this.#phases.get(name)
    if (known !== undefined) return known
    const find = 'SELECT id FROM experiment_phases WHERE experiment = ? AND salt = ?'
    const found = await this.#database.all<{ id: number }>(find, experiment, salt)
    if (found.length === 0) {
      const columns = ['experiment', 'salt']
      await this.#database.write(
        insertRows('experiment_phases', columns, [[experiment, salt]], 'DO NOTHING'),
      )
    }
    const [row] =
      found.length > 0 ? found : await this.#database.all<{ id: number }>(find, experiment, salt)
    this.#phases.set(name, row!.id)
    return row!.id
  }
}

const phaseName = ({ experiment, salt }: Phase): string => JSON.stringify([experiment, salt])

const keep = (table: LookTable, key: string, phase: number, { at, body }: Look): Statement[] =>
  insertRows(
    table,
    ['phase', 'at', 'body'],
    [[phase, at, JSON.stringify(body)]],
    replacing(key, ['at', 'body']),
  )
