/** Runs, event logs and feedback in one database. */
import { canonicalJson } from '../core/canonical-json.ts'
import { isStorageOutage } from '../core/errors.ts'
import type { ExperimentStore } from '../core/experiment-store.ts'
import type { RunEvent } from '../core/event.ts'
import type { LogPiece } from '../core/log-piece.ts'
import type { RunState } from '../core/run-state.ts'
import type {
  Delivery,
  Expiry,
  FeedbackRecord,
  MeanUsage,
  RequestKey,
  RunKind,
  RunPage,
  RunRecord,
  RunScan,
  RunStore,
} from '../core/run-store.ts'
import { findRows, replacing, statement, type Database, type Statement } from './database.ts'
import { Deliveries, insertDelivery } from './deliveries.ts'
import { insertCreated, insertPieces, readEvents } from './event-log.ts'
import { Experiments } from './experiments.ts'
import { expire, removeRun } from './expiry.ts'
import { FeedbackLog } from './feedback-log.ts'
import { unavailable } from './outage.ts'
import { RunQueries, toRecord, type RunRow } from './run-queries.ts'

type ExpiringKey = RequestKey & { readonly expires: number }

const insertRun = ({ state, owner, request }: RunRecord): Statement =>
  statement(
    `INSERT INTO runs (id, owner, status, strategy, model, options, created_at, state, request, finished)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
    state.id,
    owner,
    state.status,
    state.strategy,
    state.model,
    canonicalJson(state.options),
    state.created_at,
    JSON.stringify(state),
    JSON.stringify(request),
  )

const KEY = 'owner, route, key'
const KEY_COLUMNS = ['fingerprint', 'run_id', 'expires']

const insertKey = (
  { state, owner }: RunRecord,
  { route, key, fingerprint, expires }: ExpiringKey,
): Statement[] => [
  statement('DELETE FROM request_keys WHERE expires <= ?', Date.now()),
  statement(
    `INSERT INTO request_keys (${KEY}, ${KEY_COLUMNS.join(', ')}) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT ${replacing(KEY, KEY_COLUMNS)}`,
    owner,
    route,
    key,
    fingerprint,
    state.id,
    Math.ceil(expires),
  ),
]

const finishRun = (state: RunState): Statement => {
  const { calls, input_tokens, output_tokens, cost } = state.usage
  return statement(
    `UPDATE runs SET state = ?, status = ?, calls = ?, input_tokens = ?, output_tokens = ?, cost = ?, finished = 1
     WHERE id = ?`,
    JSON.stringify(state),
    state.status,
    calls,
    input_tokens,
    output_tokens,
    cost,
    state.id,
  )
}

export class DatabaseRunStore implements RunStore {
  readonly deliveries: Deliveries
  /** Shares the database, and ends with it. */
  readonly experiments: ExperimentStore
  readonly #database: Database
  readonly #queries: RunQueries
  readonly #feedback: FeedbackLog
  #closing: Promise<void> | undefined

  constructor(database: Database) {
    this.#database = database
    this.experiments = new Experiments(database)
    this.deliveries = new Deliveries(database)
    this.#queries = new RunQueries(database)
    this.#feedback = new FeedbackLog(database)
  }

  async create(record: RunRecord, created: RunEvent, key?: ExpiringKey): Promise<void> {
    const keyed = key === undefined ? [] : insertKey(record, key)
    await this.#database.write([insertRun(record), ...insertCreated(created), ...keyed])
  }

  async keyed(owner: string, { route, key }: Pick<RequestKey, 'route' | 'key'>, now: number) {
    const [row] = await this.#database.all<{ run_id: string; fingerprint: string }>(
      `SELECT run_id, fingerprint FROM request_keys
       WHERE owner = ? AND route = ? AND key = ? AND expires > ?`,
      owner,
      route,
      key,
      Math.floor(now),
    )
    return row && { runId: row.run_id, fingerprint: row.fingerprint }
  }

  async append(pieces: readonly LogPiece[], again = false): Promise<void> {
    await this.#database.write(insertPieces(pieces, again))
  }

  async finish(state: RunState, deliveries: readonly Delivery[] = []): Promise<void> {
    await this.#database.write([...deliveries.map(insertDelivery), finishRun(state)])
  }

  async remove(id: string): Promise<void> {
    await this.#database.write(removeRun(id))
  }

  expire(expiry: Expiry, limit: number): Promise<number> {
    return expire(this.#database, expiry, limit)
  }

  async read(id: string): Promise<RunRecord | undefined> {
    const [row] = await this.#database.all<RunRow>(
      'SELECT state, owner, request FROM runs WHERE id = ?',
      id,
    )
    return row && toRecord(row)
  }

  events(id: string, after: number, limit: number): Promise<RunEvent[]> {
    return readEvents(this.#database, id, after, limit)
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
    const rows = await this.#database.all<{ id: string }>(
      'SELECT id FROM runs WHERE finished = 0 ORDER BY id',
    )
    return rows.map(({ id }) => id)
  }

  async owners(ids: readonly string[]): Promise<Map<string, string>> {
    const rows = await findRows<{ readonly id: string; readonly owner: string }>(
      this.#database,
      { fields: 'r.id, r.owner', from: 'runs r' },
      ['r.id'],
      ids.map((id) => [id]),
    )
    return new Map(rows.map(({ id, owner }) => [id, owner]))
  }

  addFeedback(...feedback: readonly FeedbackRecord[]): Promise<void> {
    return this.#feedback.add(feedback)
  }

  feedback(runId: string): Promise<readonly FeedbackRecord[]> {
    return this.#feedback.list(runId)
  }

  feedbackById(ids: readonly string[]): Promise<readonly FeedbackRecord[]> {
    return this.#feedback.find(ids)
  }

  async check(): Promise<void> {
    await this.#database.all('SELECT 1 AS one').catch((cause: unknown) => {
      throw isStorageOutage(cause) ? cause : unavailable(cause)
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#feedback.idle().then(() => this.#database.close())
    return this.#closing
  }
}
