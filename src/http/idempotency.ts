/** `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): the same request again, not another run. */
import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { canonicalJson } from '../core/canonical-json.ts'
import { invalidField } from '../core/errors.ts'
import type { RequestKey } from '../core/run-store.ts'

const MAX_LENGTH = 255

/** A structured-field string (RFC 9651): in quotes, with `\"` and `\\` for the two signs that need it. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
/** What most clients send: the key as it is. */
const BARE = /^[\x21\x23-\x5b\x5d-\x7e]+$/

const readKey = (header: string): string => {
  const text = header.trim()
  const key = QUOTED.exec(text)?.[1]?.replaceAll(/\\(["\\])/g, '$1') ?? BARE.exec(text)?.[0]
  if (key !== undefined && key !== '' && key.length <= MAX_LENGTH) return key
  throw invalidField('/idempotency-key', `must be a string of 1 to ${MAX_LENGTH} ASCII characters`)
}

/** The key of a request with a fingerprint of its body; undefined without one. @throws RefineError invalid_request */
export const requestKeyOf = (request: FastifyRequest): RequestKey | undefined => {
  const header = request.headers['idempotency-key']
  if (header === undefined) return undefined
  return {
    route: `${request.method} ${request.routeOptions.url ?? ''}`,
    key: readKey(String(header)),
    fingerprint: createHash('sha256').update(canonicalJson(request.body)).digest('hex'),
  }
}
