/** `/v1/responses`: OpenAI's Responses protocol over HTTP. Every response is a run, read through its log. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { contentText, type ContentPart, type Message } from '../../core/conversation.ts'
import type { RunEvent } from '../../core/event.ts'
import { invalidField, toRefineError } from '../../core/errors.ts'
import type { RunState } from '../../core/run-state.ts'
import type { RunService } from '../../runs/run-service.ts'
import {
  createRun,
  errorOfRun,
  forgetRun,
  retryHeader,
  startForegroundRun,
} from '../foreground-run.ts'
import { toList } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { sendEventStream } from '../sse.ts'
import { withoutNulls } from './null-fields.ts'
import { ResponseEvents, type ResponseOptions } from './openai-responses-events.ts'
import type { ResponseObject } from './openai-responses-object.ts'
import { conversationOf, idFor, toRunRequest } from './openai-responses-request.ts'
import type { Lookup } from './openai-responses-input.ts'
import { findResponse, instructionsOf, optionsFor } from './openai-responses-lookup.ts'
import {
  CANCEL_SCHEMA,
  COUNT_SCHEMA,
  CREATE_SCHEMA,
  DELETE_SCHEMA,
  GET_SCHEMA,
  ITEMS_SCHEMA,
} from './openai-responses-routes.ts'
import type { ResponsesRequest } from './openai-responses-schema.ts'
import { bodyWithHeaders } from './run-choice.ts'
import { toTokenCount } from './token-count.ts'

const frameOf = (event: { readonly type: string }): string =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

/** Events above `after`; those before it are made all the same, since they are what numbers come from. */
const responseFrames = async function* (
  events: AsyncIterable<RunEvent>,
  options: ResponseOptions,
  after: number,
  reply: FastifyReply,
): AsyncGenerator<string, void, void> {
  const response = new ResponseEvents(options)
  try {
    for await (const event of events) {
      for (const each of response.add(event)) if (each.sequence_number > after) yield frameOf(each)
    }
    if (!response.hasEnded && !reply.raw.destroyed) yield frameOf(response.interrupted(SHUT_DOWN))
  } catch (thrown) {
    if (reply.raw.destroyed) return // the client left: that ends the events, and nobody can be told
    const error = toRefineError(thrown)
    reply.log[error.level]({ code: error.code, err: error }, error.message)
    yield frameOf(response.interrupted(error))
  }
}

const SHUT_DOWN = errorOfRun({ code: 'shutting_down', message: 'The server is closing.' })

/** The response as the log tells it up to the state's last event. */
const readResponse = async (lookup: Lookup, state: RunState): Promise<ResponseObject> => {
  const { id, last_sequence: last } = state
  const instructions = await instructionsOf(lookup, state)
  const response = new ResponseEvents(optionsFor(lookup.runs, instructions))
  const enough = new AbortController()
  for await (const event of lookup.runs.events(id, lookup.owner, 0, enough.signal)) {
    for (const _ of response.add(event));
    if (event.sequence >= last) break
  }
  return response.response
}

const waitForResponse = async (
  events: AsyncIterable<RunEvent>,
  options: ResponseOptions,
  reply: FastifyReply,
): Promise<ResponseObject> => {
  const response = new ResponseEvents(options)
  for await (const event of events) for (const _ of response.add(event));
  if (!response.hasEnded) throw SHUT_DOWN
  const { error } = response.response
  if (error === null) return response.response
  reply.headers(retryHeader(response.account.spent))
  throw errorOfRun(error)
}

/** A response that is not to be stored is forgotten as soon as nobody waits for it. */
const forgetAfter = (reply: FastifyReply, runs: RunService, runId: string, owner: string): void => {
  const forget = (): void => {
    forgetRun(runs, runId, owner).catch((error: unknown) => {
      reply.log.error({ err: error, run_id: runId }, 'a run could not be forgotten')
    })
  }
  if (reply.raw.destroyed) forget()
  else reply.raw.once('close', forget)
}

