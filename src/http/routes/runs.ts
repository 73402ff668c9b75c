/** `/v1/runs`: made, read, listed and ended. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { RUN_STATUSES, RunState } from '../../core/run-state.ts'
import { invalidField, RefineError } from '../../core/errors.ts'
import type { RunPage } from '../../core/run-store.ts'
import { RunRequest } from '../../runs/run-request.ts'
import type { RunService } from '../../runs/run-service.ts'
import { errorOfRun, retryHeader, startForegroundRun } from '../foreground-run.ts'
import {
  jsonOrEventsResponse,
  jsonResponse,
  listOf,
  PROBLEM_RESPONSES,
  toList,
} from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { eventFrame, sendEventStream } from '../sse.ts'

export const RunId = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 128, description: 'Id of the run.' }),
})

const RunName = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 128, description }))

const Page = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: '20 if absent.' })),
    after: RunName('Run id to start behind.'),
    before: RunName('Run id to end before.'),
    order: Type.Optional(
      Type.Enum(['asc', 'desc'], { description: 'By time of creation; `desc` if absent.' }),
    ),
    status: Type.Optional(Type.Enum([...RUN_STATUSES])),
  },
  { additionalProperties: false },
)

/** Seconds after which a run in the background is worth asking for. */
const POLL_SECONDS = 1

const CREATE_SCHEMA = {
  operationId: 'createRun',
  summary: 'Answer a task with a strategy',
  description:
    'Waits for the answer. With `stream` every event is sent as it happens; with `background` the reply comes at once. ' +
    'A caller that leaves while it waits or streams cancels the run; a run in the background goes on. A wait longer ' +
    'than five minutes outlasts most HTTP clients: stream, or use `background`.',
  tags: ['runs'],
  body: RunRequest,
  response: {
    200: jsonOrEventsResponse('The run as it ended, or its events.', RunState),
    202: jsonResponse('The run goes on; `location` tells where.', RunState),
    ...PROBLEM_RESPONSES,
  },
}

const GET_SCHEMA = {
  operationId: 'getRun',
  summary: 'A run as it is now',
  tags: ['runs'],
  params: RunId,
  response: { 200: jsonResponse('The run.', RunState), ...PROBLEM_RESPONSES },
}

const LIST_SCHEMA = {
  operationId: 'listRuns',
  summary: 'Runs of the caller',
  tags: ['runs'],
  querystring: Page,
  response: {
    200: jsonResponse('A page of runs.', listOf(RunState, 'RunList')),
    ...PROBLEM_RESPONSES,
  },
}

const CANCEL_SCHEMA = {
  operationId: 'cancelRun',
  summary: 'End a run with its best answer so far',
  description: 'Does nothing to a run that has ended.',
  tags: ['runs'],
  params: RunId,
  response: { 200: jsonResponse('The run as it ended.', RunState), ...PROBLEM_RESPONSES },
}

/** A run that failed without any answer is a failed request; one with an answer is a result that tells of its error. */
const sendEndedRun = (reply: FastifyReply, state: RunState): RunState => {
  if (state.status !== 'failed' || state.answer !== null || state.error === null) return state
  reply.headers(retryHeader(state.usage))
  throw errorOfRun(state.error)
}

const createInBackground = async (
  { runs }: HttpContext,
  body: RunRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<RunState> => {
  if (body.stream === true) throw invalidField('/stream', 'does not go with `background`')
  const id = await runs.create(body, request.owner)
  request.runId = id
  reply.code(202).headers({ location: `/v1/runs/${id}`, 'retry-after': POLL_SECONDS })
  return runs.get(id, request.owner)
}

/** @throws RefineError shutting_down when the waiting is given up, which only a closing server can still tell. */
const endOf = async (
  runs: RunService,
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
  { runs, limits, cancellation }: HttpContext,
  body: RunRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<RunState | undefined> => {
  const gone = cancellation.signalFor(reply)
  const id = await startForegroundRun(runs, body, request, gone)
  if (body.stream !== true) {
    return sendEndedRun(reply, await endOf(runs, id, request.owner, gone))
  }
  reply.header('location', `/v1/runs/${id}`)
  await sendEventStream(reply, frames(runs.events(id, request.owner, 0, gone)), limits)
  return undefined
}

type Events = ReturnType<HttpContext['runs']['events']>

export const frames = async function* (events: Events): AsyncGenerator<string, void, void> {
  for await (const event of events) yield eventFrame(event)
}

export const registerRuns = (instance: FastifyInstance, context: HttpContext): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const { runs } = context

  app.post('/v1/runs', { schema: CREATE_SCHEMA }, async (request, reply) => {
    const create = request.body.background === true ? createInBackground : createInForeground
    return create(context, request.body, request, reply)
  })

  app.get('/v1/runs', { schema: LIST_SCHEMA }, async ({ query, owner }) => {
    const { limit = 20, order = 'desc', ...rest } = query
    const page: RunPage = { owner, limit, order, ...rest }
    const found = await runs.list(page)
    return toList(found.runs, (run) => run.id, found.hasMore)
  })

  app.get('/v1/runs/:id', { schema: GET_SCHEMA }, async ({ params, owner }) =>
    runs.get(params.id, owner),
  )

  app.post('/v1/runs/:id/cancel', { schema: CANCEL_SCHEMA }, async ({ params, owner }) =>
    runs.cancel(params.id, owner),
  )
}
