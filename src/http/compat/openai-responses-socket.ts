/**
 * `/v1/responses` as a WebSocket: OpenAI's mode with lanes. Requests with one `stream_id` are answered one after the
 * other, different lanes at the same time. What a socket started ends with it, except what is stored already.
 */
import { randomUUID } from 'node:crypto'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { invalidField, RefineError, toRefineError, type ErrorCode } from '../../core/errors.ts'
import { validate } from '../../core/validation.ts'
import { readSteering } from '../../runs/steering.ts'
import { forgetRun, startForegroundRun } from '../foreground-run.ts'
import { checkDepth } from '../json-text.ts'
import { openAiErrorOf } from '../problem.ts'
import type { HttpContext } from '../server-options.ts'
import { checkOrigin, keepAlive } from '../websocket.ts'
import { ResponseEvents } from './openai-responses-events.ts'
import { runIdOf, toRunRequest } from './openai-responses-request.ts'
import { toSteeringText } from './openai-responses-input.ts'
import { SOCKET_SCHEMA } from './openai-responses-routes.ts'
import { ResponsesRequest } from './openai-responses-schema.ts'
import { directStrategies } from './run-account.ts'
import { unsupported, withoutNulls } from './run-choice.ts'

const StreamId = Type.String({ minLength: 1, maxLength: 256, pattern: '^[A-Za-z0-9_.-]+$' })

const STEER_ERRORS: Partial<Record<ErrorCode, string>> = {
  run_not_found: 'response_not_found',
  conflict: 'response_already_completed',
}

type Message = Readonly<Record<string, unknown>>

const parse = (text: string): Message => {
  checkDepth(text)
  let value: unknown
  try {
    value = withoutNulls(JSON.parse(text))
  } catch {
    throw invalidField('', 'The message is not valid JSON')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Message
  throw invalidField('', 'The message must be an object')
}

/** @throws RefineError naming the field. */
const toBody = (message: Message): ResponsesRequest => {
  const { type: _, stream_id, stream: __, generate, background, ...body } = message
  if (stream_id !== undefined) validate(StreamId, stream_id, '/stream_id')
  if (background === true) throw unsupported('/background', 'does not go with a WebSocket')
  if (generate === false) throw unsupported('/generate', 'there is nothing to warm up')
  return validate(ResponsesRequest, body)
}

export class ResponsesSocket {
  readonly #socket: WebSocket
  readonly #context: HttpContext
  readonly #request: FastifyRequest
  readonly #answering = new Set<AbortController>()
  readonly #lanes = new Map<string, Promise<void>>()
  #waiting = 0
  #isClosed = false

  constructor(socket: WebSocket, context: HttpContext, request: FastifyRequest) {
    this.#socket = socket
    this.#context = context
    this.#request = request
  }

  receive(text: string): void {
    let streamId: string | undefined
    try {
      const message = parse(text)
      if (typeof message['stream_id'] === 'string') streamId = message['stream_id'].slice(0, 256)
      this.#take(message, streamId)
    } catch (error) {
      void this.#sendError(error, streamId)
    }
  }

  /** Cancels the runs under way and drops those that wait. */
  close(): void {
    this.#isClosed = true
    for (const each of this.#answering) each.abort()
  }

  #take(message: Message, streamId: string | undefined): void {
    switch (message['type']) {
      case 'response.create':
        return this.#enqueue(toBody(message), streamId)
      case 'response.steer':
        return void this.#steer(message)
      default:
        throw invalidField('/type', 'must be one of response.create, response.steer')
    }
  }

  #enqueue(body: ResponsesRequest, streamId: string | undefined): void {
    const { streamsPerSocket: most } = this.#context.limits
    if (this.#waiting >= most) {
      throw new RefineError('rate_limited', `A socket may have ${most} responses at a time.`)
    }
    this.#waiting++
    const lane = streamId ?? ''
    const before = this.#lanes.get(lane) ?? Promise.resolve()
    const turn: Promise<void> = before
      .then(() => this.#answer(body, streamId))
      .finally(() => {
        this.#waiting--
        if (this.#lanes.get(lane) === turn) this.#lanes.delete(lane)
      })
    this.#lanes.set(lane, turn)
  }

  /** Never rejects. */
  async #answer(body: ResponsesRequest, streamId: string | undefined): Promise<void> {
    if (this.#isClosed) return
    const gone = new AbortController()
    this.#answering.add(gone)
    try {
      await this.#pump(body, streamId, gone.signal)
    } catch (error) {
      await this.#sendError(error, streamId)
    } finally {
      this.#answering.delete(gone)
    }
  }

  async #pump(
    body: ResponsesRequest,
    streamId: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { runs } = this.#context
    const { owner } = this.#request
    const run = await toRunRequest(body, { runs, owner })
    const runId = await startForegroundRun(this.#context, run, {
      request: this.#request,
      gone: signal,
    })
    const instructions = body.instructions ?? null
    const response = new ResponseEvents({ direct: directStrategies(runs), instructions })
    try {
      for await (const event of runs.events(runId, owner, 0, signal)) {
        for (const each of response.add(event)) await this.#send(each, streamId)
      }
    } finally {
      if (body.store === false) await forgetRun(runs, runId, owner)
    }
  }

  /** Input for a response that is being made becomes a hint to what is still to be drafted. Never rejects. */
  async #steer({ input, previous_response_id: id }: Message): Promise<void> {
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
      keepAlive(socket, context.limits.pingSeconds)
    },
  })
}
