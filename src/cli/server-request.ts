/** One request to a server, with its errors in our words, and how often it is tried again. */
import { setTimeout as wait } from 'node:timers/promises'
import { CATALOG, RefineError, type ErrorCode } from '../core/errors.ts'

export interface Server {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: URL
  /** Sent as a bearer token. */
  readonly apiKey?: string
}

interface ErrorBody {
  readonly detail?: unknown
  readonly title?: unknown
  readonly error?: { readonly code?: unknown; readonly message?: unknown }
}

const errorOf = async (response: Response): Promise<RefineError> => {
  const body = (await response.json().catch(() => ({}))) as ErrorBody
  const code = body.error?.code
  const isKnown = typeof code === 'string' && Object.hasOwn(CATALOG, code)
  const said = [body.detail, body.error?.message, body.title].find(
    (text) => typeof text === 'string',
  )
  return new RefineError(
    isKnown ? (code as ErrorCode) : 'upstream_rejected',
    `The server answered ${response.status}: ${String(said ?? response.statusText)}`,
  )
}

/** @throws RefineError as the server says, or upstream_unavailable when none answers */
export const requestServer = async (
  { url, apiKey }: Server,
  path: string,
  init: RequestInit,
): Promise<Response> => {
  const base = url.href.endsWith('/') ? url.href : `${url.href}/`
  const headers = {
    ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  }
  const response = await fetch(new URL(path, base), { ...init, headers }).catch(
    (cause: unknown) => {
      throw new RefineError('upstream_unavailable', `No server answers at ${url.href}`, { cause })
    },
  )
  if (!response.ok) throw await errorOf(response)
  return response
}

/** Attempts to take up what broke: each waits twice as long as the one before. */
export class Attempts {
  readonly #most: number
  readonly #delay: number
  #failures = 0

  /** @param most attempts in a row that bring nothing @param delay milliseconds before the first of them */
  constructor(most = 5, delay = 200) {
    this.#most = most
    this.#delay = delay
  }

  /** Something arrived: the count starts again. */
  reset(): void {
    this.#failures = 0
  }

  /**
   * Waits before the next attempt; no longer when the signal aborts.
   * @throws the error itself where another attempt is of no use.
   */
  async wait(error: unknown, signal: AbortSignal): Promise<void> {
    const isLost = error instanceof RefineError ? error.retryable : true
    if (!isLost || ++this.#failures > this.#most) throw error
    const pause = this.#delay * 2 ** (this.#failures - 1)
    await wait(pause, undefined, { signal }).catch(() => undefined)
  }
}
