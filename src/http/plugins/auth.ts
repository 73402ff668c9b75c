/**
 * API keys. The server keeps SHA-256 hashes only; the hash of the caller's key is the owner of what it makes. A key comes
 * as `Authorization: Bearer …`, as `x-api-key`, or, for a browser's socket, which can set no headers, as the subprotocol
 * `bearer.<base64url of the key>` beside the real one.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RefineError } from '../../core/errors.ts'
import type { ApiKey } from '../server-options.ts'
import type { SocketTickets, Ticket } from '../socket-tickets.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Hash of the caller's API key, '' on a server without keys. */
    owner: string
    /** What a web page opens its socket with, where it came with one. */
    ticket: Ticket | undefined
  }
  interface FastifyContextConfig {
    /** Served without a key. */
    public?: boolean
    /** Takes a ticket in place of a key. */
    tickets?: boolean
  }
}

const BEARER_PROTOCOL = 'bearer.'
const TICKET_PROTOCOL = 'ticket.'

/** What follows the prefix in one of the subprotocols that the client offers. */
const protocolValue = (headers: FastifyRequest['headers'], prefix: string): string | undefined =>
  headers['sec-websocket-protocol']
    ?.split(',')
    .map((protocol) => protocol.trim())
    .find((protocol) => protocol.startsWith(prefix))
    ?.slice(prefix.length)

const keyOf = ({ headers }: FastifyRequest): string | undefined => {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return bearer
  const plain = headers['x-api-key']
  if (typeof plain === 'string') return plain
  const encoded = protocolValue(headers, BEARER_PROTOCOL)
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64url').toString()
}

const ticketOf = ({ headers, query }: FastifyRequest): string | undefined => {
  const { ticket } = query as { readonly ticket?: unknown }
  return typeof ticket === 'string' ? ticket : protocolValue(headers, TICKET_PROTOCOL)
}

const toDigests = (keys: readonly ApiKey[]): Buffer[] =>
  keys.map(({ name, sha256 }) => {
    if (!/^[0-9a-f]{64}$/i.test(sha256)) {
      throw new RefineError(
        'invalid_request',
        `API key "${name}": sha256 must have 64 hexadecimal digits`,
      )
    }
    return Buffer.from(sha256, 'hex')
  })

/** @throws RefineError invalid_request when a configured hash is not a SHA-256. */
export const registerAuth = (
  app: FastifyInstance,
  keys: readonly ApiKey[],
  tickets: SocketTickets,
): void => {
  const digests = toDigests(keys)
  app.decorateRequest('owner', '')
  app.decorateRequest('ticket', undefined)
  app.addHook('onRequest', async (request) => {
    const given = request.routeOptions.config.tickets === true ? ticketOf(request) : undefined
    if (given === undefined) return
    request.ticket = tickets.redeem(given)
    if (request.ticket === undefined) {
      throw new RefineError(
        'unauthenticated',
        'The ticket is unknown, used or older than a minute.',
      )
    }
    request.owner = request.ticket.owner
  })
  if (digests.length === 0) return
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.public === true || request.ticket !== undefined) return
    const key = keyOf(request)
    const digest = createHash('sha256')
      .update(key ?? '')
      .digest()
    // Every hash is compared, each in constant time: the time taken says nothing about how close a guess came.
    const known = digests.map((each) => timingSafeEqual(each, digest)).includes(true)
    if (key === undefined || !known) {
      reply.header('www-authenticate', 'Bearer')
      throw new RefineError(
        'unauthenticated',
        key === undefined
          ? 'Send an API key, as `Authorization: Bearer …` or as `x-api-key`.'
          : 'The API key is not valid.',
      )
    }
    request.owner = digest.toString('hex')
  })
}
