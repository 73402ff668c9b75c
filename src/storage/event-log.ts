/** The event logs. A row is a piece of a log, one event on each line, under the sequence of its last one. */
import type { RunEvent } from '../core/event.ts'
import { parseEvent, PIECE_EVENTS, type LogPiece } from '../core/log-piece.ts'
import { insertRows, type Database, type Statement } from './database.ts'

/** `again`: they may be there already, by a write of whose success nobody heard. */
export const insertPieces = (pieces: readonly LogPiece[], again: boolean): Statement[] =>
  insertRows(
    'events',
    ['run_id', 'sequence', 'body'],
    pieces.map(({ runId, after, texts }) => [runId, after + texts.length, texts.join('\n')]),
    again ? 'DO NOTHING' : undefined,
  )

/** The first event, which is stored with its run. */
export const insertCreated = (created: RunEvent): Statement[] =>
  insertRows(
    'events',
    ['run_id', 'sequence', 'body'],
    [[created.run_id, created.sequence, JSON.stringify(created)]],
  )

interface Row {
  readonly sequence: number
  readonly body: string
}

/** Sequences have no gaps: the rows with what is wanted end within it, or less than a row behind it. */
export const readEvents = async (
  database: Database,
  id: string,
  after: number,
  limit: number,
): Promise<RunEvent[]> => {
  const rows = await database.all<Row>(
    'SELECT sequence, body FROM events WHERE run_id = ? AND sequence > ? AND sequence < ? ORDER BY sequence',
    id,
    after,
    after + limit + PIECE_EVENTS,
  )
  return rows
    .flatMap(({ sequence, body }) => {
      const texts = body.split('\n')
      return texts.slice(Math.max(0, after - (sequence - texts.length)))
    })
    .slice(0, limit)
    .map(parseEvent)
}
