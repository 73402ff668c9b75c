/** What transports see of runs: `http` and `cli` use this and nothing else of the inside. */
import type { RunEvent } from '../core/event.ts'
import type { LogPiece } from '../core/log-piece.ts'
import type { Feedback, RoleCost } from '../core/strategy.ts'
import type { Capability, CapabilityRecord, Price } from '../core/language-model.ts'
import type { FeedbackRecord, RequestKey, RunPage } from '../core/run-store.ts'
import type { RunState } from '../core/run-state.ts'
import type { Steering } from '../core/steering.ts'
import type { TraceContext } from '../core/trace.ts'
import type { WriterLoad } from './event-writer.ts'
import type { CreatedRun } from './request-keys.ts'
import type { PolicyStatus } from './quotas.ts'
import type { RunRequest } from './run-request.ts'

/** Entry of `GET /v1/strategies`; `options` is a JSON Schema of type object. */
export interface StrategyDescription {
  readonly name: string
  readonly description: string
  readonly feedback: Feedback
  readonly requires: readonly Capability[]
  readonly source: string
  readonly options: object
}

/** Entry of `GET /v1/models`. */
export interface ModelDescription {
  readonly id: string
  readonly adapter: string
  readonly capabilities: CapabilityRecord
  readonly context_length: number | null
  readonly price: Price
}

export interface TotalCost {
  readonly calls: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cost: number
}

export interface Estimate {
  readonly worst_case: TotalCost
  /** Mean of earlier runs of the same strategy, options and model; null while there are none. */
  readonly expected: TotalCost | null
  readonly by_role: readonly RoleCost[]
}

/** Of the prompt that drafts of a run are made from. */
export interface TokenCount {
  readonly input_tokens: number
  /** False for an estimate, which is rather too high, and beyond the context, where it may be too low. */
  readonly exact: boolean
}

/** Told of every run of this process. Must not throw. */
export interface RunObserver {
  /** `firstTextSeconds`: from creation to the first text of a candidate; undefined when there was none. */
  ended(state: RunState, firstTextSeconds: number | undefined): void
}

export interface RunLoad extends WriterLoad {
  readonly running: number
  readonly waiting: number
}

export type FeedbackInput = Omit<FeedbackRecord, 'id' | 'run_id' | 'at'>

/** Feedback that says itself which run it is about. */
export type FeedbackRow = Omit<FeedbackRecord, 'id' | 'at'>

/** Names a request with feedback that may come again. */
export type FeedbackKey = Pick<RequestKey, 'route' | 'key'>

/** What runs need to be there. */
export type ServicePart = 'database' | 'models'

/**
 * Runs as resources. `owner` is the hash of the caller's API key ('' on a server without keys): a run of another
 * owner does not exist for the caller (`run_not_found`).
 */
export interface RunService {
  /**
   * Validates, admits and starts a run; it goes on whoever listens. Resolves when the run is stored (queued or
   * running), with its id. The calls of its models go on with the trace.
   * @throws RefineError invalid_request, unknown_strategy, unknown_model, unsupported_capability, overloaded,
   * shutting_down, rate_limited.
   */
  create(request: RunRequest, owner: string, trace?: TraceContext): Promise<string>

  /**
   * As `create`, but a request that comes again under its key within 24 hours gets the run of the first.
   * @throws RefineError as `create`; idempotency_mismatch when the key was used for another request.
   */
  createOnce(
    request: RunRequest,
    owner: string,
    key: RequestKey,
    trace?: TraceContext,
  ): Promise<CreatedRun>

  /** @throws RefineError run_not_found */
  get(id: string, owner: string): Promise<RunState>

  list(page: RunPage): Promise<{ readonly runs: readonly RunState[]; readonly hasMore: boolean }>

  /**
   * The stored events above `after`, then the live ones as they happen; ends after the terminal event, or when the
   * signal aborts (without throwing). A reader that is slow slows nobody: nothing is buffered for it.
   * @throws RefineError run_not_found
   */
  events(
    id: string,
    owner: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<RunEvent, void, void>

  /** The same as text, and as much at a time as there is: for whoever passes it on as it stands. */
  pieces(
    id: string,
    owner: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<LogPiece, void, void>

  /** Resolves when the run has ended. Aborting the signal stops the waiting (rejects), not the run. */
  ended(id: string, owner: string, signal: AbortSignal): Promise<RunState>

  /** Ends the run with its best answer so far; does nothing to a run that has ended. Resolves with the final state. */
  cancel(id: string, owner: string): Promise<RunState>

  /** The request that made the run, as it came. @throws RefineError run_not_found */
  request(id: string, owner: string): Promise<RunRequest>

  /** Removes a run that has ended, with all that was kept of it. @throws RefineError run_not_found, conflict */
  remove(id: string, owner: string): Promise<void>

  /**
   * Asks something of a run that goes on; an event of the run tells it. Resolves with the run as it is then, for
   * `accept` as it ended.
   * @throws RefineError run_not_found; conflict when the run has ended, or has no answer to accept, or its answer would
   * be dropped; invalid_request for a candidate that the run does not have.
   */
  steer(id: string, owner: string, steering: Steering): Promise<RunState>

  /** Worst case before running, by the tokenizer of the run's model. */
  estimate(request: RunRequest): Promise<Estimate>

  /**
   * Nothing is run, and no budget is asked.
   * @throws RefineError as `create` does of the request itself.
   */
  countTokens(request: RunRequest): Promise<TokenCount>

  /**
   * Resolves when it is durable and counted; with a key, the same again gives the record there is.
   * @throws RefineError run_not_found, invalid_request, conflict when it comes too late, idempotency_mismatch
   */
  addFeedback(row: FeedbackRow, owner: string, key?: FeedbackKey): Promise<FeedbackRecord>

  /**
   * Keeps all rows, or none when any is at fault; resolves when they are durable and counted. With a key, the same again
   * gives the records there are.
   * @throws RefineError invalid_request that names every field at fault, up to 20; idempotency_mismatch
   */
  addFeedbackRows(
    rows: readonly FeedbackRow[],
    owner: string,
    key?: FeedbackKey,
  ): Promise<readonly FeedbackRecord[]>

  /** What was said about the run, oldest first. @throws RefineError run_not_found */
  feedback(id: string, owner: string): Promise<readonly FeedbackRecord[]>

  strategies(): readonly StrategyDescription[]
  models(): readonly ModelDescription[]

  /** What the owner may still use, by policy; empty without limits. */
  quota(owner: string): readonly PolicyStatus[]
  load(): RunLoad
  observe(observer: RunObserver): void

  /** Resolves when the database, or every model, can answer; may take long. @throws RefineError naming what cannot. */
  ready(part: ServicePart): Promise<void>

  /** Admits no more runs and waits for those under way, at most `graceSeconds`; then cancels them. */
  drain(graceSeconds: number): Promise<void>
}
