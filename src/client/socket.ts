/**
 * Many runs on one WebSocket. Nothing is tied to the connection: when it breaks it is opened again and every run goes on
 * behind the last event received. It opens with the first call and stays open until `close`.
 */
import type { StreamOptions } from './attached-run.ts'
import type { CallOptions, Connection, FeedbackOptions } from './connection.ts'
import type { FollowOptions } from './event-stream.ts'
import { Backoff, type RetryOptions } from './retry.ts'
import { SocketLink, type WebSocketConstructor } from './socket-link.ts'
import { SocketStream, type StreamSource } from './socket-stream.ts'
import { connectionFailed, errorOfMessage } from './whetstone-error.ts'
import type {
  ErrorMember,
  Feedback,
  FeedbackInput,
  RunEvent,
  RunRequest,
  Steering,
} from './wire.ts'

interface Pending {
  readonly resolve: (message: Record<string, unknown>) => void
  readonly reject: (error: unknown) => void
}

export class RunSocket {
  readonly #link: SocketLink
  readonly #retry: RetryOptions
  readonly #streams = new Map<string, SocketStream>()
  readonly #waiting = new Set<SocketStream>()
  readonly #pending = new Map<string, Pending>()
  #names = 0
  #isClosed = false
  #connecting = false

  constructor(connection: Connection, create: WebSocketConstructor, retry: RetryOptions) {
    this.#retry = retry
    this.#link = new SocketLink(connection, create, {
      onMessage: (message) => this.#receive(message),
      onDown: () => this.#lost(),
    })
  }

  /**
   * Starts a run and gives its events to the last. Breaking off the loop or aborting cancels the run. If the connection
   * breaks before the run is known, it may or may not exist: the loop throws then rather than start it twice.
   */
  stream(request: RunRequest, options: StreamOptions = {}): AsyncGenerator<RunEvent, void, void> {
    return this.#read({ request }, options)
  }

  /** The events of a run above `after`, stored and live, to the last. Leaving does not touch the run. */
  events(
    runId: string,
    { after = 0, ...rest }: FollowOptions = {},
  ): AsyncGenerator<RunEvent, void, void> {
    return this.#read({ runId, after }, { ...rest, onLeave: 'continue' })
  }

  /** Asks the run to end with its best answer; resolves when the server has heard it. */
  async cancel(runId: string, options: CallOptions = {}): Promise<void> {
    await this.#ask(
      (name) => [
        { type: 'run.cancel', stream_id: name, run_id: runId },
        { type: 'ping', stream_id: name }, // a cancel has no reply of its own; messages are answered in order
      ],
      options,
    )
  }

  /** Steers the run; resolves when the server has taken it up. */
  async steer(run_id: string, steering: Steering, options: CallOptions = {}): Promise<void> {
    await this.#ask((stream_id) => [{ type: 'run.steer', stream_id, run_id, steering }], options)
  }

  /** Says what came of the answer. */
  async feedback(
    runId: string,
    feedback: FeedbackInput,
    options: FeedbackOptions = {},
  ): Promise<Feedback> {
    const key = { idempotency_key: options.idempotencyKey }
    const message = { type: 'feedback.create', run_id: runId, feedback, ...key }
    const reply = await this.#ask((name) => [{ ...message, stream_id: name }], options)
    return reply['feedback'] as Feedback
  }

  /** Resolves when the server answers. */
  async ping(options: CallOptions = {}): Promise<void> {
    await this.#ask((name) => [{ type: 'ping', stream_id: name }], options)
  }

  /** Ends the connection. Streams that are still read throw; their runs go on. */
  close(): void {
    this.#isClosed = true
    this.#link.close()
    this.#failAll(connectionFailed('The socket was closed.'))
  }

  async *#read(
    source: StreamSource,
    { signal, onLeave = 'cancel' }: StreamOptions,
  ): AsyncGenerator<RunEvent, void, void> {
    signal?.throwIfAborted()
    const stream = new SocketStream(source)
    const done = new AbortController()
    const stop = (): void => stream.fail(signal?.reason)
    signal?.addEventListener('abort', stop, { once: true, signal: done.signal })
    try {
      this.#start(stream)
      for (;;) {
        const event = await stream.next()
        if (event === undefined) return
        signal?.throwIfAborted()
        yield event
        if (stream.isLive && stream.name === undefined && stream.isEmpty) this.#start(stream)
      }
    } finally {
      done.abort()
      this.#leave(stream, onLeave)
    }
  }

  #start(stream: SocketStream): void {
    this.#waiting.add(stream)
    if (this.#link.isOpen) this.#say(stream)
    else void this.#connect()
  }

  /** Tells the server what the stream wants, under a new name: late events of the old one are nobody's. */
  #say(stream: SocketStream): void {
    this.#waiting.delete(stream)
    const { request, runId: run_id, last: after } = stream
    const stream_id = `s${++this.#names}`
    stream.name = stream_id
    this.#streams.set(stream_id, stream)
    this.#link.send(
      run_id === undefined
        ? { type: 'run.create', stream_id, run: request }
        : { type: 'run.subscribe', stream_id, run_id, after },
    )
  }

  #drop(stream: SocketStream): string | undefined {
    const { name } = stream
    this.#waiting.delete(stream)
    if (name !== undefined) this.#streams.delete(name)
    stream.name = undefined
    return name
  }

  #leave(stream: SocketStream, onLeave: 'cancel' | 'continue'): void {
    const name = this.#drop(stream)
    if (stream.isOver) return
    if (name !== undefined) this.#link.send({ type: 'run.unsubscribe', stream_id: name })
    if (onLeave === 'continue' || stream.runId === undefined) return
    this.cancel(stream.runId).catch(() => undefined)
  }

  /** Opens the connection, as often as `retry` allows, and takes up all that waits for it. Never rejects. */
  async #connect(): Promise<void> {
    if (this.#connecting) return
    this.#connecting = true
    const backoff = new Backoff(this.#retry)
    try {
      while (!this.#isClosed && !this.#link.isOpen) {
        await this.#link.open().catch((error: unknown) => backoff.wait(error))
      }
      if (this.#isClosed) throw connectionFailed('The socket was closed.')
      for (const stream of this.#waiting) this.#say(stream)
    } catch (error) {
      this.#failAll(error)
    } finally {
      this.#connecting = false
    }
  }

  #lost(): void {
    const error = connectionFailed('The connection broke before the server answered.')
    this.#rejectPending(error)
    for (const stream of this.#streams.values()) {
      stream.name = undefined
      if (stream.runId === undefined) stream.fail(error)
      else this.#waiting.add(stream)
    }
    this.#streams.clear()
    if (this.#waiting.size > 0) void this.#connect()
  }

  #failAll(error: unknown): void {
    this.#rejectPending(error)
    for (const stream of [...this.#streams.values(), ...this.#waiting]) stream.fail(error)
    this.#streams.clear()
    this.#waiting.clear()
  }

  #rejectPending(error: unknown): void {
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }

  #receive(message: Record<string, unknown>): void {
    const { stream_id: name, ...rest } = message
    if (typeof name !== 'string') return
    const pending = this.#pending.get(name)
    const stream = this.#streams.get(name)
    if (rest['type'] === 'error' || rest['type'] === 'message.refused') {
      const error = errorOfMessage(Number(rest['status']), rest['error'] as ErrorMember)
      pending?.reject(error)
      if (stream === undefined || rest['type'] !== 'error') return
      stream.fail(error)
      this.#drop(stream)
    } else if (pending !== undefined) {
      pending.resolve(rest)
    } else if (stream !== undefined && typeof rest['sequence'] === 'number') {
      this.#take(stream, rest as unknown as RunEvent)
    }
  }

  #take(stream: SocketStream, event: RunEvent): void {
    stream.push(event)
    if (stream.isOver) {
      this.#drop(stream)
    } else if (stream.isFull) {
      const name = this.#drop(stream)
      this.#link.send({ type: 'run.unsubscribe', stream_id: name })
    }
  }

  async #ask(
    messages: (name: string) => readonly object[],
    { signal }: CallOptions,
  ): Promise<Record<string, unknown>> {
    signal?.throwIfAborted()
    await this.#link.open()
    const name = `r${++this.#names}`
    const done = new AbortController()
    try {
      return await new Promise((resolve, reject) => {
        const options = { once: true, signal: done.signal }
        signal?.addEventListener('abort', () => reject(signal.reason as Error), options)
        this.#pending.set(name, { resolve, reject })
        for (const message of messages(name)) this.#link.send(message)
      })
    } finally {
      done.abort()
      this.#pending.delete(name)
    }
  }
}