const create = async (
  context: HttpContext,
  body: ResponsesRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object | undefined> => {
  const { runs, limits, cancellation } = context
  const { owner } = request
  const gone = cancellation.signalFor(reply)
  const run = await toRunRequest(body, { runs, owner })
  const isBackground = body.background === true
  const runId = isBackground
    ? (await createRun(context, run, { request, reply })).id
    : await startForegroundRun(context, run, { request, reply, gone })
  if (body.store === false) forgetAfter(reply, runs, runId, owner)
  if (isBackground && body.stream !== true) {
    return readResponse({ runs, owner }, await runs.get(runId, owner))
  }
  const options = optionsFor(runs, body.instructions ?? null)
  const events = runs.events(runId, owner, 0, gone)
  if (body.stream !== true) return waitForResponse(events, options, reply)
  await sendEventStream(reply, responseFrames(events, options, -1, reply), limits)
  return undefined
}

const inputPart = ({ type, text, image_url: image }: ContentPart, isAnswer: boolean): object => {
  if (type === 'image_url') {
    return { type: 'input_image', image_url: image?.url ?? null, detail: image?.detail ?? 'auto' }
  }
  return isAnswer ? { type: 'output_text', text, annotations: [] } : { type: 'input_text', text }
}

const outputItem = (id: string, call_id: string | undefined, output: string) => ({
  id,
  type: 'function_call_output',
  call_id,
  output,
})

/** A message as items: its content, its calls, or the output of one. */
const itemsOf = (said: Message, id: string): { readonly id: string }[] => {
  const { role, content, tool_calls: calls = [], tool_call_id: call_id } = said
  if (role === 'tool') return [outputItem(id, call_id, contentText(said))]
  const parts: readonly ContentPart[] =
    typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? [])
  const told = parts.map((part) => inputPart(part, role === 'assistant'))
  const message = { id, type: 'message', role, status: 'completed', content: told }
  const called = calls.map(({ id: of, function: made }, at) => ({
    id: `${id}_${at}`,
    type: 'function_call',
    call_id: of,
    status: 'completed',
    ...made,
  }))
  return [...(told.length === 0 ? [] : [message]), ...called]
}

const inputItems = (conversation: readonly Message[], name: string): { readonly id: string }[] =>
  conversation.flatMap((said, at) => itemsOf(said, `${name}_${at}`))

type Order = { readonly limit?: number; readonly order?: 'asc' | 'desc'; readonly after?: string }

/** @throws RefineError invalid_request for an `after` that is none of the items: a reader would begin again for ever. */
const listItems = async ({ runs, owner }: Lookup, state: RunState, page: Order) => {
  const { limit = 20, order = 'desc', after } = page
  const name = idFor('msg', state.id)
  const items = inputItems(conversationOf(state, await runs.request(state.id, owner)), name)
  if (order === 'desc') items.reverse()
  const from = items.findIndex(({ id }) => id === after) + 1
  if (after !== undefined && from === 0) throw invalidField('/after', 'must be the id of an item')
  const found = items.slice(from, from + limit)
  return toList(found, ({ id }) => id, items.length > from + limit)
}

const bodyOf = (request: FastifyRequest): ResponsesRequest =>
  bodyWithHeaders(request.body as ResponsesRequest, request.headers)

const preValidation = async (request: FastifyRequest): Promise<void> => {
  request.body = withoutNulls(request.body)
}

const registerCreation = (app: FastifyInstance, context: HttpContext): void => {
  const { runs } = context
  const config = { images: true }
  const creation = { schema: CREATE_SCHEMA, config, preValidation }
  app.post('/v1/responses', creation, (request, reply) =>
    create(context, bodyOf(request), request, reply),
  )

  const count = { schema: COUNT_SCHEMA, config, preValidation }
  app.post('/v1/responses/input_tokens', count, async (request) => {
    const run = await toRunRequest(bodyOf(request), { runs, owner: request.owner })
    return { object: 'response.input_tokens', ...toTokenCount(await runs.countTokens(run)) }
  })
}

export const registerResponses = (instance: FastifyInstance, context: HttpContext): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const { runs, limits, cancellation, attendance } = context
  registerCreation(instance, context)

  const options = { schema: GET_SCHEMA, exposeHeadRoute: false } // a HEAD might never end
  app.get('/v1/responses/:id', options, async ({ params, query, owner }, reply) => {
    const gone = cancellation.signalFor(reply)
    const state = await findResponse({ runs, owner }, params.id)
    if (query.stream !== true) return readResponse({ runs, owner }, state)
    const wishes = optionsFor(runs, await instructionsOf({ runs, owner }, state))
    attendance.join(state.id, gone)
    const events = runs.events(state.id, owner, 0, gone)
    const frames = responseFrames(events, wishes, query.starting_after ?? -1, reply)
    await sendEventStream(reply, frames, limits)
    return undefined
  })

  app.post('/v1/responses/:id/cancel', { schema: CANCEL_SCHEMA }, async ({ params, owner }) => {
    const { id } = await findResponse({ runs, owner }, params.id)
    return readResponse({ runs, owner }, await runs.cancel(id, owner))
  })

  app.delete('/v1/responses/:id', { schema: DELETE_SCHEMA }, async ({ params, owner }) => {
    const { id } = await findResponse({ runs, owner }, params.id)
    await forgetRun(runs, id, owner)
    return { id: params.id, object: 'response', deleted: true }
  })

  app.get('/v1/responses/:id/input_items', { schema: ITEMS_SCHEMA }, async (request) => {
    const { params, query, owner } = request
    return listItems({ runs, owner }, await findResponse({ runs, owner }, params.id), query)
  })
}
