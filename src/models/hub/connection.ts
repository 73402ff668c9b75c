/** HTTP to a hub: redirects, the token, and which failures are worth another try. */
import { setTimeout as sleep } from 'node:timers/promises'
import { RefineError, type ErrorCode } from '../../core/errors.ts'
import { isSystemError } from '../file-check.ts'

export interface HubOptions {
  /** Such as `https://huggingface.co`. */
  readonly endpoint: string
  /** Sent to the endpoint's own origin and nowhere else. */
  readonly token?: string
  /** Milliseconds without a byte after which a connection counts as lost. Default 30 000. */
  readonly stallMs?: number
  /** Pauses before another try; for tests. */
  readonly wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

/** A failure that another try may get over; `error` is what is told when none did. */
export class Interruption extends Error {
  readonly error: RefineError
  readonly retryAfterMs: number | undefined

  constructor(error: RefineError, retryAfterMs?: number) {
    super(error.message)
    this.error = error
    this.retryAfterMs = retryAfterMs
  }
}

const MAX_REDIRECTS = 5
const MAX_TRIES = 6
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/** A hub that asks for more patience than this is told of at once. */
const LONGEST_RETRY_AFTER_MS = 300_000

const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status)

const retryAfterMs = (response: Response): number | undefined => {
  const header = response.headers.get('retry-after')
  if (header === null) return undefined
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : undefined
}

const TOKEN_ADVICE = 'set HF_TOKEN to an access token that may read it'

export class HubConnection {
  readonly endpoint: URL
  readonly #token: string | undefined
  readonly #stallMs: number
  readonly #wait: NonNullable<HubOptions['wait']>

