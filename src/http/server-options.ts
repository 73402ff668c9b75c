/** What the transport is given, and its limits with their defaults. */
import type { FastifyBaseLogger } from 'fastify'
import type { Experiments } from '../experiments/experiments.ts'
import type { RunExports } from '../exports/run-exports.ts'
import type { RunService } from '../runs/run-service.ts'
import type { Attendance } from './attendance.ts'
import type { Metrics } from './metrics.ts'
import type { SocketTickets } from './socket-tickets.ts'
import type { Cancellation } from './plugins/cancellation.ts'

/** A key that may call the server: the server knows only its hash. */
export interface ApiKey {
  readonly name: string
  /** SHA-256 of the key, 64 hexadecimal digits. */
  readonly sha256: string
}

export interface Limits {
  /** Largest request body, in bytes. */
  readonly bodyBytes: number
  /** Largest body of a request that takes a conversation, with images in base64. */
  readonly imageBodyBytes: number
  /** Bytes of all bodies that are read or kept at the same time; a run keeps its own. */
  readonly bodiesBytes: number
  /** Pause after which an idle event stream gets a comment, in seconds. */
  readonly heartbeatSeconds: number
  /** How long a reader of an event stream may leave a full buffer unread before it is closed, in seconds. */
  readonly stallSeconds: number
  /** Largest message on a socket, in bytes. */
  readonly messageBytes: number
  /** Streams that one socket may have at a time. */
  readonly streamsPerSocket: number
  /** New runs that one socket may begin per second, after a first handful of as many as it may have streams. */
  readonly runsPerSecond: number
  /** Age at which a socket is closed, in seconds; a minute before, or a tenth of it, it is told. */
  readonly socketSeconds: number
  /** Time between two pings on a socket, in seconds; the second one missed in a row ends the connection. */
  readonly pingSeconds: number
}

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 1_048_576,
  imageBodyBytes: 20_971_520,
  bodiesBytes: 268_435_456,
  heartbeatSeconds: 15,
  stallSeconds: 30,
  messageBytes: 1_048_576,
  streamsPerSocket: 16,
  runsPerSecond: 5,
  socketSeconds: 3600,
  pingSeconds: 25,
}

/** Among the origins: pages of any. */
export const ANY_ORIGIN = '*'

export interface ServerOptions {
  readonly runs: RunService
  readonly experiments: Experiments
  readonly exports: RunExports
  /** Who may choose the arm of a unit; everybody if absent. */
  readonly mayForce?: (owner: string) => boolean
  readonly log: FastifyBaseLogger
  readonly version: string
  /** Without keys everybody may call, and every run has the owner ''. */
  readonly keys?: readonly ApiKey[]
  /** Origins of web pages, such as `https://example.org`, that may call the server beside its own; `*` is any. */
  readonly origins?: readonly string[]
  readonly limits?: Partial<Limits>
}

/** What every route gets. */
export interface HttpContext {
  readonly runs: RunService
  readonly experiments: Experiments
  readonly exports: RunExports
  readonly mayForce: (owner: string) => boolean
  readonly version: string
  readonly origins: readonly string[]
  readonly limits: Limits
  readonly cancellation: Cancellation
  readonly attendance: Attendance
  readonly metrics: Metrics
  readonly tickets: SocketTickets
}
