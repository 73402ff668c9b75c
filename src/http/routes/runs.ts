/** `/v1/runs`: read, listed, ended and removed. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { Revision, RUN_STATUSES, RunState } from '../../core/run-state.ts'
import type { RunPage } from '../../core/run-store.ts'
import type { RunService } from '../../runs/run-service.ts'
import { preferencesOf } from '../preferences.ts'
import { jsonResponse, listOf, PROBLEM_RESPONSES, toList } from '../responses.ts'
import { hasTag, runTag, sendRun } from '../run-tags.ts'
import type { HttpContext } from '../server-options.ts'

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

const ReadHeaders = Type.Object({
  prefer: Type.Optional(Type.String({ description: '`wait=` and seconds.' })),
  'if-none-match': Type.Optional(Type.String({ description: 'The `etag` of an earlier reply.' })),
})

const GET_SCHEMA = {
  operationId: 'getRun',
  summary: 'A run as it is now',
  description:
    '`Prefer: wait=20` waits up to 20 seconds (60 at most) for the run to end; together with `If-None-Match`, for ' +
    'anything new in it.',
  tags: ['runs'],
  params: RunId,
  headers: ReadHeaders,
  response: {
    200: jsonResponse('The run, with a weak `etag`.', RunState),
    304: { description: 'Nothing has happened since the tag in `If-None-Match`.', type: 'null' },
    ...PROBLEM_RESPONSES,
  },
}

const REVISIONS_SCHEMA = {
  operationId: 'listRevisions',
  summary: 'The answers a run has given so far, oldest first',
  tags: ['runs'],
  params: RunId,
  response: {
    200: jsonResponse('All revisions.', listOf(Revision, 'RevisionList')),
    ...PROBLEM_RESPONSES,
  },
}

const DELETE_SCHEMA = {
  operationId: 'deleteRun',
  summary: 'Remove a run that has ended',
  description:
    'With its events, its feedback and what was still to be told of it. 409 while it goes on.',
  tags: ['runs'],
  params: RunId,
  response: { 204: { description: 'It is gone.', type: 'null' }, ...PROBLEM_RESPONSES },
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

/** Resolves when the run has ended, so many seconds have passed, or nobody waits any more. */
export const waitForEnd = async (
  runs: RunService,
  id: string,
  owner: string,
  seconds: number,
  gone: AbortSignal,
): Promise<void> => {
  const signal = AbortSignal.any([gone, AbortSignal.timeout(seconds * 1000)])
  await runs.ended(id, owner, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}

/** Resolves when anything has happened in the run since, so many seconds have passed, or nobody waits any more. */
const waitForNews = async (
  runs: RunService,
  { id, last_sequence: last }: RunState,
  owner: string,
  seconds: number,
  gone: AbortSignal,
): Promise<void> => {
  const signal = AbortSignal.any([gone, AbortSignal.timeout(seconds * 1000)])
  for await (const event of runs.events(id, owner, last, signal)) if (event.sequence > last) return
}

/** Where the next page is; the pages before it are found from the first one on. */
const linksOf = (query: Record<string, unknown>, lastId: string | null): string => {
  const link = (rel: string, after: string | undefined): string => {
    const { after: _, ...rest } = query
    const wanted = Object.entries({ ...rest, ...(after === undefined ? {} : { after }) })
    const pairs = wanted.map(([name, value]): [string, string] => [name, String(value)])
    const text = new URLSearchParams(pairs).toString()
    return `</v1/runs${text === '' ? '' : `?${text}`}>; rel="${rel}"`
  }
  return [link('first', undefined), ...(lastId === null ? [] : [link('next', lastId)])].join(', ')
}

export const registerRuns = (instance: FastifyInstance, context: HttpContext): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const { runs, cancellation } = context

  app.get('/v1/runs', { schema: LIST_SCHEMA }, async ({ query, owner }, reply) => {
    const { limit = 20, order = 'desc', ...rest } = query
    const page: RunPage = { owner, limit, order, ...rest }
    const found = await runs.list(page)
    const list = toList(found.runs, (run) => run.id, found.hasMore)
    reply.header('link', linksOf(query, list.has_more ? list.last_id : null))
    return list
  })

  app.get('/v1/runs/:id', { schema: GET_SCHEMA }, async (request, reply) => {
    const { params, owner, headers } = request
    const gone = cancellation.signalFor(reply)
    const { wait } = preferencesOf(headers)
    const now = await runs.get(params.id, owner)
    if (wait === undefined || now.ended_at !== null) return sendRun(request, reply, now)
    reply.header('preference-applied', `wait=${wait}`)
    if (headers['if-none-match'] === undefined) {
      await waitForEnd(runs, params.id, owner, wait, gone)
    } else if (hasTag(request, runTag(now))) {
      await waitForNews(runs, now, owner, wait, gone)
    }
    return sendRun(request, reply, await runs.get(params.id, owner))
  })

  app.get('/v1/runs/:id/revisions', { schema: REVISIONS_SCHEMA }, async (request) => {
    const { revisions } = await runs.get(request.params.id, request.owner)
    return toList(revisions, ({ revision }) => String(revision))
  })

  app.delete('/v1/runs/:id', { schema: DELETE_SCHEMA }, async ({ params, owner }, reply) => {
    await runs.remove(params.id, owner)
    return reply.code(204).send()
  })

  app.post('/v1/runs/:id/cancel', { schema: CANCEL_SCHEMA }, async ({ params, owner }) =>
    runs.cancel(params.id, owner),
  )
}
