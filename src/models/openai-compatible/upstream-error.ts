/** Turns what goes wrong at an upstream into our errors. No message made here ever holds the API key. */
import { RefineError, type ErrorCode } from '../../core/errors.ts'
import { isRecord } from '../../core/validation.ts'

/** Where an error happened, and what must not be told about it. */
export interface Origin {
  readonly id: string
  readonly apiKey: string | undefined
}

/** A failed call, before it is decided whether to try again. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure'
  readonly error: RefineError
  /** Whether the same call may succeed a moment later. */
  readonly retryable: boolean
  /** Pause the upstream asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined
  /** Whether the upstream never worked on the prompt, and so charges nothing for it. */
  readonly unread: boolean

  constructor(
    error: RefineError,
    retryable: boolean,
    { retryAfterMs, unread = false }: { retryAfterMs?: number | undefined; unread?: boolean } = {},
  ) {
    super(error.message, { cause: error })
    this.error = error
    this.retryable = retryable
    this.retryAfterMs = retryAfterMs
    this.unread = unread
  }
}

const MAX_MESSAGE = 500
const CONTEXT_OVERFLOW =
  /context[ _-]?(?:length|window|size)|maximum (?:context|model|sequence) length|exceed_context|prompt is too long/i

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined

/** The sentence inside an error body: OpenAI's, FastAPI's, problem+json's, or the bare text. */
const messageOf = (body: unknown): string | undefined => {
  if (!isRecord(body)) return text(body)
  const inner = body['error']
  return (
    (isRecord(inner) ? text(inner['message']) : text(inner)) ??
    text(body['message']) ??
    text(body['detail']) ??
    (body['detail'] === undefined ? undefined : JSON.stringify(body['detail']))
  )
}

const codeTexts = (body: unknown): string => {
  const inner = isRecord(body) && isRecord(body['error']) ? body['error'] : body
  return isRecord(inner) ? `${String(inner['code'])} ${String(inner['type'])}` : ''
}

const parse = (raw: string): unknown => {
  try {
    return JSON.parse(raw) as unknown
  } catch {
    return raw
  }
}

const redact = (message: string, { apiKey }: Origin): string => {
  const clean = apiKey ? message.replaceAll(apiKey, '[redacted]') : message
  return clean.length > MAX_MESSAGE ? `${clean.slice(0, MAX_MESSAGE)}…` : clean
}

const isOverflow = (status: number, body: unknown, message: string): boolean =>
  (status === 400 || status === 413 || status === 422 || status === 500) &&
  CONTEXT_OVERFLOW.test(`${message} ${codeTexts(body)}`)

const RETRYABLE = new Set([408, 409, 429])
/** There was no connection on which a prompt could have arrived. */
const UNREACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

/** The error of a status, or of a status-like code in a frame. */
const describe = (status: number, body: unknown, origin: Origin): RefineError => {
  const said = messageOf(body)
  const message = said === undefined ? '' : redact(said, origin)
  const told = (what: string): string =>
    `Model "${origin.id}": ${what}${message === '' ? '.' : `: ${message}`}`
  if (isOverflow(status, body, message)) {
    return new RefineError('context_length_exceeded', told('the prompt does not fit its context'))
  }
  const code: ErrorCode =
    status >= 500 || RETRYABLE.has(status) ? 'upstream_unavailable' : 'upstream_rejected'
  return new RefineError(code, told(`the upstream answered ${status}`))
}

/** @param retryAfterMs pause the headers ask for; @param shouldRetry the `x-should-retry` header. */
export const failureOfStatus = (
  status: number,
  rawBody: string,
  origin: Origin,
  hints: { readonly retryAfterMs?: number | undefined; readonly shouldRetry?: boolean | undefined },
): UpstreamFailure => {
  const error = describe(status, parse(rawBody), origin)
  const overflow = error.code === 'context_length_exceeded'
  const retryable = hints.shouldRetry ?? (!overflow && (status >= 500 || RETRYABLE.has(status)))
  // A time-out is no refusal: what it ended may have begun.
  const unread = status >= 400 && status < 500 && status !== 408
  return new UpstreamFailure(error, retryable, { retryAfterMs: hints.retryAfterMs, unread })
}

/** An error object inside a stream that began well; its code counts as a status where it looks like one. */
export const failureOfFrame = (frame: unknown, origin: Origin): UpstreamFailure => {
  const inner = isRecord(frame) && isRecord(frame['error']) ? frame['error'] : {}
  const code = Number(inner['code'] ?? inner['status'])
  const status = code >= 400 && code < 600 ? code : 500
  const error = describe(status, frame, origin)
  return new UpstreamFailure(error, error.code === 'upstream_unavailable')
}

export const failureOfConnection = (cause: unknown, origin: Origin): UpstreamFailure => {
  const { code, message } = cause as { code?: unknown; message?: unknown }
  const said = redact(text(code) ?? text(message) ?? 'the connection broke', origin)
  return new UpstreamFailure(
    new RefineError(
      'upstream_unavailable',
      `Model "${origin.id}": the upstream cannot be reached or broke off (${said}).`,
      { cause },
    ),
    true,
    { unread: UNREACHED.has(String(code)) },
  )
}

/** Not tried again: the upstream may well be at work on the call still. */
export const failureOfTimeout = (what: string, milliseconds: number, origin: Origin) =>
  new UpstreamFailure(
    new RefineError(
      'upstream_timeout',
      `Model "${origin.id}": the upstream sent ${what} within ${milliseconds} ms.`,
    ),
    false,
  )

/** The upstream sent something that is no answer in this dialect. */
export const failureOfForm = (what: string, origin: Origin): UpstreamFailure =>
  new UpstreamFailure(
    new RefineError('upstream_unavailable', `Model "${origin.id}": the upstream ${what}.`),
    true,
  )
