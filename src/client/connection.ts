/** Requests to one server, with its key, and errors as `WhetstoneError`. */
import { connectionFailed, errorOfResponse } from './whetstone-error.ts'

export interface ConnectionOptions {
  /** Such as `http://127.0.0.1:8080`, with or without a path before `/v1`. */
  readonly baseUrl: string
  /** Sent as a bearer token. */
  readonly apiKey?: string
  /** In the place of the global one. */
  readonly fetch?: typeof fetch
}

export interface CallOptions {
  /** Ends the waiting; what is thrown then is the signal's reason, as with fetch. */
  readonly signal?: AbortSignal
}

export interface FeedbackOptions extends CallOptions {
  /** The same key and feedback again count once. */
  readonly idempotencyKey?: string
}

export interface RequestOptions extends CallOptions {
  readonly method?: 'GET' | 'POST'
  readonly body?: unknown
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly headers?: Readonly<Record<string, string>>
}

export class Connection {
  /** Without a slash at its end. */
  readonly baseUrl: string
  readonly apiKey: string | undefined
  readonly #fetch: typeof fetch

  constructor({ baseUrl, apiKey, fetch: given }: ConnectionOptions) {
    if (!URL.canParse(baseUrl) || !/^https?:/.test(baseUrl)) {
      throw new TypeError(`baseUrl must be an http or https address, not "${baseUrl}".`)
    }
    this.baseUrl = baseUrl.replace(/\/+$/, '')
    this.apiKey = apiKey
    // A browser's fetch must not be called as a method of something else.
    this.#fetch = given ?? ((...request) => globalThis.fetch(...request))
  }

  /** @throws WhetstoneError unless the reply is ok; the signal's reason when it aborts. */
  async request(path: string, options: RequestOptions = {}): Promise<Response> {
    const { method = 'GET', body, signal } = options
    const init: RequestInit = {
      method,
      headers: this.#headers(options),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    }
    const response = await this.#fetch(this.#url(path, options.query), init).catch(
      (cause: unknown) => {
        signal?.throwIfAborted()
        throw connectionFailed(`No server answers at ${this.baseUrl}.`, cause)
      },
    )
    if (!response.ok) throw await errorOfResponse(response)
    return response
  }

  async json<Result>(path: string, options: RequestOptions = {}): Promise<Result> {
    const response = await this.request(path, options)
    try {
      return (await response.json()) as Result
    } catch (cause) {
      options.signal?.throwIfAborted()
      throw connectionFailed('The answer broke off or is not JSON.', cause)
    }
  }

  #headers({ body, headers = {} }: RequestOptions): Record<string, string> {
    return {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(this.apiKey === undefined ? {} : { authorization: `Bearer ${this.apiKey}` }),
      ...headers,
    }
  }

  #url(path: string, query: RequestOptions['query'] = {}): string {
    const given = Object.entries(query).filter(([, value]) => value !== undefined)
    const search = new URLSearchParams(
      given.map(([key, value]): [string, string] => [key, String(value)]),
    ).toString()
    return `${this.baseUrl}${path}${given.length === 0 ? '' : `?${search}`}`
  }
}
