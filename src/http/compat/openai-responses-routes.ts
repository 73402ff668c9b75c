/** How the routes under `/v1/responses` describe themselves. */
import { Type } from 'typebox'
import { jsonOrChunksResponse, jsonResponse, PROBLEM_RESPONSES } from '../responses.ts'
import { ResponseBody } from './openai-responses-reply.ts'
import { ResponsesRequest } from './openai-responses-schema.ts'
import { anyFields } from './run-choice.ts'
import { TOKEN_COUNT } from './token-count.ts'

const Any = Type.Unknown()

const Params = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 128, description: 'Id of the response.' }),
})

const STREAM = 'The response, or its events (`event` is the type; `sequence_number` counts them).'

export const CREATE_SCHEMA = {
  operationId: 'createResponse',
  summary: 'OpenAI’s responses, refined',
  description:
    'The work is one reasoning item with a summary part per revision, the answer one message. A response is a run: ' +
    '`resp_x` is `run_x`, and can be read either way. A caller that leaves cancels it, unless it is in the background.',
  tags: ['compatibility'],
  body: ResponsesRequest,
  response: { 200: jsonOrChunksResponse(STREAM, ResponseBody), ...PROBLEM_RESPONSES },
}

/** What a count alone may have beside the fields of a response. */
const CountRequest = Type.Object(
  { ...ResponsesRequest.properties, ...anyFields(['personality']) },
  { additionalProperties: false, $id: 'ResponsesCountRequest' },
)

export const COUNT_SCHEMA = {
  operationId: 'countResponseTokens',
  summary: 'How many tokens a response would be made from',
  description:
    'Takes what `POST /v1/responses` takes, and counts the prompt of a draft as the model gets it: earlier responses, tools ' +
    'and instructions of the strategy included. Nothing is run.',
  tags: ['compatibility'],
  body: CountRequest,
  response: {
    200: jsonResponse(
      'The count.',
      Type.Object({ object: Type.Literal('response.input_tokens'), ...TOKEN_COUNT }),
    ),
    ...PROBLEM_RESPONSES,
  },
}

export const GET_SCHEMA = {
  operationId: 'getResponse',
  summary: 'A response as it is now, or its events again',
  description:
    'With `stream` the events above `starting_after`, stored and live. Leaving does not touch the response, but for one ' +
    'whose own caller has left it within its grace period, which then begins anew.',
  tags: ['compatibility'],
  params: Params,
  querystring: Type.Object({
    stream: Type.Optional(Type.Boolean()),
    starting_after: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  response: { 200: jsonOrChunksResponse(STREAM, ResponseBody), ...PROBLEM_RESPONSES },
}

export const CANCEL_SCHEMA = {
  operationId: 'cancelResponse',
  summary: 'End a response with its best answer so far',
  tags: ['compatibility'],
  params: Params,
  response: { 200: jsonResponse('The response as it ended.', ResponseBody), ...PROBLEM_RESPONSES },
}

const Deleted = Type.Object({
  id: Type.String(),
  object: Type.Literal('response'),
  deleted: Type.Literal(true),
})

export const DELETE_SCHEMA = {
  operationId: 'deleteResponse',
  summary: 'Forget a response and its run',
  description: 'One that goes on is cancelled first.',
  tags: ['compatibility'],
  params: Params,
  response: { 200: jsonResponse('It is gone.', Deleted), ...PROBLEM_RESPONSES },
}

const ItemName = Type.Optional(Type.String({ minLength: 1, maxLength: 128 }))

export const ITEMS_SCHEMA = {
  operationId: 'listResponseInputItems',
  summary: 'What a response was made from',
  description: 'The whole conversation, that of earlier responses included.',
  tags: ['compatibility'],
  params: Params,
  querystring: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: '20 if absent.' })),
    order: Type.Optional(Type.Enum(['asc', 'desc'], { description: '`desc` if absent.' })),
    after: ItemName,
  }),
  response: {
    200: jsonResponse(
      'A page of messages.',
      Type.Object({
        object: Type.Literal('list'),
        data: Type.Array(Type.Record(Type.String(), Any)),
        first_id: Type.Union([Type.String(), Type.Null()]),
        last_id: Type.Union([Type.String(), Type.Null()]),
        has_more: Type.Boolean(),
      }),
    ),
    ...PROBLEM_RESPONSES,
  },
}

export const SOCKET_SCHEMA = {
  operationId: 'openResponsesSocket',
  summary: 'Responses on one WebSocket',
  description:
    'Client to server: `response.create` with the fields of `POST /v1/responses`; those with the same `stream_id` run one ' +
    'after the other, others at the same time; `response.steer`; and `response.retrieve` with `response_id` and ' +
    '`starting_after`, which takes up a response that another socket began. Server to client: the events of the stream, ' +
    'with `stream_id`, and `error`. When the socket closes, a response in the background goes on, one that is stored for 30 ' +
    'seconds (`refine.grace_seconds`) until somebody reads it again, and one with `store: false` ends.',
  tags: ['compatibility'],
  response: {
    101: { description: 'The connection is a WebSocket now.', type: 'null' },
    ...PROBLEM_RESPONSES,
  },
}
