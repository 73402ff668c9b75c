/** Deliveries on their way out, in the same file as the runs they tell of. */
import type Database from 'libsql'
import type { Delivery, DeliveryStore } from '../core/run-store.ts'

export class SqliteDeliveries implements DeliveryStore {
  readonly #database: Database.Database

  constructor(database: Database.Database) {
    this.#database = database
  }

  /** Part of the transaction that ends the run; nothing for an address that wants no more. */
  insert({ id, run_id, owner, url, body, attempts, due }: Delivery): void {
    this.#database
      .prepare(
        `INSERT OR IGNORE INTO deliveries (id, run_id, owner, url, body, attempts, due)
         SELECT ?, ?, ?, ?, ?, ?, ?
         WHERE NOT EXISTS (SELECT 1 FROM disabled_endpoints WHERE owner = ? AND url = ?)`,
      )
      .run(id, run_id, owner, url, body, attempts, due, owner, url)
  }

  async due(now: number, limit: number): Promise<Delivery[]> {
    return this.#database
      .prepare('SELECT * FROM deliveries WHERE due <= ? ORDER BY due LIMIT ?')
      .all(now, limit) as Delivery[]
  }

  async nextDue(now: number): Promise<number | undefined> {
    const row = this.#database
      .prepare('SELECT min(due) AS due FROM deliveries WHERE due > ?')
      .get(now) as { due: number | null }
    return row.due ?? undefined
  }

  async retryLater(id: string, attempts: number, due: number): Promise<void> {
    this.#database
      .prepare('UPDATE deliveries SET attempts = ?, due = ? WHERE id = ?')
      .run(attempts, due, id)
  }

  async settle(id: string): Promise<void> {
    this.#database.prepare('DELETE FROM deliveries WHERE id = ?').run(id)
  }

  async disable(owner: string, url: string): Promise<void> {
    this.#database.transaction(() => {
      this.#database
        .prepare('INSERT OR IGNORE INTO disabled_endpoints (owner, url) VALUES (?, ?)')
        .run(owner, url)
      this.#database.prepare('DELETE FROM deliveries WHERE owner = ? AND url = ?').run(owner, url)
    })()
  }

  async isDisabled(owner: string, url: string): Promise<boolean> {
    const row: unknown = this.#database
      .prepare('SELECT 1 FROM disabled_endpoints WHERE owner = ? AND url = ?')
      .get(owner, url)
    return row !== undefined
  }
}
