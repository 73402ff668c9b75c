import type { RunEvent } from '../../src/core/event.ts'
import type { LogPiece } from '../../src/core/log-piece.ts'

/** Events of one run that follow one another, as a store takes them. */
export const pieceOf = (events: readonly RunEvent[]): LogPiece => ({
  runId: events[0]!.run_id,
  after: events[0]!.sequence - 1,
  texts: events.map((event) => JSON.stringify(event)),
})
