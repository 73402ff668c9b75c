/** A run's log as it is passed on: as text, which is made once for the store and for everyone who watches. */
import type { RunEvent } from './event.ts'

/** Events of one run, without a gap. */
export interface LogPiece {
  readonly runId: string
  /** The sequence that the first one follows. */
  readonly after: number
  /** Each event as JSON on one line. */
  readonly texts: readonly string[]
}

/** Most characters of a piece of more than one event, and most events: a reader that is slow holds one piece. */
const PIECE_LENGTH = 32_768
export const PIECE_EVENTS = 64

/** As many of the texts from `from` on, before `to`, as one piece may have; one at least where there is one. */
export const cutPiece = (texts: readonly string[], from: number, to: number): string[] => {
  const most = Math.min(to, from + PIECE_EVENTS)
  let length = 0
  let end = from
  while (end < most && (end === from || length + texts[end]!.length <= PIECE_LENGTH)) {
    length += texts[end]!.length
    end++
  }
  return texts.slice(from, end)
}

/** The log comes first in each event, so nothing that a model wrote can be taken for its type. */
const TYPE = /"type":"([a-z_.]+)"/

export const typeOfText = (text: string): string => TYPE.exec(text)![1]!

export const parseEvent = (text: string): RunEvent => JSON.parse(text) as RunEvent
