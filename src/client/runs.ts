/** Runs as resources, over HTTP. */
import { attachRun, type StreamOptions } from './attached-run.ts'
import type { CallOptions, Connection, FeedbackOptions } from './connection.ts'
import { followRun, type FollowOptions } from './event-stream.ts'
import type { RetryOptions } from './retry.ts'
import type {
  Feedback,
  FeedbackInput,
  List,
  RunEvent,
  RunRequest,
  RunState,
  RunStatus,
  Steering,
} from './wire.ts'

export interface CreateOptions extends CallOptions {
  /** Answer at once, with a run that goes on. Default: wait for its end. */
  readonly background?: boolean
}

export interface ListOptions extends CallOptions {
  readonly status?: RunStatus
  /** By time of creation. Default: newest first. */
  readonly order?: 'asc' | 'desc'
  /** Id of the run to start behind. */
  readonly after?: string
  /** Runs per request, 1 to 100. Default: 20. */
  readonly pageSize?: number
}

const signalOf = ({ signal }: CallOptions): CallOptions => (signal === undefined ? {} : { signal })

export class Runs {
  readonly #connection: Connection
  readonly #retry: RetryOptions

  constructor(connection: Connection, retry: RetryOptions) {
    this.#connection = connection
    this.#retry = retry
  }

  /**
   * Starts a run and waits for its end; aborting cancels it. Never sent twice. For waits of minutes use `stream`, which
   * survives a broken connection.
   */
  create(request: RunRequest, options: CreateOptions = {}): Promise<RunState> {
    const { background = false } = options
    const body = { ...request, ...(background ? { background } : {}) }
    return this.#connection.json('/v1/runs', { method: 'POST', body, ...signalOf(options) })
  }

  /**
   * Starts a run and gives its events as they happen, to the last. A broken connection costs nothing: the stream goes on
   * behind the last event seen. Breaking off the loop or aborting cancels the run, and so does a reader that vanishes,
   * half a minute later.
   */
  stream(request: RunRequest, options: StreamOptions = {}): AsyncGenerator<RunEvent, void, void> {
    return attachRun(this.#connection, request, options, this.#retry)
  }

  /** The events of a run above `after`, stored and live, to the last. Leaving does not touch the run. */
  events(id: string, options: FollowOptions = {}): AsyncGenerator<RunEvent, void, void> {
    return followRun(this.#connection, id, options, this.#retry)
  }

  /** The run as it is now. */
  retrieve(id: string, options: CallOptions = {}): Promise<RunState> {
    return this.#connection.json(pathOf(id), signalOf(options))
  }

  /** All runs that fit, fetched page by page as the loop asks for them. */
  async *list(options: ListOptions = {}): AsyncGenerator<RunState, void, void> {
    const { status, order, pageSize: limit } = options
    let { after } = options
    for (;;) {
      const query = { status, order, limit, after }
      const page = await this.#connection.json<List<RunState>>('/v1/runs', {
        query,
        ...signalOf(options),
      })
      yield* page.data
      if (!page.has_more || page.last_id === null) return
      after = page.last_id
    }
  }

  /** Ends the run with its best answer so far; does nothing to one that has ended. Resolves with its final state. */
  cancel(id: string, options: CallOptions = {}): Promise<RunState> {
    return this.#connection.json(`${pathOf(id)}/cancel`, { method: 'POST', ...signalOf(options) })
  }

  /** Accepts the answer so far, changes the budget, gives a hint, drops a candidate or marks a step as wrong. */
  steer(id: string, steering: Steering, options: CallOptions = {}): Promise<RunState> {
    const path = `${pathOf(id)}/steer`
    return this.#connection.json(path, { method: 'POST', body: steering, ...signalOf(options) })
  }

  /** Says what came of the answer. */
  feedback(id: string, feedback: FeedbackInput, options: FeedbackOptions = {}): Promise<Feedback> {
    const { idempotencyKey: key } = options
    return this.#connection.json(`${pathOf(id)}/feedback`, {
      method: 'POST',
      body: feedback,
      ...(key !== undefined && { headers: { 'idempotency-key': JSON.stringify(key) } }),
      ...signalOf(options),
    })
  }

  /** What was said so far, oldest first. */
  async listFeedback(id: string, options: CallOptions = {}): Promise<readonly Feedback[]> {
    const path = `${pathOf(id)}/feedback`
    return (await this.#connection.json<List<Feedback>>(path, signalOf(options))).data
  }
}

const pathOf = (id: string): string => `/v1/runs/${encodeURIComponent(id)}`
