/**
 * The only protocol that a connection may change to is WebSocket, and only where it is taken. Any other offer is passed
 * over, as RFC 9110 (7.8) has it: curl and the clients of Java offer `h2c` with their first request, and mean it as HTTP.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { RefineError } from '../../core/errors.ts'

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

const OFFER = new Set(['upgrade', 'http2-settings'])

const tokensOf = (value: string): string[] =>
  value.split(',').map((token) => token.trim().toLowerCase())

/** The headers as they came, less what offers another protocol. */
const plainHeaders = (raw: readonly string[]): string[] => {
  const lines: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const [name, value] = [raw[at]!, raw[at + 1]!]
    if (OFFER.has(name.toLowerCase())) continue
    const isConnection = name.toLowerCase() === 'connection'
    const kept = tokensOf(value).filter((token) => !OFFER.has(token))
    if (!isConnection) lines.push(`${name}: ${value}`)
    else if (kept.length > 0) lines.push(`${name}: ${kept.join(', ')}`)
  }
  return lines
}

/** Node has taken its parser off the connection, so the request is read once more, without the offer. */
const readAgain = (
  server: Server,
  { method, url, httpVersion, rawHeaders }: IncomingMessage,
  socket: Duplex,
  rest: Buffer,
): void => {
  const head = [`${method} ${url} HTTP/${httpVersion}`, ...plainHeaders(rawHeaders), '', '']
  // Of its own listeners Node leaves this one behind, and adds another.
  socket.removeAllListeners('timeout')
  socket.unshift(Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), rest]))
  server.emit('connection', socket)
}

/** Must come right behind the plugin for WebSockets, and before the routes. */
export const registerUpgrades = (app: FastifyInstance): void => {
  const { server } = app
  const open = server.listeners('upgrade') as UpgradeListener[]
  server.removeAllListeners('upgrade')
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (tokensOf(request.headers.upgrade ?? '').includes('websocket')) {
      for (const listener of open) listener(request, socket, head)
    } else readAgain(server, request, socket, head)
  })
  const taking = new Set<string | undefined>()
  app.addHook('onRoute', ({ url, wsHandler }) => {
    if (wsHandler !== undefined) taking.add(url)
  })
  app.addHook('preParsing', (request, _, payload, done) => {
    const isLost = request.ws && !request.is404 && !taking.has(request.routeOptions.url)
    done(isLost ? new RefineError('invalid_request', 'There is no WebSocket here.') : null, payload)
  })
}
