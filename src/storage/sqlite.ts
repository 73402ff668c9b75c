/** Runs, event logs and feedback in one SQLite file: the store of a plain install. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import Database from 'libsql'
import { RefineError } from '../core/errors.ts'
import type { ExperimentStore } from '../core/experiment-store.ts'
import type { RunEvent } from '../core/event.ts'
import type { RunState } from '../core/run-state.ts'
import type {
  Delivery,
  FeedbackRecord,
  MeanUsage,
  RequestKey,
  RunKind,
  RunPage,
  RunRecord,
  RunScan,
  RunStore,
} from '../core/run-store.ts'
import { canonical, SqliteRunQueries, toRecord, type RunRow } from './sqlite-run-queries.ts'
import { migrate } from './migrations.ts'
import { SqliteDeliveries } from './sqlite-deliveries.ts'
import { SqliteEvents } from './sqlite-events.ts'
import { SqliteFeedback } from './sqlite-feedback.ts'
import { SqliteExperiments } from './sqlite-experiments.ts'

const FILE = 'whetstone.db'

/** In place of a folder: a database that is gone when it is closed. */
export const IN_MEMORY = ':memory:'

type ExpiringKey = RequestKey & { readonly expires: number }

/** What goes with a run when it is removed. */
const OWNED_TABLES = ['events', 'feedback', 'request_keys', 'deliveries']

const open = (folder: string): Database.Database => {
  const file = folder === IN_MEMORY ? IN_MEMORY : path.join(folder, FILE)
  try {
    if (folder !== IN_MEMORY) mkdirSync(folder, { recursive: true })
    const database = new Database(file)
    // One process owns the file: a second one would take the runs of the first for left-overs of a crash.
    database.pragma('locking_mode = EXCLUSIVE')
    database.pragma('journal_mode = WAL')
    // Survives the death of the process at any moment; a power cut may take the last transactions, never the file.
    database.pragma('synchronous = NORMAL')
    migrate(database)
    return database
  } catch (cause) {
    const busy = cause instanceof Error && /locked|busy/i.test(cause.message)
    const reason = busy
      ? 'another process uses it (give this one another --data, or reach a running server with --url)'
      : (cause as Error).message
    throw new RefineError('internal', `The database ${file} cannot be opened: ${reason}.`, {
      cause,
    })
  }
}

/** Opens (and creates) the database in the folder. @throws RefineError when it cannot be opened or is in use. */
export const openSqliteStore = (
  folder: string,
): RunStore & { readonly experiments: ExperimentStore } => new SqliteStore(open(folder))

class SqliteStore implements RunStore {
  readonly deliveries: SqliteDeliveries
  /** Shares the file, and ends with it. */
  readonly experiments: ExperimentStore
  readonly #database: Database.Database
  #isClosed = false
  readonly #events: SqliteEvents
  readonly #queries: SqliteRunQueries
  readonly #create: (record: RunRecord, created: RunEvent, key?: ExpiringKey) => void
  readonly #append: (events: readonly RunEvent[]) => void
  readonly #feedback: SqliteFeedback

