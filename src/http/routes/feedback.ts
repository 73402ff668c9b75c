/** `/v1/runs/{id}/feedback` and `/v1/feedback` for many runs at once: what came of an answer, the raw material of experiments. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type, type Static } from 'typebox'
import type { FeedbackKey, FeedbackRow } from '../../runs/run-service.ts'
import { requestKeyOf } from '../idempotency.ts'
import { jsonResponse, listOf, PROBLEM_RESPONSES, toList } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { RunId } from './runs.ts'

const CONTENT = {
  metric: Type.String({ minLength: 1, maxLength: 128, description: 'Such as `correct`.' }),
  value: Type.Union([Type.Boolean(), Type.Number(), Type.String({ maxLength: 10_000 })]),
  source: Type.String({
    minLength: 1,
    maxLength: 128,
    description: 'Who says so, such as `user`.',
  }),
  actor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description:
        'Which one of the source, such as `rater-7`. Each actor has a word of its own; a later value replaces only their own.',
    }),
  ),
  comment: Type.Optional(Type.String({ maxLength: 10_000 })),
  revision: Type.Optional(
    Type.Integer({ minimum: 1, description: 'The revision it is about; the last one if absent.' }),
  ),
}

export const FeedbackBody = Type.Object(CONTENT, {
  additionalProperties: false,
  $id: 'FeedbackRequest',
})
export type FeedbackBody = Static<typeof FeedbackBody>

export const Feedback = Type.Object(
  {
    id: Type.String(),
    run_id: Type.String(),
    ...CONTENT,
    at: Type.String({ format: 'date-time' }),
  },
  { $id: 'Feedback' },
)

const MOST_ROWS = 1000

const Headers = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      description:
        'The same key and body again give what was kept the first time, and count once. Another body is refused with 422.',
    }),
  ),
})

export const FeedbackRows = Type.Object(
  {
    data: Type.Array(
      Type.Object(
        { run_id: Type.String({ minLength: 1, maxLength: 128 }), ...CONTENT },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: MOST_ROWS },
    ),
  },
  { additionalProperties: false, $id: 'FeedbackRows' },
)

const FeedbackReceipt = Type.Object(
  {
    object: Type.Literal('feedback_receipt'),
    ids: Type.Array(Type.String(), {
      description: 'Of the feedback as it is kept, in the order of the rows.',
    }),
  },
  { $id: 'FeedbackReceipt' },
)

const ADD_ROWS_SCHEMA = {
  operationId: 'createFeedbackRows',
  summary: 'Say what came of many answers',
  description: `Takes 1 to ${MOST_ROWS} rows. All are kept, or none when any is at fault: \`errors\` then points to the first 20 fields. When the answer comes, all rows are durable and counted in their experiments.`,
  tags: ['runs'],
  headers: Headers,
  body: FeedbackRows,
  response: {
    201: jsonResponse('All rows are kept.', FeedbackReceipt),
    ...PROBLEM_RESPONSES,
  },
}

const ADD_SCHEMA = {
  operationId: 'createFeedback',
  summary: 'Say what came of an answer',
  tags: ['runs'],
  params: RunId,
  headers: Headers,
  body: FeedbackBody,
  response: { 201: jsonResponse('The feedback as it is kept.', Feedback), ...PROBLEM_RESPONSES },
}

const LIST_SCHEMA = {
  operationId: 'listFeedback',
  summary: 'Feedback on a run, oldest first',
  tags: ['runs'],
  params: RunId,
  response: {
    200: jsonResponse('All feedback on the run.', listOf(Feedback, 'FeedbackList')),
    ...PROBLEM_RESPONSES,
  },
}

/** The route of the key is that of the run: the same key for another run names something else. */
const keyOf = (request: FastifyRequest, id: string): FeedbackKey | undefined => {
  const key = requestKeyOf(request)
  return key && { ...key, route: `${key.route} ${id}` }
}

export const registerFeedback = (instance: FastifyInstance, { runs }: HttpContext): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()

  app.post('/v1/runs/:id/feedback', { schema: ADD_SCHEMA }, async (request, reply) => {
    const { params, owner } = request
    const row: FeedbackRow = { ...request.body, run_id: params.id }
    const record = await runs.addFeedback(row, owner, keyOf(request, params.id))
    return reply.code(201).send(record)
  })

  app.post('/v1/feedback', { schema: ADD_ROWS_SCHEMA }, async (request, reply) => {
    const rows: readonly FeedbackRow[] = request.body.data
    const records = await runs.addFeedbackRows(rows, request.owner, requestKeyOf(request))
    return reply.code(201).send({ object: 'feedback_receipt', ids: records.map(({ id }) => id) })
  })

  app.get('/v1/runs/:id/feedback', { schema: LIST_SCHEMA }, async ({ params, owner }) =>
    toList(await runs.feedback(params.id, owner), (record) => record.id),
  )
}
