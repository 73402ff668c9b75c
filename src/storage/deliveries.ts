/** Deliveries on their way out, beside the runs they tell of. */
import type { Delivery, DeliveryStore } from '../core/run-store.ts'
import { statement, type Database, type Statement } from './database.ts'

/** Part of the write that ends the run; nothing for an address that wants no more. */
export const insertDelivery = (delivery: Delivery): Statement => {
  const { id, run_id, owner, url, body, attempts, due, trace = null } = delivery
  return statement(
    `INSERT INTO deliveries (id, run_id, owner, url, body, attempts, due, trace)
     SELECT ?, ?, ?, ?, ?, CAST(? AS BIGINT), CAST(? AS BIGINT), ?
     WHERE NOT EXISTS (SELECT 1 FROM disabled_endpoints WHERE owner = ? AND url = ?)
     ON CONFLICT DO NOTHING`,
    id,
    run_id,
    owner,
    url,
    body,
    attempts,
    Math.ceil(due),
    trace,
    owner,
    url,
  )
}

export class Deliveries implements DeliveryStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  due(now: number, limit: number): Promise<Delivery[]> {
    return this.#database.all<Delivery>(
      'SELECT * FROM deliveries WHERE due <= ? ORDER BY due LIMIT ?',
      Math.floor(now),
      limit,
    )
  }

  async nextDue(now: number): Promise<number | undefined> {
    const [row] = await this.#database.all<{ due: number | null }>(
      'SELECT min(due) AS due FROM deliveries WHERE due > ?',
      Math.floor(now),
    )
    return row?.due ?? undefined
  }

  async retryLater(id: string, attempts: number, due: number): Promise<void> {
    const sql = 'UPDATE deliveries SET attempts = ?, due = ? WHERE id = ?'
    await this.#database.write([statement(sql, attempts, Math.ceil(due), id)])
  }

  async settle(id: string): Promise<void> {
    await this.#database.write([statement('DELETE FROM deliveries WHERE id = ?', id)])
  }

  async disable(owner: string, url: string): Promise<void> {
    await this.#database.write([
      statement(
        'INSERT INTO disabled_endpoints (owner, url) VALUES (?, ?) ON CONFLICT DO NOTHING',
        owner,
        url,
      ),
      statement('DELETE FROM deliveries WHERE owner = ? AND url = ?', owner, url),
    ])
  }

  async isDisabled(owner: string, url: string): Promise<boolean> {
    const rows = await this.#database.all(
      'SELECT 1 AS found FROM disabled_endpoints WHERE owner = ? AND url = ?',
      owner,
      url,
    )
    return rows.length > 0
  }
}
