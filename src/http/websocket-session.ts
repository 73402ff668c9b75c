/**
 * One client's conversation. Each stream is a loop of its own that takes a piece of its log, sends it and waits until it
 * has left for the network; so a stream has at most one piece waiting, and since messages leave in the order they came,
 * streams that are busy take turns: no scheduler is needed. A peer that does not read stops its own loops and nothing else.
 */
import type { Socket } from 'node:net'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyBaseLogger } from 'fastify'
import { assertNever, invalidField, RefineError, toRefineError } from '../core/errors.ts'
import type { TraceContext } from '../core/trace.ts'
import type { RunService } from '../runs/run-service.ts'
import { MessageTurns } from './message-turns.ts'
import { openAiErrorOf } from './problem.ts'
import { receiveMessage, type ClientMessage, type ReceivedMessage } from './websocket-message.ts'

interface SessionOptions {
  readonly runs: RunService
  readonly owner: string
  /** That the client opened the socket in. */
  readonly trace: TraceContext | undefined
  readonly log: FastifyBaseLogger
  /** What the socket writes to. */
  readonly connection: Socket
  /** Most streams at a time. */
  readonly streams: number
  /** New runs per second, after a first handful of as many as there may be streams. */
  readonly runsPerSecond: number
}

export class WebSocketSession {
  readonly #socket: WebSocket
  readonly #options: SessionOptions
  readonly #streams = new Map<string, AbortController>()
  readonly #turns: MessageTurns
  /** New runs that may begin at once; fills up with time. */
  #allowance: number
  #allowedAt = performance.now()
  #isGathering = false

  constructor(socket: WebSocket, options: SessionOptions) {
    this.#socket = socket
    this.#options = options
    this.#turns = new MessageTurns(socket)
    this.#allowance = options.streams
  }

  /** Tells the client to open another socket in time. */
  expire(seconds: number): void {
    this.#send({ type: 'session.expiring', seconds }).catch(() => undefined)
  }

  /** Handles messages one after the other, in order. */
  receive(data: { toString(): string }): void {
    this.#turns.add(() => this.#handle(data.toString()))
  }

  /** Ends the streams; runs are not tied to the socket and go on. */
  close(): void {
    for (const stream of this.#streams.values()) stream.abort()
    this.#streams.clear()
  }

  async #handle(text: string): Promise<void> {
    let received: ReceivedMessage | undefined
    try {
      received = receiveMessage(text)
      await this.#answer(received.read())
    } catch (error) {
      await this.#sendError(error, this.#blame(received))
    }
  }

