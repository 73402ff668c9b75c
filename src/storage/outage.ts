/** Tells what a database cannot do just now from what it will never do. */
import { RefineError } from '../core/errors.ts'

/** Of SQLite: somebody else has the file, the disk is full, or it does not take the write (a quota, a network folder). */
const SQLITE = /^SQLITE_(?:BUSY|LOCKED|FULL|IOERR)/

/**
 * Of PostgreSQL: classes 08 (connection) and 53 (no room, memory or connections left), 58 (what is below it); a server
 * that starts, stops, takes the session away or takes too long; a transaction that lost to another one.
 */
const SQLSTATE = /^(?:08|53|58)[0-9A-Z]{3}$|^(?:57014|57P0[1-5]|40001|40P01|55P03)$/

/** Of the connection itself; ENOENT is a local socket that is not there. */
const NETWORK = /^E(?:NOENT|CONN[A-Z]+|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|AI_AGAIN)$/

/** What the driver of PostgreSQL says without a code. */
const BROKEN =
  /^(?:Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error)/

const isOutage = (cause: unknown): boolean => {
  if (!(cause instanceof Error)) return false
  const { code, message } = cause as Error & { readonly code?: unknown }
  if (typeof code !== 'string') return BROKEN.test(message)
  return [SQLITE, SQLSTATE, NETWORK].some((kind) => kind.test(code))
}

/** That the database cannot do something just now. */
export const unavailable = (cause: unknown): RefineError =>
  new RefineError('storage_unavailable', 'The database does not answer at the moment.', {
    cause,
    retryAfter: 1,
  })

/** What to throw in place of what a driver threw: `storage_unavailable` where the same work may succeed later. */
export const explain = (cause: unknown): unknown => (isOutage(cause) ? unavailable(cause) : cause)
