/** The one error of the client: what the server said, or that it could not be reached. */
import type { ErrorMember, FieldProblem, Problem } from './wire.ts'

/** Statuses after which the same request may succeed without a change. */
const RETRYABLE = new Set([408, 429, 502, 503, 504])

export interface ErrorFacts {
  /** HTTP status; 0 when no answer came. */
  readonly status: number
  readonly code: string
  readonly type?: string | undefined
  readonly param?: string | null | undefined
  readonly fields?: readonly FieldProblem[] | undefined
  readonly requestId?: string | undefined
  readonly runId?: string | undefined
  /** Seconds. */
  readonly retryAfter?: number | undefined
  readonly cause?: unknown
}

export class WhetstoneError extends Error {
  override readonly name = 'WhetstoneError'
  /** HTTP status; 0 when no answer came. */
  readonly status: number
  /** Such as `invalid_request` or `overloaded`; `connection_failed` when no answer came. */
  readonly code: string
  readonly type: string
  /** The request field at fault, in the notation of OpenAI. */
  readonly param: string | null
  /** Every field at fault, with what was expected there. */
  readonly fields: readonly FieldProblem[]
  readonly requestId: string | undefined
  readonly runId: string | undefined
  /** When to try again, in seconds, where the server said so. */
  readonly retryAfter: number | undefined

  constructor(message: string, facts: ErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.status = facts.status
    this.code = facts.code
    this.type = facts.type ?? 'server_error'
    this.param = facts.param ?? null
    this.fields = facts.fields ?? []
    this.requestId = facts.requestId
    this.runId = facts.runId
    this.retryAfter = facts.retryAfter
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    if (this.status === 0) return this.code === 'connection_failed'
    return RETRYABLE.has(this.status) && this.code !== 'upstream_rejected'
  }
}

export const connectionFailed = (message: string, cause?: unknown): WhetstoneError =>
  new WhetstoneError(message, { status: 0, code: 'connection_failed', type: 'connection', cause })

const retryAfterOf = (headers: Headers): number | undefined => {
  const text = headers.get('retry-after')
  if (text === null) return undefined
  const seconds = Number(text)
  if (Number.isFinite(seconds)) return Math.max(0, seconds)
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1000)
}

/** The error of a reply that is not ok; reads its body. A proxy may have answered: then there is no problem in it. */
export const errorOfResponse = async (response: Response): Promise<WhetstoneError> => {
  const text = await response.text().catch(() => '')
  const problem = problemIn(text)
  const { error = {}, detail, title } = problem
  const message = detail ?? error.message ?? title ?? (response.statusText || 'no reason given')
  return new WhetstoneError(message, {
    status: response.status,
    code: error.code ?? 'unknown',
    type: error.type,
    param: error.param,
    fields: problem.errors,
    requestId: problem.request_id ?? response.headers.get('x-request-id') ?? undefined,
    runId: problem.run_id,
    retryAfter: retryAfterOf(response.headers),
  })
}

const problemIn = (text: string): Problem => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** The error of an `error` message on a socket. */
export const errorOfMessage = (status: number, error: ErrorMember): WhetstoneError =>
  new WhetstoneError(error.message ?? 'no reason given', {
    status,
    code: error.code ?? 'unknown',
    type: error.type,
    param: error.param,
    fields: error.errors,
  })
