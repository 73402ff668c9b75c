/** Runs whose caller waits for them: when the caller leaves, the work ends. */
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { LONGEST_SECONDS } from '../core/budget.ts'
import { CATALOG, invalidField, RefineError, type ErrorCode } from '../core/errors.ts'
import type { Usage } from '../core/event.ts'
import type { RunRequest } from '../runs/run-request.ts'
import type { RunService } from '../runs/run-service.ts'
import { requestKeyOf } from './idempotency.ts'
import type { HttpContext } from './server-options.ts'

/** Time to come back for a client that sent a key, which says that it will, in seconds. */
const GRACE_WITH_KEY = 5

const isDeadline = (seconds: number): boolean => seconds > 0 && seconds <= LONGEST_SECONDS

/** @throws RefineError invalid_request, naming the header */
const deadlineOf = (headers: IncomingHttpHeaders): number | undefined => {
  const header = headers['x-deadline-seconds']
  if (header === undefined) return undefined
  const seconds = Number(header)
  if (isDeadline(seconds)) return seconds
  throw invalidField('/x-deadline-seconds', `must be a number above 0, at most ${LONGEST_SECONDS}`)
}

/** SDKs say it unasked, in whole seconds: 0 for half of one, and any number for somebody with patience. */
const timeoutOf = ({ 'x-stainless-timeout': header }: IncomingHttpHeaders): number | undefined => {
  const seconds = Number(header)
  return isDeadline(seconds) ? seconds : undefined
}

/** What a client's own time-out leaves for the run: a tenth of it, at most two seconds, is for the way back. */
const withinTimeout = (seconds: number): number => seconds - Math.min(2, seconds / 10)

/**
 * The request with the deadline that the headers tell: `x-deadline-seconds`, and `x-stainless-timeout`, by which the
 * SDKs of OpenAI and Anthropic say when they give up. The shortest one holds. Nobody gives up on a run in the background.
 * @throws RefineError invalid_request, naming the header.
 */
const withDeadline = (run: RunRequest, headers: IncomingHttpHeaders): RunRequest => {
  const asked = deadlineOf(headers)
  const timeout = run.background === true ? undefined : timeoutOf(headers)
  const deadlines = [
    run.deadline_seconds,
    asked,
    timeout === undefined ? undefined : withinTimeout(timeout),
  ].filter((seconds) => seconds !== undefined)
  return deadlines.length === 0 ? run : { ...run, deadline_seconds: Math.min(...deadlines) }
}

/** Who waits for a run. */
export interface Caller {
  readonly request: FastifyRequest
  readonly gone: AbortSignal
  /** Where the headers of a plain request hold for this run; those of a socket do not. */
  readonly reply?: FastifyReply
  /** Of several runs that one request starts. */
  readonly part?: number
  /** Time to come back, in seconds, where the request does not say. */
  readonly grace?: number
}

interface Created {
  readonly id: string
  /** Whether the client sent a key. */
  readonly isKeyed: boolean
}

/**
 * Makes a run, or finds it by the request's Idempotency-Key and says so in the reply.
 * @throws RefineError as `RunService.createOnce`, and invalid_request naming the header.
 */
export const createRun = async (
  { runs }: HttpContext,
  body: RunRequest,
  { request, reply, part }: Omit<Caller, 'gone'>,
): Promise<Created> => {
  const { owner, trace } = request
  const run = reply === undefined ? body : withDeadline(body, request.headers)
  const key = reply === undefined ? undefined : requestKeyOf(request)
  const own = key && part !== undefined ? { ...key, key: `${key.key}#${part}` } : key
  const { id, isReplay } =
    own === undefined
      ? { id: await runs.create(run, owner, trace), isReplay: false }
      : await runs.createOnce(run, owner, own, trace)
  request.runId = id
  request.lease?.hold(() => runs.ended(id, owner, new AbortController().signal))
  if (isReplay) reply?.header('idempotency-replayed', 'true')
  return { id, isKeyed: own !== undefined }
}

/** The caller attends the run, unless it goes on without; says whether. */
export const attend = (
  { attendance }: HttpContext,
  { id, isKeyed }: Created,
  { on_disconnect: policy, grace_seconds: asked }: RunRequest,
  {
    request,
    gone,
    grace = isKeyed ? GRACE_WITH_KEY : 0,
  }: Pick<Caller, 'request' | 'gone' | 'grace'>,
): boolean => {
  if (policy === 'continue') return false
  attendance.begin(id, request.owner, asked ?? grace, gone)
  return true
}

/**
 * Starts a run, or finds it by the request's Idempotency-Key. Unless `on_disconnect` says otherwise, it is cancelled when
 * its caller leaves and does not come back within the grace period, also when that happens while it is being created.
 * @throws RefineError as `RunService.create`.
 */
export const startForegroundRun = async (
  context: HttpContext,
  body: RunRequest,
  caller: Caller,
): Promise<string> => {
  const { runs, attendance } = context
  const run = await createRun(context, body, caller)
  const { id } = run
  if (attend(context, run, body, caller)) {
    const forget = (): void => attendance.end(id)
    runs.ended(id, caller.request.owner, new AbortController().signal).then(forget, forget)
  }
  return id
}

interface Failure {
  readonly code: string
  readonly message: string
}

/** The error of a run that failed, as the error of the request that waited for it. */
export const errorOfRun = ({ code, message }: Failure): RefineError =>
  new RefineError(Object.hasOwn(CATALOG, code) ? (code as ErrorCode) : 'internal', message)

/** OpenAI's clients repeat a request on any 5xx unless told otherwise; a run that has spent tokens must not be repeated. */
export const retryHeader = (usage: Usage): Record<string, string> =>
  usage.calls > 0 || usage.input_tokens + usage.output_tokens > 0
    ? { 'x-should-retry': 'false' }
    : {}

/** Ends the run if it still goes on and removes all that was kept of it. @throws RefineError run_not_found */
export const forgetRun = async (runs: RunService, id: string, owner: string): Promise<void> => {
  await runs.cancel(id, owner)
  await runs.remove(id, owner)
}
