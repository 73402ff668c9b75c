/** Every error leaves here, as one kind of body, and is logged here, once, at the level of the catalogue. */
import { STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type {
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RouteOptions,
} from 'fastify'
import { invalidField, RefineError, toRefineError } from '../../core/errors.ts'
import { problemOf } from '../problem.ts'
import { passOver } from './bodies.ts'
import { requestIdOf } from './request-id.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The run this request is about, once there is one: its id goes into an error's body. */
    runId: string | undefined
  }
  interface FastifyContextConfig {
    /** For a route of a protocol whose clients read another body than ours; paths below it, which are none, speak it too. */
    errorBody?: ErrorBody
  }
}

type ErrorBody = (error: RefineError, requestId: string) => object

/** Status for the log of a request whose client left; nobody reads it (nginx's convention). */
const CLIENT_CLOSED_REQUEST = 499

const isFastifyError = (
  thrown: unknown,
): thrown is FastifyError & { readonly statusCode: number } =>
  thrown instanceof Error && typeof (thrown as FastifyError).statusCode === 'number'

/** What Fastify throws on bad input is the caller's fault and its text is about the input; all else is internal. */
const fromFramework = (thrown: unknown): RefineError => {
  if (thrown instanceof RefineError || !isFastifyError(thrown)) return toRefineError(thrown)
  if (thrown.statusCode === 415) {
    return new RefineError(
      'unsupported_media_type',
      'The body must be JSON, with content-type: application/json.',
    )
  }
  if (thrown instanceof SyntaxError || thrown.code === 'FST_ERR_CTP_INVALID_JSON_BODY') {
    return invalidField('', 'The body is not valid JSON')
  }
  if (thrown.statusCode < 500) return new RefineError('invalid_request', thrown.message)
  return toRefineError(thrown)
}

const logError = (request: FastifyRequest, error: RefineError): void => {
  // A stack helps only where the fault is ours or has a cause of its own.
  const explain = error.level === 'error' || (error.level === 'warn' && error.cause !== undefined)
  const details = { code: error.code, run_id: request.runId, ...(explain && { err: error }) }
  request.log[error.level](details, error.message)
}

const sendError = (
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  bodyOf: ErrorBody = (error, id) => problemOf(error, id, request.runId),
): FastifyReply => {
  if (reply.raw.destroyed) {
    request.log.debug({ run_id: request.runId }, 'client left')
    return reply.code(CLIENT_CLOSED_REQUEST).send()
  }
  const error = fromFramework(thrown)
  logError(request, error)
  passOver(request, reply)
  if (error.retryAfter !== undefined) reply.header('retry-after', Math.ceil(error.retryAfter))
  return reply.code(error.status).type('application/problem+json').send(bodyOf(error, request.id))
}

/** Which methods each path takes, to tell a wrong method from a wrong path, and which protocol it belongs to. */
class RouteTable {
  readonly #routes: { readonly pattern: RegExp; readonly method: string }[] = []
  readonly #protocols = new Map<string, ErrorBody>()

  add({ url, method, config }: RouteOptions): void {
    if (url === '*') return // of preflights, which are no request of their own
    if (config?.errorBody !== undefined) this.#protocols.set(url, config.errorBody)
    const pattern = url
      .split('/')
      .map((part) =>
        part.startsWith(':')
          ? '[^/]+'
          : part === '*'
            ? '.*'
            : part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`),
      )
      .join('/')
    for (const each of [method].flat())
      this.#routes.push({ pattern: new RegExp(`^${pattern}$`), method: each })
  }

  allowed(path: string): string[] {
    const fitting = this.#routes.filter(({ pattern }) => pattern.test(path))
    return [...new Set(fitting.map(({ method }) => method))]
  }

  /** The body of errors at the path, or of the protocol it lies below; undefined: ours. */
  errorBody(path: string): ErrorBody | undefined {
    for (const [url, body] of this.#protocols)
      if (path === url || path.startsWith(`${url}/`)) return body
    return undefined
  }
}

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0]!

/** Must come before the routes, which it watches. */
export const registerErrors = (app: FastifyInstance): void => {
  const table = new RouteTable()
  app.decorateRequest('runId', undefined)
  app.addHook('onRoute', (route) => table.add(route))
  app.setErrorHandler((thrown, request, reply) =>
    sendError(thrown, request, reply, table.errorBody(pathOf(request))),
  )
  const lost = (request: FastifyRequest, reply: FastifyReply): RefineError => {
    const path = pathOf(request)
    const allowed = table.allowed(path)
    if (allowed.length === 0) return new RefineError('not_found', `There is nothing at ${path}.`)
    reply.header('allow', allowed.join(', '))
    const message = `${path} takes ${allowed.join(', ')}, not ${request.method}.`
    return new RefineError('method_not_allowed', message)
  }
  // Before the body is read: what is wrong with it does not matter then.
  app.addHook('preParsing', (request, reply, payload, done) =>
    done(request.is404 ? lost(request, reply) : null, payload),
  )
  app.setNotFoundHandler((request, reply) => {
    throw lost(request, reply)
  })
  app.server.on('connect', (_: IncomingMessage, socket: Socket) => {
    refuse(socket, new RefineError('method_not_allowed', 'This is no proxy: CONNECT is not taken.'))
  })
}

/** For errors before routing, such as a path that cannot be decoded. */
export const onFrameworkError = (
  thrown: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void => {
  reply.headers({ 'x-request-id': request.id, 'request-id': request.id })
  // No hook runs, so nobody else would close the connection of an upgrade.
  if (request.headers.upgrade !== undefined) {
    reply.raw.once('finish', () => request.raw.socket.destroy())
  }
  void sendError(thrown, request, reply)
}

/** What Node's parser refuses before there is a request. */
const UNREAD = {
  HPE_HEADER_OVERFLOW: ['headers_too_large', 'Headers and address may have at most 16 KiB.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'The request took too long to arrive.'],
} as const

/** Answers outside of any request, and ends the connection. */
const refuse = (socket: Socket, error: RefineError): void => {
  const id = requestIdOf({ headers: {} })
  const body = JSON.stringify(problemOf(error, id))
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Answers what is no HTTP request, or one too long to be read. */
export const onClientError = (thrown: Error & { readonly code?: string }, socket: Socket): void => {
  if (thrown.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [code, message] = UNREAD[thrown.code as keyof typeof UNREAD] ?? [
    'invalid_request',
    'This is not a valid HTTP request.',
  ]
  refuse(socket, new RefineError(code, message))
}
