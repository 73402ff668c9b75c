/**
 * One HTTP exchange with an upstream over kept-alive connections. Built on `node:http` because it lets us bound the
 * time to connect, closes the socket in the same turn as an abort, and costs less per packet than `fetch`.
 */
import http, { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { invalidField } from '../../core/errors.ts'
import { failureOfConnection, failureOfTimeout, UpstreamFailure } from './upstream-error.ts'
import type { Origin } from './upstream-error.ts'

/** All in milliseconds. */
export interface Timeouts {
  readonly connectMs: number
  /** From sending the request to the first byte of the answer's body. */
  readonly firstByteMs: number
  /** Longest silence after that; comments count as bytes. */
  readonly betweenBytesMs: number
}

export const DEFAULT_TIMEOUTS: Timeouts = {
  connectMs: 5_000,
  firstByteMs: 120_000,
  betweenBytesMs: 60_000,
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /**
   * The body. `silenceMs` is asked before each wait but the first. Leaving the iteration early closes the connection,
   * unless `release` was called before.
   * @throws UpstreamFailure on a time-out or a broken connection; the signal's reason after an abort.
   */
  packets(silenceMs: () => number): AsyncGenerator<Uint8Array, void, void>
  /** Nothing of interest follows: what is left is taken in within a second, so that the connection can be used again. */
  release(): void
}

interface Call {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** Absent: GET. */
  readonly body?: string
  readonly timeouts: Timeouts
  readonly signal: AbortSignal
}

interface Reading {
  readonly response: IncomingMessage
  readonly signal: AbortSignal
  /** Runs since the request was sent. */
  readonly silent: NodeJS.Timeout
  readonly silenceMs: () => number
  readonly leave: () => void
}

/** @throws RefineError invalid_request for a base URL that cannot be one. */
export const endpointUrl = (baseUrl: string, path: string): URL => {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalidField('/base_url', `must be an http or https URL, not "${baseUrl}"`)
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`
  return url
}

const RELEASE_MS = 1000

const isStale = (request: ClientRequest, thrown: unknown): boolean =>
  request.reusedSocket &&
  ['ECONNRESET', 'EPIPE'].includes(String((thrown as { code?: unknown }).code))

const asError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error('The call was aborted.', { cause: reason })

const watchConnecting = (request: ClientRequest, milliseconds: number, origin: Origin): void => {
  request.once('socket', (socket) => {
    if (!socket.connecting) return
    const timer = setTimeout(() => {
      const { error } = failureOfTimeout('no connection', milliseconds, origin)
      request.destroy(new UpstreamFailure(error, true, { unread: true }))
    }, milliseconds)
    const stop = (): void => clearTimeout(timer)
    socket.once('connect', stop).once('close', stop)
  })
}

const releaseResponse = (response: IncomingMessage): void => {
  if (response.closed) return
  const timer = setTimeout(() => response.destroy(), RELEASE_MS)
  timer.unref()
  response.once('error', () => undefined).once('close', () => clearTimeout(timer))
  response.resume()
}

/** Connections to one upstream. */
export class UpstreamConnections {
  readonly #origin: Origin
  readonly #secure: boolean
  readonly #agent: http.Agent

  constructor(origin: Origin, secure: boolean) {
    this.#origin = origin
    this.#secure = secure
    this.#agent = new (secure ? https : http).Agent({ keepAlive: true, scheduling: 'lifo' })
  }

  /**
   * Sends a request and waits for the head of the answer. A kept connection that the upstream had closed meanwhile
   * is replaced without counting as a failure.
   * @throws UpstreamFailure, or the signal's reason.
   */
  async send(call: Call): Promise<Reply> {
    for (;;) {
      call.signal.throwIfAborted()
      const request = this.#request(call)
      try {
        return await this.#head(request, call)
      } catch (thrown) {
        call.signal.throwIfAborted()
        if (isStale(request, thrown)) continue
        throw thrown instanceof UpstreamFailure ? thrown : failureOfConnection(thrown, this.#origin)
      }
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  #request({ url, headers, body, timeouts }: Call): ClientRequest {
    const request = (this.#secure ? https : http).request(url, {
      agent: this.#agent,
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...headers,
        ...(body !== undefined && {
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(body)),
        }),
      },
    })
    watchConnecting(request, timeouts.connectMs, this.#origin)
    request.end(body)
    return request
  }

  #head(request: ClientRequest, { signal, timeouts }: Call): Promise<Reply> {
    return new Promise((resolve, reject) => {
      let target: ClientRequest | IncomingMessage = request
      const abort = (): void => void target.destroy(asError(signal.reason))
      const silent = setTimeout(
        () => target.destroy(failureOfTimeout('nothing', timeouts.firstByteMs, this.#origin)),
        timeouts.firstByteMs,
      )
      const detach = (): void => {
        clearTimeout(silent)
        signal.removeEventListener('abort', abort)
      }
      signal.addEventListener('abort', abort, { once: true })
      request.once('close', detach)
      request.on('error', reject)
      request.once('response', (response) => {
        target = response
        response.once('close', detach)
        // Heard even when nobody iterates at that moment: an unheard error would end the process.
        response.on('error', () => undefined)
        resolve(this.#reply(response, signal, silent))
      })
    })
  }

  #reply(response: IncomingMessage, signal: AbortSignal, silent: NodeJS.Timeout): Reply {
    let released = false
    const leave = (): void => {
      if (released) releaseResponse(response)
      else response.destroy()
    }
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      packets: (silenceMs) => this.#packets({ response, signal, silent, silenceMs, leave }),
      release: () => void (released = true),
    }
  }

  async *#packets({
    response,
    signal,
    silent,
    silenceMs,
    leave,
  }: Reading): AsyncGenerator<Uint8Array, void, void> {
    const iterator = response.iterator({ destroyOnReturn: false })
    let timer = silent
    try {
      for (;;) {
        const { done, value } = (await iterator.next()) as IteratorResult<Uint8Array, undefined>
        // Only our own waiting is timed: a slow reader of ours is no fault of the upstream.
        clearTimeout(timer)
        if (done === true) return
        yield value
        const limit = silenceMs()
        timer = setTimeout(
          () => response.destroy(failureOfTimeout('nothing more', limit, this.#origin)),
          limit,
        )
      }
    } catch (thrown) {
      signal.throwIfAborted()
      throw thrown instanceof UpstreamFailure ? thrown : failureOfConnection(thrown, this.#origin)
    } finally {
      clearTimeout(timer)
      await iterator.return?.()
      if (!response.readableEnded) leave()
    }
  }
}
