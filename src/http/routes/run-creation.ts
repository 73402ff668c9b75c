/** `POST /v1/runs`: waited for, streamed, or left to go on by itself. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { LONGEST_SECONDS } from '../../core/budget.ts'
import { RunState } from '../../core/run-state.ts'
import { invalidField, RefineError } from '../../core/errors.ts'
import { RunRequest } from '../../runs/run-request.ts'
import { attend, createRun, errorOfRun, retryHeader } from '../foreground-run.ts'
import { preferencesOf } from '../preferences.ts'
import { jsonOrEventsResponse, jsonResponse, PROBLEM_RESPONSES } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { pieceFrames, sendEventStream } from '../sse.ts'
import { waitForEnd } from './runs.ts'

/** Seconds after which a run in the background is worth asking for. */
const POLL_SECONDS = 1

const Headers = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      description:
        'The same key and body again within 24 hours give the same run: a waiting request waits for it, a stream is ' +
        'replayed from the first event. Another body is refused with 422.',
    }),
  ),
  prefer: Type.Optional(
    Type.String({
      description: '`respond-async` is `background`; `wait=10` waits so many seconds for it first.',
    }),
  ),
  'x-deadline-seconds': Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: LONGEST_SECONDS,
      description: 'As `deadline_seconds` of the body; the shorter one holds.',
    }),
  ),
})

const SCHEMA = {
  operationId: 'createRun',
  summary: 'Answer a task with a strategy',
  description:
    'Waits for the answer. With `stream` every event is sent as it happens; with `background` the reply comes at once. ' +
    'A caller that leaves while it waits or streams cancels the run, unless `on_disconnect` and `grace_seconds` say ' +
    'otherwise; a run in the background goes on. When time runs out, the answer so far is the answer, and ' +
    '`stop_reason` is `deadline`. A wait longer than five minutes outlasts most HTTP clients: stream, or use `background`.',
  tags: ['runs'],
  headers: Headers,
  body: RunRequest,
  response: {
    200: jsonOrEventsResponse('The run as it ended, or its events.', RunState),
    202: jsonResponse('The run goes on; `location` tells where.', RunState),
    ...PROBLEM_RESPONSES,
  },
}

/** A run that failed without any answer is a failed request; one with an answer is a result that tells of its error. */
const sendEndedRun = (reply: FastifyReply, state: RunState): RunState => {
  if (state.status !== 'failed' || state.answer !== null || state.error === null) return state
  reply.headers(retryHeader(state.usage))
  throw errorOfRun(state.error)
}

/** Makes the run, or finds it by its key, and says in the reply where it is. */
const createLocated = async (
  context: HttpContext,
  request: FastifyRequest<{ Body: RunRequest }>,
  reply: FastifyReply,
  body = request.body,
): ReturnType<typeof createRun> => {
  const run = await createRun(context, body, { request, reply })
  reply.header('location', `/v1/runs/${run.id}`)
  return run
}

const createInBackground = async (
  context: HttpContext,
  request: FastifyRequest<{ Body: RunRequest }>,
  reply: FastifyReply,
): Promise<RunState> => {
  const { runs, cancellation } = context
  if (request.body.stream === true) throw invalidField('/stream', 'does not go with `background`')
  const { wait, respondAsync } = preferencesOf(request.headers)
  const { id } = await createLocated(context, request, reply, { ...request.body, background: true })
  if (wait !== undefined) {
    await waitForEnd(runs, id, request.owner, wait, cancellation.signalFor(reply))
  }
  const applied = [
    respondAsync ? ['respond-async'] : [],
    wait === undefined ? [] : [`wait=${wait}`],
  ]
  if (applied.flat().length > 0) reply.header('preference-applied', applied.flat().join(', '))
  const state = await runs.get(id, request.owner)
  if (wait !== undefined && state.ended_at !== null) return sendEndedRun(reply, state)
  reply.code(202).header('retry-after', POLL_SECONDS)
  return state
}

/** @throws RefineError shutting_down when the waiting is given up, which only a closing server can still tell. */
const endOf = async (
  { runs }: HttpContext,
  id: string,
  owner: string,
  gone: AbortSignal,
): Promise<RunState> => {
  try {
    return await runs.ended(id, owner, gone)
  } catch (error) {
    if (gone.aborted) throw new RefineError('shutting_down', 'The server is closing.')
    throw error
  }
}

const createInForeground = async (
  context: HttpContext,
  request: FastifyRequest<{ Body: RunRequest }>,
  reply: FastifyReply,
): Promise<RunState | undefined> => {
  const { runs, limits, cancellation, attendance } = context
  const { body, owner } = request
  const gone = cancellation.signalFor(reply)
  const run = await createLocated(context, request, reply)
  const { id } = run
  attend(context, run, body, { request, gone })
  if (body.stream === true) {
    const isWhole = await sendEventStream(
      reply,
      runs.pieces(id, owner, 0, gone),
      limits,
      pieceFrames,
    )
    if (isWhole && !gone.aborted) attendance.end(id)
    return undefined
  }
  try {
    return sendEndedRun(reply, await endOf(context, id, owner, gone))
  } finally {
    if (!gone.aborted) attendance.end(id)
  }
}

export const registerRunCreation = (instance: FastifyInstance, context: HttpContext): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  app.post('/v1/runs', { schema: SCHEMA, config: { images: true } }, async (request, reply) => {
    const { respondAsync } = preferencesOf(request.headers)
    const inBackground = request.body.background ?? (respondAsync && request.body.stream !== true)
    return (inBackground ? createInBackground : createInForeground)(context, request, reply)
  })
}
