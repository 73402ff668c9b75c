import { GroupWriter } from '../core/group-writer.ts'
import type { FeedbackRecord } from '../core/run-store.ts'
import { findRows, insertRows, type Database, type Statement } from './database.ts'

const MOST_TOGETHER = 512

/** What was said about runs. */
export class FeedbackLog {
  readonly #database: Database
  readonly #writer: GroupWriter<Statement>

  constructor(database: Database) {
    this.#database = database
    this.#writer = new GroupWriter({
      write: (statements) => database.write(statements),
      most: MOST_TOGETHER,
    })
  }

  /** Resolves when the records are durable, which all of them become together. */
  add(records: readonly FeedbackRecord[]): Promise<void> {
    const rows = records.map((record) => {
      const { id, run_id, at } = record
      return [id, run_id, at, JSON.stringify(record)]
    })
    return this.#writer.add(insertRows('feedback', ['id', 'run_id', 'at', 'body'], rows))
  }

  /** Of one run, oldest first. */
  async list(runId: string): Promise<FeedbackRecord[]> {
    const rows = await this.#database.all<{ body: string }>(
      'SELECT body FROM feedback WHERE run_id = ? ORDER BY at, id',
      runId,
    )
    return rows.map(({ body }) => JSON.parse(body) as FeedbackRecord)
  }

  /** Those of the ids that are there, in no order. */
  async find(ids: readonly string[]): Promise<FeedbackRecord[]> {
    const rows = await findRows<{ body: string }>(
      this.#database,
      { fields: 'f.body', from: 'feedback f' },
      ['f.id'],
      ids.map((id) => [id]),
    )
    return rows.map(({ body }) => JSON.parse(body) as FeedbackRecord)
  }

  /** Resolves when nothing waits to be written. */
  idle(): Promise<void> {
    return this.#writer.idle()
  }
}
