/**
 * `/v1/responses` as a WebSocket: OpenAI's mode with lanes. Requests with one `stream_id` are answered one after the
 * other, different lanes at the same time. A response does not end with its socket: one in the background goes on, and one
 * that is stored waits for its client to come back. What is taken up, over HTTP or by `response.retrieve` (ours) on
 * another socket, is the rest of the same events.
 */
import { randomUUID } from 'node:crypto'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { assertNever, RefineError, toRefineError, type ErrorCode } from '../../core/errors.ts'
import { readSteering } from '../../runs/steering.ts'
import { createRun, forgetRun, startForegroundRun } from '../foreground-run.ts'
import { MessageTurns } from '../message-turns.ts'
import { openAiErrorOf } from '../problem.ts'
import type { HttpContext } from '../server-options.ts'
import { checkOrigin, keepAlive, limitAge } from '../websocket.ts'
import { ResponseEvents, type ResponseOptions } from './openai-responses-events.ts'
import { runIdOf, toRunRequest } from './openai-responses-request.ts'
import { toSteeringText } from './openai-responses-input.ts'
import { SOCKET_SCHEMA } from './openai-responses-routes.ts'
import type { ResponsesRequest } from './openai-responses-schema.ts'
import { findResponse, instructionsOf, optionsFor } from './openai-responses-lookup.ts'
import { receiveResponsesMessage, type ResponsesMessage } from './openai-responses-message.ts'

/** Seconds: longer than OpenAI's client takes for its five tries to connect again. */
const GRACE_OF_STORED = 30

const STEER_ERRORS: Partial<Record<ErrorCode, string>> = {
  run_not_found: 'response_not_found',
  conflict: 'response_already_completed',
  rate_limited: 'rate_limit_exceeded',
}

export class ResponsesSocket {
  readonly #socket: WebSocket
  readonly #context: HttpContext
  readonly #request: FastifyRequest
  readonly #answering = new Set<AbortController>()
  readonly #lanes = new Map<string, Promise<void>>()
  readonly #turns: MessageTurns
  #waiting = 0
  #isClosed = false

  constructor(socket: WebSocket, context: HttpContext, request: FastifyRequest) {
    this.#socket = socket
    this.#context = context
    this.#request = request
    this.#turns = new MessageTurns(socket)
  }

  receive(text: string): void {
    this.#turns.add(() => this.#handle(text))
  }

  /** Tells the client to open another socket in time, by the code that OpenAI has for it. */
  expire(seconds: number): void {
    const message = `The connection ends in ${seconds} seconds: open another one.`
    const type = 'invalid_request_error'
    const error = { type, code: 'websocket_connection_limit_reached', message, param: null }
    this.#send({ type: 'error', status: 400, error }).catch(() => undefined) // closed meanwhile
  }

  /** Leaves the runs under way and drops those that wait for their turn. */
  close(): void {
    this.#isClosed = true
    for (const each of this.#answering) each.abort()
  }

  /** Never rejects. */
  async #handle(text: string): Promise<void> {
    let streamId: string | undefined
    try {
      const received = receiveResponsesMessage(text)
      streamId = received.lane
      await this.#take(received.read(), streamId)
    } catch (error) {
      await this.#sendError(error, streamId)
    }
  }

