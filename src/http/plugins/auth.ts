/**
 * API keys. The server keeps SHA-256 hashes only; the hash of the caller's key is the owner of what it makes. A key comes
 * as `Authorization: Bearer …`, as `x-api-key`, or, for a browser's socket, which can set no headers, as the subprotocol
 * `bearer.<base64url of the key>` beside the real one.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RefineError } from '../../core/errors.ts'
import type { ApiKey } from '../server-options.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Hash of the caller's API key, '' on a server without keys. */
    owner: string
  }
  interface FastifyContextConfig {
    /** Served without a key. */
    public?: boolean
  }
}

const BEARER_PROTOCOL = 'bearer.'

const keyOf = ({ headers }: FastifyRequest): string | undefined => {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return bearer
  const plain = headers['x-api-key']
  if (typeof plain === 'string') return plain
  const encoded = headers['sec-websocket-protocol']
    ?.split(',')
    .map((protocol) => protocol.trim())
    .find((protocol) => protocol.startsWith(BEARER_PROTOCOL))
  return encoded === undefined
    ? undefined
    : Buffer.from(encoded.slice(BEARER_PROTOCOL.length), 'base64url').toString()
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
export const registerAuth = (app: FastifyInstance, keys: readonly ApiKey[]): void => {
  const digests = toDigests(keys)
  app.decorateRequest('owner', '')
  if (digests.length === 0) return
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.public === true) return
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
