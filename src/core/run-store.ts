/** The port to where runs and their event logs are kept. Adapters live in `storage`. */
import type { RunEvent } from './event.ts'
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

/** Writes may be grouped: a write is durable when its promise resolves. */
export interface RunStore {
  /** Stores the run and its first event together. */
  create(record: RunRecord, created: RunEvent): Promise<void>
  append(events: readonly RunEvent[]): Promise<void>
  /** Keeps the final state beside the log, for fast reads. */
  finish(state: RunState): Promise<void>
  read(id: string): Promise<RunRecord | undefined>
  /** Events with a sequence above `after`, in order, at most `limit`. */
  events(id: string, after: number, limit: number): Promise<RunEvent[]>
  list(page: RunPage): Promise<{ readonly runs: readonly RunState[]; readonly hasMore: boolean }>
  /** Mean usage of the completed runs of one kind, for estimates; undefined while there are none. */
  meanUsage(kind: RunKind): Promise<MeanUsage | undefined>
  /** Ids of the runs that were not finished: left behind by a crash, when asked at the start. */
  unfinished(): Promise<readonly string[]>
  /** Removes the run with its log and feedback; nothing happens when there is none. */
  remove(id: string): Promise<void>
  addFeedback(feedback: FeedbackRecord): Promise<void>
  feedback(runId: string): Promise<readonly FeedbackRecord[]>
  close(): Promise<void>
}
