/** The event logs: one row per event, written in groups. */
import type { RunEvent } from '../core/event.ts'
import { insertRows, type Database, type Statement } from './database.ts'

export const insertEvents = (events: readonly RunEvent[]): Statement[] =>
  insertRows(
    'events',
    ['run_id', 'sequence', 'body'],
    events.map((event) => [event.run_id, event.sequence, JSON.stringify(event)]),
  )

export const readEvents = async (
  database: Database,
  id: string,
  after: number,
  limit: number,
): Promise<RunEvent[]> => {
  const rows = await database.all<{ body: string }>(
    'SELECT body FROM events WHERE run_id = ? AND sequence > ? ORDER BY sequence LIMIT ?',
    id,
    after,
    limit,
  )
  return rows.map(({ body }) => JSON.parse(body) as RunEvent)
}