  /** An `error` with the name of a stream is its end, so what is wrong with a message beside it has a form of its own. */
  #blame({ type, streamId }: Partial<ReceivedMessage> = {}): object {
    const isLive = streamId !== undefined && this.#streams.has(streamId)
    const begins = type === 'run.create' || type === 'run.subscribe'
    if (type !== undefined && (isLive || !begins))
      return { type: 'message.refused', refused: type, ...streamOf(streamId) }
    return { type: 'error', ...streamOf(isLive ? undefined : streamId) }
  }

  async #answer(message: ClientMessage): Promise<void> {
    const { runs, owner, trace } = this.#options
    switch (message.type) {
      case 'run.create': {
        this.#allowRun()
        const stream = this.#open(message.stream_id)
        return this.#start(stream, message.stream_id, 0, () =>
          runs.create(message.run, owner, trace),
        )
      }
      case 'run.subscribe': {
        const { stream_id: streamId, run_id: runId, after = 0 } = message
        const stream = this.#open(streamId)
        return this.#start(stream, streamId, after, async () => (await runs.get(runId, owner)).id)
      }
      case 'run.unsubscribe':
        return this.#unsubscribe(message.stream_id)
      case 'run.cancel':
        await runs.cancel(message.run_id, owner)
        return
      case 'run.steer': {
        const { run_id: runId, stream_id: streamId, steering } = message
        const { status, last_sequence } = await runs.steer(runId, owner, steering)
        const told = { run_id: runId, status, last_sequence }
        return this.#send({ type: 'run.steer.accepted', ...streamOf(streamId), ...told })
      }
      case 'feedback.create': {
        const { run_id: runId, idempotency_key: name } = message
        const route = `feedback.create ${runId}`
        const key = name === undefined ? undefined : { route, key: name }
        const feedback = await runs.addFeedback({ ...message.feedback, run_id: runId }, owner, key)
        return this.#send({ type: 'feedback.created', ...streamOf(message.stream_id), feedback })
      }
      case 'ping':
        return this.#send({ type: 'pong', ...streamOf(message.stream_id) })
      default:
        return assertNever(message)
    }
  }

  #allowRun(): void {
    const { streams, runsPerSecond } = this.#options
    const now = performance.now()
    const gained = ((now - this.#allowedAt) / 1000) * runsPerSecond
    this.#allowance = Math.min(streams, this.#allowance + gained)
    this.#allowedAt = now
    if (this.#allowance < 1) {
      throw new RefineError('rate_limited', `A socket may begin ${runsPerSecond} runs a second.`, {
        retryAfter: 1,
      })
    }
    this.#allowance--
  }

  #open(streamId: string): AbortController {
    if (this.#streams.has(streamId)) {
      throw new RefineError('conflict', `Stream "${streamId}" is in use.`, { param: 'stream_id' })
    }
    if (this.#streams.size >= this.#options.streams) {
      throw new RefineError(
        'rate_limited',
        `A socket may have ${this.#options.streams} streams at a time.`,
      )
    }
    const stream = new AbortController()
    this.#streams.set(streamId, stream)
    return stream
  }

  async #start(
    stream: AbortController,
    streamId: string,
    after: number,
    findRun: () => Promise<string>,
  ): Promise<void> {
    try {
      const runId = await findRun()
      void this.#pump(stream, streamId, runId, after)
    } catch (error) {
      this.#release(stream, streamId)
      throw error
    }
  }

  /** Never rejects. */
  async #pump(
    stream: AbortController,
    streamId: string,
    runId: string,
    after: number,
  ): Promise<void> {
    const { runs, owner } = this.#options
    const field = `,"stream_id":${JSON.stringify(streamId)}}`
    try {
      for await (const { texts } of runs.pieces(runId, owner, after, stream.signal)) {
        if (stream.signal.aborted) break
        for (const text of texts.slice(0, -1)) this.#post(text.slice(0, -1) + field)
        await this.#sendText(texts.at(-1)!.slice(0, -1) + field)
      }
    } catch (error) {
      if (!stream.signal.aborted)
        await this.#sendError(error, { type: 'error', stream_id: streamId })
    } finally {
      this.#release(stream, streamId)
    }
  }

  async #unsubscribe(streamId: string): Promise<void> {
    const stream = this.#streams.get(streamId)
    if (stream === undefined) throw invalidField('/stream_id', 'is not a stream of this socket')
    stream.abort()
    this.#release(stream, streamId)
    await this.#send({ type: 'run.unsubscribed', stream_id: streamId })
  }

  /** A stream that was left may have a successor of the same name already. */
  #release(stream: AbortController, streamId: string): void {
    if (this.#streams.get(streamId) === stream) this.#streams.delete(streamId)
  }

  /** `about`: what it is told as. */
  async #sendError(thrown: unknown, about: object): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    const error = toRefineError(thrown)
    const { code, level, fields, status } = error
    const isOurs = level === 'warn' || level === 'error'
    this.#options.log[level]({ code, ...(isOurs ? { err: error } : {}) }, error.message)
    await this.#send({
      ...about,
      status,
      error: { ...openAiErrorOf(error), errors: fields },
    }).catch(() => undefined) // the socket closed meanwhile: nobody is left to tell
  }

  #send(message: object): Promise<void> {
    return this.#sendText(JSON.stringify(message))
  }

  /** Resolves when the message has left for the network. @throws Error when the socket is closed. */
  #sendText(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#post(text, (error) => (error ? reject(error) : resolve()))
    })
  }

  #post(text: string, sent?: (error?: Error) => void): void {
    this.#gather()
    this.#socket.send(text, sent)
  }

  /** What many streams have to say in one turn of the event loop leaves in one piece. */
  #gather(): void {
    const { connection } = this.#options
    if (this.#isGathering || connection.destroyed) return
    this.#isGathering = true
    connection.cork()
    process.nextTick(() => {
      this.#isGathering = false
      connection.uncork()
    })
  }
}

const streamOf = (streamId: string | undefined): { stream_id?: string } =>
  streamId === undefined ? {} : { stream_id: streamId }
