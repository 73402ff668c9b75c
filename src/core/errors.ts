/**
 * The one error class and the one table of error codes. Cancellation and a spent budget are stop reasons, not errors
 * (see `budget.ts` and `run-state.ts`).
 */

interface CatalogEntry {
  /** HTTP status the wire answers with. */
  readonly status: number
  /** Short, constant summary: RFC 9457 `title`. */
  readonly title: string
  /** OpenAI's `error.type`. */
  readonly type: string
  /** Whether the same request may succeed later without a change. */
  readonly retryable: boolean
  /** Level at which the HTTP layer logs it, once. */
  readonly level: 'debug' | 'info' | 'warn' | 'error'
}

const caller = (status: number, title: string, type = 'invalid_request_error'): CatalogEntry => ({
  status,
  title,
  type,
  retryable: false,
  level: 'info',
})
const dependency = (status: number, title: string, retryable: boolean): CatalogEntry => ({
  status,
  title,
  type: 'upstream_error',
  retryable,
  level: 'warn',
})

export const CATALOG = {
  invalid_request: caller(400, 'The request is not valid'),
  budget_too_small: caller(400, 'The budget does not allow a single answer'),
  context_length_exceeded: caller(400, 'The prompt does not fit the context of the model'),
  unsupported_capability: caller(400, 'The model lacks what the request needs'),
  unauthenticated: caller(401, 'A valid API key is needed', 'authentication_error'),
  forbidden: caller(403, 'The key may not do this', 'permission_error'),
  not_found: caller(404, 'There is nothing here', 'not_found_error'),
  run_not_found: caller(404, 'There is no such run', 'not_found_error'),
  unknown_strategy: caller(404, 'There is no such strategy', 'not_found_error'),
  unknown_model: caller(404, 'There is no such model', 'not_found_error'),
  method_not_allowed: caller(405, 'The resource does not take this method'),
  conflict: caller(409, 'The resource is in another state', 'conflict_error'),
  run_expired: caller(410, 'The run is no longer kept', 'not_found_error'),
  precondition_failed: caller(412, 'The resource has changed', 'conflict_error'),
  request_too_large: caller(413, 'The request body is too large', 'request_too_large'),
  request_timeout: caller(408, 'The request did not arrive in time'),
  headers_too_large: caller(431, 'The headers or the address are too long'),
  unsupported_media_type: caller(415, 'The body must be application/json'),
  idempotency_mismatch: caller(422, 'The key belongs to another request'),
  precondition_required: caller(428, 'The request must say which version it changes'),
  rate_limited: { ...caller(429, 'Too many requests', 'rate_limit_error'), retryable: true },
  upstream_rejected: dependency(502, 'The upstream model refused the request', false),
  upstream_unavailable: dependency(502, 'The upstream model failed', true),
  upstream_timeout: dependency(504, 'The upstream model did not answer in time', true),
  all_candidates_failed: dependency(502, 'No candidate could be generated', true),
  scorer_unavailable: dependency(503, 'A scorer is not available', true),
  model_failed: dependency(502, 'The embedded model failed', true),
  overloaded: {
    status: 503,
    title: 'The server cannot take this now',
    type: 'overloaded_error',
    retryable: true,
    level: 'warn',
  },
  storage_unavailable: {
    status: 503,
    title: 'The database does not answer',
    type: 'server_error',
    retryable: true,
    level: 'warn',
  },
  shutting_down: {
    status: 503,
    title: 'The server is shutting down',
    type: 'overloaded_error',
    retryable: true,
    level: 'info',
  },
  interrupted: {
    status: 500,
    title: 'The server stopped while the run was going on',
    type: 'server_error',
    retryable: true,
    level: 'error',
  },
  internal: {
    status: 500,
    title: 'Internal error',
    type: 'server_error',
    retryable: false,
    level: 'error',
  },
} as const satisfies Record<string, CatalogEntry>

export type ErrorCode = keyof typeof CATALOG

/** One field that is wrong: a JSON pointer into the request body and what was expected there. */
export interface FieldError {
  readonly pointer: string
  readonly message: string
}

export interface ErrorDetails {
  /** The request field at fault, as OpenAI's `error.param`. */
  readonly param?: string
  readonly fields?: readonly FieldError[]
  /** When the caller should try again, in seconds. */
  readonly retryAfter?: number
  readonly cause?: unknown
}

/** The only error class that crosses a layer. Its message is meant for the caller and never holds a secret. */
export class RefineError extends Error {
  override readonly name = 'RefineError'
  readonly code: ErrorCode
  readonly param: string | undefined
  readonly fields: readonly FieldError[]
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    const pointer = details.fields?.[0]?.pointer || undefined
    this.param = details.param ?? pointer?.slice(1).replaceAll('/', '.')
    this.fields = details.fields ?? []
    this.retryAfter = details.retryAfter
  }

  get status(): number {
    return CATALOG[this.code].status
  }

  get retryable(): boolean {
    return CATALOG[this.code].retryable
  }

  get level(): CatalogEntry['level'] {
    return CATALOG[this.code].level
  }
}

/** An invalid request with the field at fault; `pointer` is a JSON pointer such as `/options/n`. */
export const invalidField = (pointer: string, message: string): RefineError =>
  new RefineError('invalid_request', pointer === '' ? message : `${pointer}: ${message}`, {
    fields: [{ pointer, message }],
  })

/** Turns anything thrown into a `RefineError`; what is not one becomes `internal`, with its text kept in `cause` only. */
export const toRefineError = (thrown: unknown): RefineError =>
  thrown instanceof RefineError
    ? thrown
    : new RefineError('internal', 'Something went wrong on our side.', { cause: thrown })

/** Whether a store cannot do something just then, which it may do later. */
export const isStorageOutage = (thrown: unknown): boolean =>
  thrown instanceof RefineError && thrown.code === 'storage_unavailable'

/** What an event or a run shows of an error. */
export const describeError = (error: RefineError): { code: ErrorCode; message: string } => ({
  code: error.code,
  message: error.message,
})

/** For the `default` of a switch over a union: fails to compile when a case is missing. */
export const assertNever = (value: never): never => {
  throw new TypeError(`Unexpected value: ${JSON.stringify(value)}`)
}
