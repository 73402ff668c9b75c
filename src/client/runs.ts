/** Runs as resources, over HTTP. */
import type { CallOptions, Connection, FeedbackOptions } from './connection.ts'
import { followRun, type FollowOptions } from './event-stream.ts'
import type { RetryOptions } from './retry.ts'
import {
  isTerminal,
  type Feedback,
  type FeedbackInput,
  type List,
  type RunEvent,
  type RunRequest,
  type RunState,
  type RunStatus,
  type Steering,
} from './wire.ts'

export interface CreateOptions extends CallOptions {
  /** Answer at once, with a run that goes on. Default: wait for its end. */
  readonly background?: boolean
}

export interface StreamOptions extends CallOptions {
  /** What becomes of the run when the reader leaves before its end. Default: cancel. */
  readonly onLeave?: 'cancel' | 'continue'
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

/** A run nobody waits for any more is told so, but not for longer than this. */
const FAREWELL_MS = 5000

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
   * Starts a run and gives its events as they happen, to the last. The run is made in the background and then followed, so
   * that a broken connection costs nothing: the stream goes on behind the last event seen. Breaking off the loop or
   * aborting cancels the run.
   */
  async *stream(
    request: RunRequest,
    { signal, onLeave = 'cancel' }: StreamOptions = {},
  ): AsyncGenerator<RunEvent, void, void> {
    const isKept = onLeave === 'continue'
    const id = await this.#begin(request, signal, isKept)
    let isOver = false
    try {
      for await (const event of this.events(id, signal === undefined ? {} : { signal })) {
        isOver = isTerminal(event)
        yield event
      }
    } finally {
      if (!isOver && !isKept) await this.#abandon(id)
    }
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

  /** The request itself is not aborted: the run may exist already, and without its id nobody could cancel it. */
  async #begin(request: RunRequest, signal: AbortSignal | undefined, isKept: boolean) {
    signal?.throwIfAborted()
    const creating = this.create(request, { background: true })
    const done = new AbortController()
    const left = new Promise<never>((_, reject) => {
      const options = { once: true, signal: done.signal }
      signal?.addEventListener('abort', () => reject(signal.reason as Error), options)
    })
    try {
      return (await Promise.race([creating, left])).id
    } catch (error) {
      if (!isKept) creating.then(({ id }) => this.#abandon(id)).catch(() => undefined)
      throw error
    } finally {
      done.abort()
    }
  }

  async #abandon(id: string): Promise<void> {
    await this.cancel(id, { signal: AbortSignal.timeout(FAREWELL_MS) }).catch(() => undefined)
  }
}

const pathOf = (id: string): string => `/v1/runs/${encodeURIComponent(id)}`
