/** The event logs: one row per event, written in groups. */
import type Database from 'libsql'
import type { RunEvent } from '../core/event.ts'

/** Events that are inserted by one call: each call costs more than a row. */
const ROWS = 32

const rowOf = (event: RunEvent): [string, number, string] => [
  event.run_id,
  event.sequence,
  JSON.stringify(event),
]

const insertOf = (rows: number): string =>
  `INSERT INTO events (run_id, sequence, body) VALUES ${Array(rows).fill('(?, ?, ?)').join(', ')}`

/** Must be used within a transaction of the caller's where several writes belong together. */
export class SqliteEvents {
  readonly #insertOne: Database.Statement
  readonly #insertMany: Database.Statement
  readonly #read: Database.Statement

  constructor(database: Database.Database) {
    this.#insertOne = database.prepare(insertOf(1))
    this.#insertMany = database.prepare(insertOf(ROWS))
    this.#read = database.prepare(
      'SELECT body FROM events WHERE run_id = ? AND sequence > ? ORDER BY sequence LIMIT ?',
    )
  }

  insert(events: readonly RunEvent[]): void {
    let at = 0
    for (; at + ROWS <= events.length; at += ROWS) {
      this.#insertMany.run(...events.slice(at, at + ROWS).flatMap(rowOf))
    }
    for (const event of events.slice(at)) this.#insertOne.run(...rowOf(event))
  }

  read(id: string, after: number, limit: number): RunEvent[] {
    const rows = this.#read.all(id, after, limit) as { body: string }[]
    return rows.map(({ body }) => JSON.parse(body) as RunEvent)
  }
}
