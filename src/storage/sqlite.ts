/** Runs, event logs and feedback in one SQLite file: the store of a plain install. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import Database from 'libsql'
import { RefineError } from '../core/errors.ts'
import type { ExperimentStore } from '../core/experiment-store.ts'
import type { RunEvent } from '../core/event.ts'
import type { RunState } from '../core/run-state.ts'
import type {
  FeedbackRecord,
  MeanUsage,
  RunKind,
  RunPage,
  RunRecord,
  RunStore,
} from '../core/run-store.ts'
import { GroupedWrites } from './grouped-writes.ts'
import { migrate } from './migrations.ts'
import { SqliteExperiments } from './sqlite-experiments.ts'

const FILE = 'whetstone.db'

/** In place of a folder: a database that is gone when it is closed. */
export const IN_MEMORY = ':memory:'

interface RunRow {
  readonly state: string
  readonly owner: string
  readonly request: string
}

/** Options in one order, so that equal options are equal text. */
const canonical = (options: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(Object.entries(options).toSorted(([left], [right]) => (left < right ? -1 : 1)))

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
  /** Shares the file, and ends with it. */
  readonly experiments: ExperimentStore
  readonly #database: Database.Database
  readonly #insertEvent: Database.Statement
  readonly #create: (record: RunRecord, created: RunEvent) => void
  readonly #append: (events: readonly RunEvent[]) => void
  readonly #feedback: GroupedWrites<FeedbackRecord>

  constructor(database: Database.Database) {
    this.#database = database
    this.experiments = new SqliteExperiments(database)
    this.#insertEvent = database.prepare(
      'INSERT INTO events (run_id, sequence, body) VALUES (?, ?, ?)',
    )
    this.#create = database.transaction((record: RunRecord, created: RunEvent) => {
      this.#insertRun(record)
      this.#insert(created)
    })
    this.#append = database.transaction((events: readonly RunEvent[]) => {
      for (const event of events) this.#insert(event)
    })
    const addFeedback = database.prepare(
      'INSERT INTO feedback (id, run_id, at, body) VALUES (?, ?, ?, ?)',
    )
    this.#feedback = new GroupedWrites(
      database.transaction((records: readonly FeedbackRecord[]) => {
        for (const each of records) {
          addFeedback.run(each.id, each.run_id, each.at, JSON.stringify(each))
        }
      }),
    )
  }

  async create(record: RunRecord, created: RunEvent): Promise<void> {
    this.#create(record, created)
  }

  async append(events: readonly RunEvent[]): Promise<void> {
    this.#append(events)
  }

  async finish(state: RunState): Promise<void> {
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
    if (row === undefined) return undefined
    return {
      state: JSON.parse(row.state) as RunState,
      owner: row.owner,
      request: JSON.parse(row.request) as unknown,
    }
  }

  async events(id: string, after: number, limit: number): Promise<RunEvent[]> {
    const rows = this.#database
      .prepare(
        'SELECT body FROM events WHERE run_id = ? AND sequence > ? ORDER BY sequence LIMIT ?',
      )
      .all(id, after, limit) as { body: string }[]
    return rows.map(({ body }) => JSON.parse(body) as RunEvent)
  }

  async list(page: RunPage): Promise<{ runs: RunState[]; hasMore: boolean }> {
    const { owner, limit, order, after, before, status } = page
    const [from, to] = order === 'asc' ? [after, before] : [before, after]
    const conditions = ['owner = ?']
    const values: (string | number)[] = [owner]
    const add = (condition: string, value: string | undefined): void => {
      if (value === undefined) return
      conditions.push(condition)
      values.push(value)
    }
    add('id > ?', from)
    add('id < ?', to)
    add('status = ?', status)
    const rows = this.#database
      .prepare(
        `SELECT state FROM runs WHERE ${conditions.join(' AND ')} ORDER BY id ${order} LIMIT ?`,
      )
      .all(...values, limit + 1) as { state: string }[]
    const runs = rows.slice(0, limit).map(({ state }) => JSON.parse(state) as RunState)
    return { runs, hasMore: rows.length > limit }
  }

  async meanUsage({ strategy, model, options }: RunKind): Promise<MeanUsage | undefined> {
    const mean = this.#database
      .prepare(
        `SELECT count(*) AS runs, avg(calls) AS calls, avg(input_tokens) AS input_tokens,
                avg(output_tokens) AS output_tokens, avg(cost) AS cost
         FROM runs WHERE strategy = ? AND model = ? AND options = ? AND status = 'completed'`,
      )
      .get(strategy, model, canonical(options)) as MeanUsage
    return mean.runs === 0 ? undefined : mean
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

  async feedback(runId: string): Promise<FeedbackRecord[]> {
    const rows = this.#database
      .prepare('SELECT body FROM feedback WHERE run_id = ? ORDER BY at, id')
      .all(runId) as { body: string }[]
    return rows.map(({ body }) => JSON.parse(body) as FeedbackRecord)
  }

  async close(): Promise<void> {
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

  #insert(event: RunEvent): void {
    this.#insertEvent.run(event.run_id, event.sequence, JSON.stringify(event))
  }
}