  /** @throws RefineError invalid_request for an endpoint that is no http address. */
  constructor({ endpoint, token, stallMs = 30_000, wait }: HubOptions) {
    const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol))
      throw new RefineError(
        'invalid_request',
        `HF_ENDPOINT: expected an http or https address, not "${endpoint}"`,
      )
    this.endpoint = new URL(url.href.endsWith('/') ? url.href : `${url.href}/`)
    this.#token = token
    this.#stallMs = stallMs
    this.#wait = wait ?? ((milliseconds, signal) => sleep(milliseconds, undefined, { signal }))
  }

  /** Address of a path below the endpoint, whose parts are escaped. */
  address(parts: readonly string[], query = ''): URL {
    const path = parts.flatMap((part) => part.split('/')).map(encodeURIComponent)
    return new URL(path.join('/') + query, this.endpoint)
  }

  /**
   * Opens an address, following redirects, and hands the answer to `use`; the answer's status is 200, 206 or 416.
   * `use` calls `alive` whenever bytes arrive.
   * @throws Interruption where another try may help, RefineError where none does, the signal's reason when it aborts.
   */
  async open<Result>(
    address: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    use: (response: Response, alive: () => void) => Promise<Result>,
  ): Promise<Result> {
    const stalled = new AbortController()
    const timer = setTimeout(() => stalled.abort(), this.#stallMs)
    try {
      const both = AbortSignal.any([signal, stalled.signal])
      return await use(await this.#follow(address, headers, both), () => timer.refresh())
    } catch (thrown) {
      signal.throwIfAborted()
      if (thrown instanceof RefineError || thrown instanceof Interruption) throw thrown
      // What fails in the network comes wrapped by fetch; this is the disk's.
      if (isSystemError(thrown)) throw thrown
      throw this.#lost(address, thrown, stalled.signal.aborted)
    } finally {
      clearTimeout(timer)
      // Ends a body that was not read to its end.
      stalled.abort()
    }
  }

  /**
   * Tries again after an Interruption, up to six times in a row without progress.
   * @param progressed whether the last try brought anything: then the count starts anew
   */
  async persist<Result>(
    action: () => Promise<Result>,
    signal: AbortSignal,
    progressed: () => boolean = () => false,
  ): Promise<Result> {
    for (let tries = 1; ; tries++) {
      try {
        return await action()
      } catch (thrown) {
        if (!(thrown instanceof Interruption)) throw thrown
        if (progressed()) tries = 1
        const asked = thrown.retryAfterMs
        if (tries >= MAX_TRIES || (asked ?? 0) > LONGEST_RETRY_AFTER_MS) throw thrown.error
        const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1))
        await this.#wait(asked ?? pause, signal)
      }
    }
  }

  async #follow(
    address: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    let url = address
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const isOurs = url.origin === this.endpoint.origin
      const own = this.#token !== undefined && isOurs && { authorization: `Bearer ${this.#token}` }
      const response = await fetch(url, {
        headers: { 'user-agent': 'whetstone', 'accept-encoding': 'identity', ...headers, ...own },
        redirect: 'manual',
        signal,
      })
      if ([200, 206, 416].includes(response.status)) return response
      const location = response.headers.get('location')
      await response.body?.cancel()
      if (!isRedirect(response.status) || location === null) throw this.#refusal(url, response)
      url = this.#target(location, url)
    }
    throw new RefineError(
      'upstream_rejected',
      `${address.href}: more than ${MAX_REDIRECTS} redirects`,
    )
  }

  #target(location: string, from: URL): URL {
    const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined
    const isSafe =
      to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === 'http:')
    if (to !== undefined && isSafe) return to
    throw new RefineError(
      'upstream_rejected',
      `${from.href} redirects to "${location}", which is refused`,
    )
  }

  #lost(address: URL, cause: unknown, stalled: boolean): Interruption {
    const { cause: inner } = cause as { cause?: { message?: string; code?: string } }
    const why = stalled
      ? `sent nothing for ${this.#stallMs / 1000} seconds`
      : `cannot be reached or broke off (${inner?.code ?? inner?.message ?? (cause as Error).message})`
    const code = stalled ? 'upstream_timeout' : 'upstream_unavailable'
    return new Interruption(
      new RefineError(
        code,
        `${address.origin} ${why}. What was fetched is kept: pull again to go on.`,
        {
          cause,
        },
      ),
    )
  }

  #refusal(url: URL, response: Response): RefineError | Interruption {
    const { status } = response
    const refuse = (code: ErrorCode, why: string): RefineError =>
      new RefineError(code, `${url.origin}${url.pathname}: ${why}`)
    const kind = response.headers.get('x-error-code')
    const hasToken = this.#token !== undefined
    if (kind === 'GatedRepo')
      return refuse(
        hasToken ? 'forbidden' : 'unauthenticated',
        `the model is gated: accept its terms on its page at ${this.endpoint.origin}, then ${TOKEN_ADVICE}`,
      )
    if (kind === 'RepoNotFound')
      return refuse('not_found', `there is no such model, or it is private: then ${TOKEN_ADVICE}`)
    if (kind === 'RevisionNotFound') return refuse('not_found', 'the model has no such revision')
    if (status === 401)
      return refuse(
        'unauthenticated',
        hasToken
          ? 'HF_TOKEN was not accepted'
          : `there is no such model, or it needs a token: then ${TOKEN_ADVICE}`,
      )
    if (status === 403) return refuse('forbidden', 'HF_TOKEN may not read this')
    if (status === 404) return refuse('not_found', 'there is no such model, revision or file')
    const wait = retryAfterMs(response)
    if (status === 429)
      return new Interruption(
        new RefineError(
          'rate_limited',
          `${url.origin} allows no more requests now${wait === undefined ? '' : ` (try again in ${Math.ceil(wait / 1000)} seconds)`}; with HF_TOKEN it allows more.`,
          wait === undefined ? {} : { retryAfter: Math.ceil(wait / 1000) },
        ),
        wait,
      )
    if (status >= 500 || status === 408)
      return new Interruption(refuse('upstream_unavailable', `failed with status ${status}`), wait)
    return refuse('upstream_rejected', `refused with status ${status}`)
  }
}
