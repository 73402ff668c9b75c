/**
 * What bodies are taken: JSON, and nothing else. An empty one is no body, whatever its headers say. Bytes are counted as
 * they come, for each request and for all together, so that no crowd of large requests fills the memory.
 */
import { isUtf8 } from 'node:buffer'
import { finished, type Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { invalidField, RefineError } from '../../core/errors.ts'
import { checkDepth } from '../json-text.ts'
import type { Limits } from '../server-options.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The memory that the body takes; undefined where there was none. */
    lease: BodyLease | undefined
  }
  interface FastifyContextConfig {
    /** Takes conversations, which may hold images. */
    images?: boolean
  }
}

type BodyLimits = Pick<Limits, 'bodyBytes' | 'imageBodyBytes' | 'bodiesBytes'>

/** The bytes of all bodies that are read or kept at the moment. */
interface Shelf {
  held: number
  readonly most: number
}

const WORTH_WATCHING = 65_536

/** Counts the bytes of one body until nobody needs it any more: neither the reply, nor what was begun with it. */
export class BodyLease {
  readonly #shelf: Shelf
  #bytes = 0
  #holders = 1

  constructor(shelf: Shelf) {
    this.#shelf = shelf
  }

  /** False when there is no room for so much more. */
  take(bytes: number): boolean {
    if (this.#shelf.held + bytes > this.#shelf.most) return false
    this.#shelf.held += bytes
    this.#bytes += bytes
    return true
  }

  /** Keeps the bytes counted until the work has ended, however it does; a few are not worth watching it. */
  hold(work: () => Promise<unknown>): void {
    if (this.#bytes < WORTH_WATCHING) return
    this.#holders++
    work().then(this.release, this.release)
  }

  readonly release = (): void => {
    if (--this.#holders > 0) return
    this.#shelf.held -= this.#bytes
    this.#bytes = 0
  }
}

const tooLarge = (limit: number): RefineError =>
  new RefineError('request_too_large', `The body may have at most ${limit} bytes.`)

const noRoom = (): RefineError =>
  new RefineError('overloaded', 'The requests under way take all the memory there is for them.', {
    retryAfter: 1,
  })

const packed = (): RefineError =>
  new RefineError(
    'unsupported_media_type',
    'The body must come as it is, without content-encoding.',
  )

type Done = (error: Error | null, text?: string) => void

/** Not by iterating, which would destroy the connection of a body that is too large before anybody could say so. */
const readText = (payload: Readable, lease: BodyLease, limit: number, done: Done): void => {
  const chunks: Buffer[] = []
  let size = 0
  const finish = (error: Error | null, text?: string): void => {
    payload.off('data', onData).off('end', onEnd).off('error', finish)
    done(error, text)
  }
  const onEnd = (): void => {
    const body = Buffer.concat(chunks, size)
    // Decoded all the same, letters would be replaced in silence.
    if (isUtf8(body)) finish(null, body.toString())
    else finish(invalidField('', 'The body is not valid UTF-8'))
  }
  const onData = (chunk: Buffer): void => {
    size += chunk.length
    if (size > limit) return finish(tooLarge(limit))
    if (!lease.take(chunk.length)) return finish(noRoom())
    chunks.push(chunk)
  }
  payload.on('data', onData).on('end', onEnd).on('error', finish)
}

/** Keys that would change what every object is are refused in JSON that is valid otherwise. */
const faultOf = (text: string): RefineError => {
  try {
    JSON.parse(text)
  } catch {
    return invalidField('', 'The body is not valid JSON')
  }
  return invalidField('', 'No key may be `__proto__`, nor `constructor` with a `prototype` in it')
}

/** How long the rest of a body that nobody wants may still come, in milliseconds. */
const LINGER_MS = 30_000

/**
 * Lets the rest of a refused body come, and go unread: a connection that is closed before is reset, as Fastify would have
 * it, and a client that is still sending never sees the reply.
 */
export const passOver = ({ raw: request }: FastifyRequest, reply: FastifyReply): void => {
  reply.removeHeader('connection')
  if (request.complete !== false) return
  const { socket } = request
  const isLast = !reply.raw.shouldKeepAlive
  reply.raw.shouldKeepAlive = true
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  reply.raw.once('finish', () =>
    finished(request, () => {
      clearTimeout(timer)
      if (isLast) socket.end()
    }),
  )
}

const limitFor = ({ routeOptions }: FastifyRequest, limits: BodyLimits): number =>
  routeOptions.config?.images === true ? limits.imageBodyBytes : limits.bodyBytes

export const registerBodies = (app: FastifyInstance, limits: BodyLimits): void => {
  const shelf: Shelf = { held: 0, most: limits.bodiesBytes }
  const parse = app.getDefaultJsonParser('error', 'error')
  app.decorateRequest('lease', undefined)
  // No hook of Fastify's comes behind a reply that could not be sent, to a caller that left. Without a type nothing is read.
  app.addHook('onRequest', (request, { raw }, done) => {
    if (request.headers['content-type'] !== undefined)
      raw.once('close', () => request.lease?.release())
    done()
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', (request, payload, done) => {
    const limit = limitFor(request, limits)
    if (Number(request.headers['content-length']) > limit) return done(tooLarge(limit))
    if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') return done(packed())
    const lease = new BodyLease(shelf)
    request.lease = lease
    readText(payload, lease, limit, (error, text = '') => {
      if (error !== null || text === '') return done(error)
      try {
        checkDepth(text)
      } catch (thrown) {
        return done(thrown as Error)
      }
      return void parse(request, text, (fault, body) =>
        fault === null ? done(null, body) : done(faultOf(text)),
      )
    })
  })
}
