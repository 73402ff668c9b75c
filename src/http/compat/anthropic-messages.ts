/** `/v1/messages`: Anthropic's protocol, for clients that know nothing of refinement. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { type RefineError, toRefineError } from '../../core/errors.ts'
import type { RunEvent } from '../../core/event.ts'
import { retryHeader, startForegroundRun } from '../foreground-run.ts'
import { jsonOrChunksResponse, jsonResponse } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { sendEventStream } from '../sse.ts'
import { MessageEvents, type MessageOptions } from './anthropic-messages-events.ts'
import {
  CountRequest,
  ignoredFields,
  MessagesRequest,
  showModeOf,
  toRunRequest,
} from './anthropic-messages-request.ts'
import { FREE_IN_BLOCKS, withoutNulls } from './null-fields.ts'
import { directStrategies } from './run-account.ts'
import { TOKEN_COUNT, toTokenCount } from './token-count.ts'
import { bodyWithHeaders } from './run-choice.ts'

const ErrorBody = Type.Object(
  {
    type: Type.Literal('error'),
    error: Type.Object({
      type: Type.String(),
      message: Type.String(),
      details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    }),
    request_id: Type.String(),
  },
  { $id: 'AnthropicError' },
)

const TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
}

/** By this Anthropic's tool runner learns that a server holds no conversations, and sends them whole from then on. */
const NO_THREADS = { error_code: 'thread_unsupported_request', unsupported: ['thread'] }

/** The body of an error as Anthropic's clients read it. */
const errorBody = (error: RefineError, requestId: string) => ({
  type: 'error' as const,
  error: {
    type: TYPES[error.status] ?? (error.status < 500 ? 'invalid_request_error' : 'api_error'),
    message: error.message,
    ...(error.param === 'thread' && { details: NO_THREADS }),
  },
  request_id: requestId,
})

const MessageBody = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal('message'),
    role: Type.Literal('assistant'),
    model: Type.String(),
    content: Type.Array(Type.Record(Type.String(), Type.Unknown())),
    stop_reason: Type.String(),
    stop_sequence: Type.Union([Type.String(), Type.Null()], {
      description: 'Null as well where the model does not say which one it met.',
    }),
    usage: Type.Record(Type.String(), Type.Unknown()),
    refine: Type.Record(Type.String(), Type.Unknown(), {
      description: 'Run id, strategy, stop reason and what the run took.',
    }),
  },
  { $id: 'AnthropicMessage' },
)

const failure = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: ErrorBody } },
})

const SCHEMA = {
  operationId: 'createMessage',
  summary: 'Anthropic’s messages, refined',
  description:
    'The work is a thinking block per revision, the answer a text block. Thinking that is sent back is left out. Usage is ' +
    'that of the whole strategy. A caller that leaves cancels the run.',
  tags: ['compatibility'],
  body: MessagesRequest,
  response: {
    200: jsonOrChunksResponse('The message, or its events.', MessageBody),
    '4xx': failure('The request is at fault.'),
    '5xx': failure('The server or a model is at fault.'),
  },
}

const COUNT_SCHEMA = {
  operationId: 'countMessageTokens',
  summary: 'How many tokens a message would be made from',
  description:
    'Takes what `POST /v1/messages` takes, and counts the prompt of a draft as the model gets it, tools and instructions of ' +
    'the strategy included. Nothing is run.',
  tags: ['compatibility'],
  body: CountRequest,
  response: {
    200: jsonResponse('The count.', Type.Object(TOKEN_COUNT)),
    '4xx': failure('The request is at fault.'),
    '5xx': failure('The server or a model is at fault.'),
  },
}

const frameOf = (event: { readonly type: string }): string =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

/** The status is sent long before a run fails, so its error travels as an event; then the stream ends. */
const messageFrames = async function* (
  events: AsyncIterable<RunEvent>,
  options: MessageOptions,
  reply: FastifyReply,
): AsyncGenerator<string, void, void> {
  const message = new MessageEvents(options)
  try {
    for await (const event of events) for (const each of message.add(event)) yield frameOf(each)
    void message.account.text
  } catch (thrown) {
    if (reply.raw.destroyed) return // the client left: that ends the events, and nobody can be told
    const error = toRefineError(thrown)
    reply.log[error.level]({ code: error.code, run_id: options.runId, err: error }, error.message)
    yield frameOf(errorBody(error, reply.request.id))
  }
}

const completeWhole = async (
  events: AsyncIterable<RunEvent>,
  options: MessageOptions,
  reply: FastifyReply,
): Promise<object> => {
  const message = new MessageEvents(options)
  try {
    for await (const event of events) for (const _ of message.add(event));
    return message.message
  } catch (error) {
    reply.headers(retryHeader(message.account.spent))
    throw error
  }
}

const create = async (
  context: HttpContext,
  body: MessagesRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object | undefined> => {
  const { runs, limits, cancellation } = context
  const gone = cancellation.signalFor(reply)
  const run = toRunRequest(body, new Set(runs.models().map(({ id }) => id)))
  const runId = await startForegroundRun(context, run, { request, reply, gone })
  const options: MessageOptions = {
    runId,
    model: body.model ?? '',
    show: showModeOf(body),
    direct: directStrategies(runs),
    ignored: ignoredFields(body),
    stops: body.stop_sequences ?? [],
  }
  const events = runs.events(runId, request.owner, 0, gone)
  if (body.stream !== true) return completeWhole(events, options, reply)
  await sendEventStream(reply, messageFrames(events, options, reply), limits)
  return undefined
}

/** The type is that of a valid body, which this one becomes, or is refused. */
const preValidation = async (request: FastifyRequest): Promise<void> => {
  request.body = withoutNulls(request.body, FREE_IN_BLOCKS)
}

const bodyOf = <Body extends CountRequest>(request: FastifyRequest): Body =>
  bodyWithHeaders(request.body as Body, request.headers)

const config = { errorBody, images: true }

export const registerAnthropicMessages = (app: FastifyInstance, context: HttpContext): void => {
  const { runs } = context
  const creation = { schema: SCHEMA, config, preValidation }
  app.post('/v1/messages', creation, (request, reply) =>
    create(context, bodyOf<MessagesRequest>(request), request, reply),
  )

  const count = { schema: COUNT_SCHEMA, config, preValidation }
  app.post('/v1/messages/count_tokens', count, async (request) => {
    const body = { max_tokens: 1, ...bodyOf(request) }
    const known = new Set(runs.models().map(({ id }) => id))
    return toTokenCount(await runs.countTokens(toRunRequest(body, known)))
  })
}
