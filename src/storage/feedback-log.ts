import type { FeedbackRecord } from '../core/run-store.ts'
import { statement, type Database } from './database.ts'
import { GroupedWrites } from './grouped-writes.ts'

/** What was said about runs. */
export class FeedbackLog {
  readonly #database: Database
  readonly #writes: GroupedWrites

  constructor(database: Database) {
    this.#database = database
    this.#writes = new GroupedWrites(database)
  }

  /** Resolves when the record is durable. */
  add(record: FeedbackRecord): Promise<void> {
    const { id, run_id, at } = record
    const sql = 'INSERT INTO feedback (id, run_id, at, body) VALUES (?, ?, ?, ?)'
    return this.#writes.add([statement(sql, id, run_id, at, JSON.stringify(record))])
  }

  /** Of one run, oldest first. */
  async list(runId: string): Promise<FeedbackRecord[]> {
    const rows = await this.#database.all<{ body: string }>(
      'SELECT body FROM feedback WHERE run_id = ? ORDER BY at, id',
      runId,
    )
    return rows.map(({ body }) => JSON.parse(body) as FeedbackRecord)
  }

  /** Resolves when nothing waits to be written. */
  idle(): Promise<void> {
    return this.#writes.idle()
  }
}