  constructor(database: Database.Database) {
    this.#database = database
    this.experiments = new SqliteExperiments(database)
    this.deliveries = new SqliteDeliveries(database)
    this.#events = new SqliteEvents(database)
    this.#queries = new SqliteRunQueries(database)
    this.#create = database.transaction(
      (record: RunRecord, created: RunEvent, key?: ExpiringKey) => {
        this.#insertRun(record)
        this.#events.insert([created])
        if (key !== undefined) this.#insertKey(record, key)
      },
    )
    this.#append = database.transaction((events: readonly RunEvent[]) =>
      this.#events.insert(events),
    )
    this.#feedback = new SqliteFeedback(database)
  }

  async create(record: RunRecord, created: RunEvent, key?: ExpiringKey): Promise<void> {
    this.#create(record, created, key)
  }

  async keyed(owner: string, { route, key }: Pick<RequestKey, 'route' | 'key'>, now: number) {
    const row = this.#database
      .prepare(
        `SELECT run_id, fingerprint FROM request_keys
         WHERE owner = ? AND route = ? AND key = ? AND expires > ?`,
      )
      .get(owner, route, key, now) as { run_id: string; fingerprint: string } | undefined
    return row && { runId: row.run_id, fingerprint: row.fingerprint }
  }

  async remove(id: string): Promise<void> {
    const removals = ['runs WHERE id', ...OWNED_TABLES.map((table) => `${table} WHERE run_id`)]
    this.#database.transaction(() => {
      for (const from of removals) this.#database.prepare(`DELETE FROM ${from} = ?`).run(id)
    })()
  }

  async append(events: readonly RunEvent[]): Promise<void> {
    this.#append(events)
  }

  async finish(state: RunState, deliveries: readonly Delivery[] = []): Promise<void> {
    if (deliveries.length === 0) return this.#finish(state)
    this.#database.transaction(() => {
      for (const delivery of deliveries) this.deliveries.insert(delivery)
      this.#finish(state)
    })()
  }

  #finish(state: RunState): void {
    const { calls, input_tokens, output_tokens, cost } = state.usage
    this.#database
      .prepare(
        `UPDATE runs SET state = ?, status = ?, calls = ?, input_tokens = ?, output_tokens = ?, cost = ?, finished = 1
         WHERE id = ?`,
      )
      .run(JSON.stringify(state), state.status, calls, input_tokens, output_tokens, cost, state.id)
  }

  async read(id: string): Promise<RunRecord | undefined> {
    const row = this.#database
      .prepare('SELECT state, owner, request FROM runs WHERE id = ?')
      .get(id) as RunRow | undefined
    return row && toRecord(row)
  }

  async events(id: string, after: number, limit: number): Promise<RunEvent[]> {
    return this.#events.read(id, after, limit)
  }

  list(page: RunPage) {
    return this.#queries.list(page)
  }

  scan(scan: RunScan): Promise<RunRecord[]> {
    return this.#queries.scan(scan)
  }

  meanUsage(kind: RunKind): Promise<MeanUsage | undefined> {
    return this.#queries.meanUsage(kind)
  }

  async unfinished(): Promise<string[]> {
    const rows = this.#database
      .prepare('SELECT id FROM runs WHERE finished = 0 ORDER BY id')
      .all() as { id: string }[]
    return rows.map(({ id }) => id)
  }

  addFeedback(feedback: FeedbackRecord): Promise<void> {
    return this.#feedback.add(feedback)
  }

  feedback(runId: string): Promise<readonly FeedbackRecord[]> {
    return this.#feedback.list(runId)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#feedback.idle()
    // The driver holds the file until its statements are collected; the lock must not wait for that, and SQLite gives
    // an exclusive lock back only outside WAL, at the next read.
    this.#database.pragma('journal_mode = DELETE')
    this.#database.pragma('locking_mode = NORMAL')
    this.#database.prepare('SELECT count(*) FROM runs WHERE 0').get()
    this.#database.close()
  }

  #insertRun({ state, owner, request }: RunRecord): void {
    this.#database
      .prepare(
        `INSERT INTO runs (id, owner, status, strategy, model, options, created_at, state, request, finished)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
      )
      .run(
        state.id,
        owner,
        state.status,
        state.strategy,
        state.model,
        canonical(state.options),
        state.created_at,
        JSON.stringify(state),
        JSON.stringify(request),
      )
  }

  #insertKey({ state, owner }: RunRecord, { route, key, fingerprint, expires }: ExpiringKey): void {
    this.#database.prepare('DELETE FROM request_keys WHERE expires <= ?').run(Date.now())
    this.#database
      .prepare('INSERT OR REPLACE INTO request_keys VALUES (?, ?, ?, ?, ?, ?)')
      .run(owner, route, key, fingerprint, state.id, expires)
  }
}
