/**
 * Reads what is timed of an event, and of most events nothing else: the clients share their processor with the server,
 * and whoever parses twenty thousand events a second there measures JSON.
 */
import type { StreamEvent } from './run-watch.ts'

/** The envelope in the order in which the server writes it. */
const HEAD = /^\{"run_id":"[^"]*","sequence":(\d+),"at":"([^"]*)","type":"([^"]*)"/

/** One event in so many is read as a whole, so that what is not JSON does not pass. */
const WHOLE_EVERY = 32

let count = 0

/** @throws SyntaxError for what is not JSON, where it is read as a whole. */
export const readEvent = <Event extends StreamEvent>(text: string): Event => {
  const head = count++ % WHOLE_EVERY === 0 ? null : HEAD.exec(text)
  if (head === null) return JSON.parse(text) as Event
  return { sequence: Number(head[1]), at: head[2]!, type: head[3]! } as unknown as Event
}

/** Calls `see` with the data of each whole frame of an event stream; what it is fed may be cut anywhere. */
export const frameReader = (see: (data: string) => void): ((text: string) => void) => {
  let rest = ''
  return (text) => {
    rest += text
    let from = 0
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n', from)) {
      const start = rest.indexOf('data: ', from)
      if (start >= 0 && start < end) see(rest.slice(start + 'data: '.length, end))
      from = end + 2
    }
    rest = rest.slice(from)
  }
}
