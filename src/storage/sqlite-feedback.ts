import type Database from 'libsql'
import type { FeedbackRecord } from '../core/run-store.ts'
import { GroupedWrites } from './grouped-writes.ts'

/** What was said about runs; shares the file of the runs, and ends with it. */
export class SqliteFeedback {
  readonly #list: Database.Statement
  readonly #writes: GroupedWrites<FeedbackRecord>

  constructor(database: Database.Database) {
    this.#list = database.prepare('SELECT body FROM feedback WHERE run_id = ? ORDER BY at, id')
    const insert = database.prepare(
      'INSERT INTO feedback (id, run_id, at, body) VALUES (?, ?, ?, ?)',
    )
    this.#writes = new GroupedWrites(
      database.transaction((records: readonly FeedbackRecord[]) => {
        for (const each of records) {
          insert.run(each.id, each.run_id, each.at, JSON.stringify(each))
        }
      }),
    )
  }

  /** Resolves when the record is durable. */
  add(record: FeedbackRecord): Promise<void> {
    return this.#writes.add(record)
  }

  /** Of one run, oldest first. */
  async list(runId: string): Promise<FeedbackRecord[]> {
    const rows = this.#list.all(runId) as { body: string }[]
    return rows.map(({ body }) => JSON.parse(body) as FeedbackRecord)
  }

  /** Resolves when nothing waits to be written. */
  idle(): Promise<void> {
    return this.#writes.idle()
  }
}
