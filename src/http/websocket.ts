/** `/v1/ws`: many runs on one socket, subprotocol `whetstone.v1`; what is said on it is in `websocket-session.ts`. */
import websocket, { type WebSocket } from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RefineError } from '../core/errors.ts'
import { PROBLEM_RESPONSES } from './responses.ts'
import { ANY_ORIGIN, type HttpContext } from './server-options.ts'
import { WebSocketSession } from './websocket-session.ts'

const SUBPROTOCOL = 'whetstone.v1'
const GOING_AWAY = 1001
/** A client that does not answer the closing handshake is cut off after this long. */
const CLOSE_GRACE_MS = 1000

const SCHEMA = {
  operationId: 'openSocket',
  summary: 'Many runs on one WebSocket',
  description:
    `Subprotocol \`${SUBPROTOCOL}\`. Client to server: \`run.create\`, \`run.subscribe\`, \`run.unsubscribe\`, \`run.cancel\`, ` +
    '`run.steer`, `feedback.create`, `ping`. Server to client: run events with `stream_id`, and `error`. A web page opens it ' +
    'with a ticket of `POST /v1/ws-tickets`. After an hour it is closed, which `session.expiring` tells before. Nothing is tied to the ' +
    'socket: when it closes, runs go on; `run.subscribe` with `after` takes a stream up again.',
  tags: ['runs'],
  response: {
    101: { description: 'The connection is a WebSocket now.', type: 'null' },
    ...PROBLEM_RESPONSES,
  },
}

/** A web page of another site must not use the visitor's access; programs send no origin. */
export const checkOrigin = (
  { headers, ticket }: FastifyRequest,
  origins: readonly string[],
): void => {
  const { origin, host } = headers
  if (ticket?.origin !== undefined) {
    if (ticket.origin === origin) return
    throw new RefineError('forbidden', `The ticket is for pages of ${ticket.origin}.`)
  }
  if (origin === undefined || [origin, ANY_ORIGIN].some((each) => origins.includes(each))) return
  if (URL.canParse(origin) && new URL(origin).host === host) return
  throw new RefineError('forbidden', `Pages of ${origin} may not open a socket here.`)
}

/** Finds dead peers, which TCP alone does not: the second ping missed in a row ends the connection. */
export const keepAlive = (socket: WebSocket, pingSeconds: number): void => {
  let missed = 0
  const timer = setInterval(() => {
    if (missed >= 2) return socket.terminate()
    missed++
    socket.ping()
  }, pingSeconds * 1000)
  socket.on('pong', () => {
    missed = 0
  })
  socket.on('close', () => clearInterval(timer))
}

/**
 * Ends connections that have grown old, so that keys that were withdrawn and servers that were replaced are left; `tell`
 * is called with the seconds that are left by then.
 */
export const limitAge = (
  socket: WebSocket,
  seconds: number,
  tell: (seconds: number) => void,
): void => {
  const notice = Math.min(60, seconds / 10)
  const telling = setTimeout(() => tell(notice), (seconds - notice) * 1000)
  const closing = setTimeout(
    () => socket.close(GOING_AWAY, 'the session is too old'),
    seconds * 1000,
  )
  socket.on('close', () => {
    clearTimeout(telling)
    clearTimeout(closing)
  })
}

/**
 * Must come before any hook that may refuse a request: the plugin closes the connection of a refused upgrade only when
 * its own hook has seen the request.
 */
export const registerWebSocketPlugin = async (
  app: FastifyInstance,
  messageBytes: number,
): Promise<void> => {
  await app.register(websocket, {
    options: {
      maxPayload: messageBytes,
      perMessageDeflate: false,
      handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    },
    errorHandler: (error, socket, request) => {
      request.log.debug({ err: error }, 'socket failed')
      socket.terminate()
    },
    preClose(done) {
      const { clients } = this.websocketServer
      for (const client of clients) client.close(GOING_AWAY, 'the server is shutting down')
      setTimeout(() => clients.forEach((client) => client.terminate()), CLOSE_GRACE_MS).unref()
      this.websocketServer.close()
      done()
    },
  })
}

export const registerWebSocket = (
  app: FastifyInstance,
  { runs, limits, origins, metrics }: HttpContext,
): void => {
  app.route({
    method: 'GET',
    url: '/v1/ws',
    schema: SCHEMA,
    config: { tickets: true },
    preValidation: async (request) => checkOrigin(request, origins),
    handler: async (_, reply) => {
      reply.header('upgrade', 'websocket')
      throw new RefineError('invalid_request', 'This address takes WebSocket connections only.')
    },
    wsHandler: (socket, { owner, trace, log, raw }) => {
      const session = new WebSocketSession(socket, {
        runs,
        owner,
        trace,
        log,
        connection: raw.socket,
        streams: limits.streamsPerSocket,
        runsPerSecond: limits.runsPerSecond,
      })
      metrics.socketOpened()
      // At once: a message that arrives before there is a listener is lost.
      socket.on('message', (data) => session.receive(data))
      socket.on('close', () => {
        metrics.socketClosed()
        session.close()
      })
      limitAge(socket, limits.socketSeconds, (seconds) => session.expire(seconds))
      keepAlive(socket, limits.pingSeconds)
    },
  })
}