  async #take(message: ResponsesMessage, streamId: string | undefined): Promise<void> {
    switch (message.type) {
      case 'response.create':
        return this.#enqueue(streamId, (gone) => this.#create(message.body, streamId, gone))
      case 'response.retrieve':
        return this.#enqueue(streamId, (gone) => this.#retrieve(message, streamId, gone))
      case 'response.steer':
        return this.#steer(message)
      default:
        return assertNever(message)
    }
  }

  #enqueue(streamId: string | undefined, work: (gone: AbortSignal) => Promise<void>): void {
    const { streamsPerSocket: most } = this.#context.limits
    if (this.#waiting >= most) {
      throw new RefineError('rate_limited', `A socket may have ${most} responses at a time.`)
    }
    this.#waiting++
    const lane = streamId ?? ''
    const before = this.#lanes.get(lane) ?? Promise.resolve()
    const turn: Promise<void> = before
      .then(() => this.#answer(streamId, work))
      .finally(() => {
        this.#waiting--
        if (this.#lanes.get(lane) === turn) this.#lanes.delete(lane)
      })
    this.#lanes.set(lane, turn)
  }

  /** Never rejects. */
  async #answer(
    streamId: string | undefined,
    work: (gone: AbortSignal) => Promise<void>,
  ): Promise<void> {
    if (this.#isClosed) return
    const gone = new AbortController()
    this.#answering.add(gone)
    try {
      await work(gone.signal)
    } catch (error) {
      await this.#sendError(error, streamId)
    } finally {
      this.#answering.delete(gone)
    }
  }

  async #create(
    body: ResponsesRequest,
    streamId: string | undefined,
    gone: AbortSignal,
  ): Promise<void> {
    const { runs } = this.#context
    const { owner } = this.#request
    const run = await toRunRequest(body, { runs, owner })
    const grace = body.store === false ? 0 : GRACE_OF_STORED
    const caller = { request: this.#request, gone, grace }
    const runId =
      body.background === true
        ? (await createRun(this.#context, run, caller)).id
        : await startForegroundRun(this.#context, run, caller)
    const options = optionsFor(runs, body.instructions ?? null)
    try {
      await this.#pump(runId, options, -1, streamId, gone)
    } finally {
      if (body.store === false) await forgetRun(runs, runId, owner)
    }
  }

  /** The events above `after`; whoever takes them up attends the run from then on. */
  async #retrieve(
    { id, after }: Extract<ResponsesMessage, { type: 'response.retrieve' }>,
    streamId: string | undefined,
    gone: AbortSignal,
  ): Promise<void> {
    const { runs, attendance } = this.#context
    const lookup = { runs, owner: this.#request.owner }
    const state = await findResponse(lookup, id)
    attendance.join(state.id, gone)
    const options = optionsFor(runs, await instructionsOf(lookup, state))
    await this.#pump(state.id, options, after, streamId, gone)
  }

  async #pump(
    runId: string,
    options: ResponseOptions,
    after: number,
    streamId: string | undefined,
    gone: AbortSignal,
  ): Promise<void> {
    const response = new ResponseEvents(options)
    const events = this.#context.runs.events(runId, this.#request.owner, 0, gone)
    for await (const event of events) {
      for (const each of response.add(event)) {
        if (each.sequence_number > after) await this.#send(each, streamId)
      }
    }
  }

  /** Input for a response that is being made becomes a hint to what is still to be drafted. Never rejects. */
  async #steer({
    input,
    id,
  }: Extract<ResponsesMessage, { type: 'response.steer' }>): Promise<void> {
    const { runs } = this.#context
    const told = { sequence_number: 0, steer: { input, previous_response_id: id } }
    let answer: object
    try {
      const runId = runIdOf(String(id))
      const hint = readSteering({ action: 'hint', text: toSteeringText(input) })
      await runs.steer(runId, this.#request.owner, hint)
      const steer = { id: `steer_${randomUUID()}`, previous_response_id: id }
      answer = { ...told, type: 'response.steer.accepted', steer }
    } catch (thrown) {
      const { code, message } = toRefineError(thrown)
      const type = 'invalid_request_error'
      const error = { code: STEER_ERRORS[code] ?? 'invalid_input', message, type }
      answer = { ...told, type: 'response.steer.failed', error }
    }
    await this.#send(answer).catch(() => undefined) // the socket closed meanwhile
  }

  async #sendError(thrown: unknown, streamId: string | undefined): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    const error = toRefineError(thrown)
    this.#request.log[error.level]({ code: error.code, err: error }, error.message)
    const isPrevious = error.code === 'run_not_found' && error.param === 'previous_response_id'
    const told = {
      ...openAiErrorOf(error),
      ...(isPrevious ? { code: 'previous_response_not_found' } : {}),
    }
    await this.#send({ type: 'error', status: error.status, error: told }, streamId).catch(
      () => undefined, // the socket closed meanwhile: nobody is left to tell
    )
  }

  /** Resolves when the message has left for the network. @throws Error when the socket is closed. */
  #send(message: object, streamId?: string): Promise<void> {
    const told = streamId === undefined ? message : { ...message, stream_id: streamId }
    return new Promise((resolve, reject) => {
      this.#socket.send(JSON.stringify(told), (error) => (error ? reject(error) : resolve()))
    })
  }
}

export const registerResponsesSocket = (app: FastifyInstance, context: HttpContext): void => {
  app.route({
    method: 'GET',
    url: '/v1/responses',
    schema: SOCKET_SCHEMA,
    exposeHeadRoute: false,
    preValidation: async (request) => checkOrigin(request, context.origins),
    handler: async (_, reply) => {
      reply.header('upgrade', 'websocket')
      throw new RefineError(
        'invalid_request',
        'GET takes WebSocket connections only; POST to create.',
      )
    },
    wsHandler: (socket, request) => {
      const session = new ResponsesSocket(socket, context, request)
      // At once: a message that arrives before there is a listener is lost.
      socket.on('message', (data) => session.receive((data as Buffer).toString()))
      socket.on('close', () => session.close())
      limitAge(socket, context.limits.socketSeconds, (seconds) => session.expire(seconds))
      keepAlive(socket, context.limits.pingSeconds)
    },
  })
}
