/** The port to where runs and their event logs are kept. Adapters live in `storage`. */
import type { RunEvent } from './event.ts'
import type { LogPiece } from './log-piece.ts'
import type { RunState, RunStatus } from './run-state.ts'

export interface RunRecord {
  /** The run as it was created, later as it ended. */
  readonly state: RunState
  /** Who may see it: hash of the API key that made it, or '' on a server without keys. */
  readonly owner: string
  /** The request as it came, so that a run can be repeated. */
  readonly request: unknown
}

export interface FeedbackRecord {
  readonly id: string
  readonly run_id: string
  readonly metric: string
  readonly value: boolean | number | string
  readonly source: string
  /** Which one of the source, such as a rater: the latest word of each counts. */
  readonly actor?: string
  readonly comment?: string
  readonly revision?: number
  readonly at: string
}

/** What makes two runs cost about the same. */
export interface RunKind {
  readonly strategy: string
  readonly model: string
  readonly options: Readonly<Record<string, unknown>>
}

export interface MeanUsage {
  readonly runs: number
  readonly calls: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cost: number
}

export interface RunPage {
  readonly owner: string
  readonly limit: number
  readonly order: 'asc' | 'desc'
  /** Run id to start behind, in the order asked for. */
  readonly after?: string
  readonly before?: string
  readonly status?: RunStatus
}

/** A part of all runs that have ended, by id: the order in which they were made. */
export interface RunScan {
  /** Whose runs; everybody's if absent. */
  readonly owner?: string
  /** Run id to go on behind, '' for the first; ids sort by time. */
  readonly after: string
  readonly limit: number
  /** ISO 8601: made at this time or later. */
  readonly from?: string
  /** ISO 8601: made before this time. */
  readonly to?: string
  readonly strategy?: string
  readonly model?: string
}

/** What is old enough to go. Ids of runs sort by time, so that one stands for an age. */
export interface Expiry {
  /** Ended runs with ids below this one go, with all that belongs to them. */
  readonly runsBefore?: string
  /** The events of ended runs with ids below this one go. */
  readonly eventsBefore?: string
  /** ISO 8601: feedback from before goes. */
  readonly feedbackBefore?: string
}

/** Names a request that may come again: the run it made is found by it for a while. */
export interface RequestKey {
  /** What was asked for, such as `POST /v1/runs`: keys of different routes are different keys. */
  readonly route: string
  /** Chosen by the caller. */
  readonly key: string
  /** SHA-256 of the canonical request. */
  readonly fingerprint: string
}

/** A message that has to reach an address outside, however often that has to be tried. */
export interface Delivery {
  readonly id: string
  readonly run_id: string
  readonly owner: string
  readonly url: string
  readonly body: string
  /** Tries so far. */
  readonly attempts: number
  /** When to try next, in milliseconds since 1970. */
  readonly due: number
  /** JSON of the `TraceContext` that it is part of; null or absent for none. */
  readonly trace?: string | null
}

export interface DeliveryStore {
  /** Those due at `now`, the most overdue first, at most `limit`. */
  due(now: number, limit: number): Promise<readonly Delivery[]>
  /** When the first of all is due that is due after `now`; undefined when there is none. */
  nextDue(now: number): Promise<number | undefined>
  retryLater(id: string, attempts: number, due: number): Promise<void>
  /** Forgets a delivery that arrived or was given up. */
  settle(id: string): Promise<void>
  /** The address wants no more: what is on the way to it is forgotten. */
  disable(owner: string, url: string): Promise<void>
  isDisabled(owner: string, url: string): Promise<boolean>
}

/**
 * Writes may be grouped: a write is durable when its promise resolves. All throw RefineError storage_unavailable where
 * the same may work later; whether a write was done is then not known.
 */
export interface RunStore {
  readonly deliveries: DeliveryStore
  /** Stores the run, its first event and the key it can be found by until `expires` (milliseconds) together. */
  create(
    record: RunRecord,
    created: RunEvent,
    key?: RequestKey & { readonly expires: number },
  ): Promise<void>
  /** The run that the owner's key made, unless the key has expired at `now` (milliseconds). */
  keyed(
    owner: string,
    key: Pick<RequestKey, 'route' | 'key'>,
    now: number,
  ): Promise<{ readonly runId: string; readonly fingerprint: string } | undefined>
  /** All or none. `again`: the same pieces were handed in before, and nobody knows what came of it. */
  append(pieces: readonly LogPiece[], again?: boolean): Promise<void>
  /** Keeps the final state beside the log, for fast reads, together with what has to be told outside. */
  finish(state: RunState, deliveries?: readonly Delivery[]): Promise<void>
  /** Removes the run with all that belongs to it. */
  remove(id: string): Promise<void>
  /** Removes some of what is old enough, at most `limit` rows of a kind; resolves with their number, 0 when all is gone. */
  expire(expiry: Expiry, limit: number): Promise<number>
  read(id: string): Promise<RunRecord | undefined>
  /** Events with a sequence above `after`, in order, at most `limit`. */
  events(id: string, after: number, limit: number): Promise<RunEvent[]>
  list(page: RunPage): Promise<{ readonly runs: readonly RunState[]; readonly hasMore: boolean }>
  /** Ended runs with their requests, oldest first, at most `limit`. */
  scan(scan: RunScan): Promise<readonly RunRecord[]>
  /** Mean usage of the completed runs of one kind, for estimates; undefined while there are none. */
  meanUsage(kind: RunKind): Promise<MeanUsage | undefined>
  /** Ids of the runs that were not finished: left behind by a crash, when asked at the start. */
  unfinished(): Promise<readonly string[]>
  /** Who may see each of the runs; those that are not there are left out. */
  owners(ids: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** Keeps all or none. */
  addFeedback(...feedback: readonly FeedbackRecord[]): Promise<void>
  /** On the run, oldest first. */
  feedback(runId: string): Promise<readonly FeedbackRecord[]>
  /** Those of the ids that are there, in no order. */
  feedbackById(ids: readonly string[]): Promise<readonly FeedbackRecord[]>
  /** Resolves when it answers. */
  check(): Promise<void>
  close(): Promise<void>
}
