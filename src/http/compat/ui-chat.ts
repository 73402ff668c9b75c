/** `/v1/ui/chat`: the AI SDK's UI message stream, which `useChat` reads without a server of its own in between. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { toRefineError } from '../../core/errors.ts'
import type { RunEvent } from '../../core/event.ts'
import type { RunService } from '../../runs/run-service.ts'
import { createRun, startForegroundRun } from '../foreground-run.ts'
import { requestKeyOf } from '../idempotency.ts'
import { jsonResponse, PROBLEM_RESPONSES } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { dataFrame, sendEventStream } from '../sse.ts'
import type { ShowMode } from './reasoning-text.ts'
import { directStrategies } from './run-account.ts'
import { bodyWithHeaders } from './run-choice.ts'
import { UiChunks } from './ui-chat-chunks.ts'
import { ChatId, toRunRequest, UiChatRequest } from './ui-chat-request.ts'

const STREAM = {
  description: 'Chunks of a UI message, then `[DONE]`.',
  content: { 'text/event-stream': { schema: Type.String() } },
}

const CREATE_SCHEMA = {
  operationId: 'streamUiChat',
  summary: 'The AI SDK’s UI message stream, refined',
  description:
    '`data-run` and `data-revision` (one for each revision) are replaced in place as they change, `data-status` is ' +
    'transient, the answer is text. With `refine.show` `summary` or `full` the work comes as reasoning too. A chat that ' +
    'asks again while it is being answered cancels what was under way.',
  tags: ['compatibility'],
  body: UiChatRequest,
  response: { 200: STREAM, ...PROBLEM_RESPONSES },
}

const Params = Type.Object({ id: ChatId })

const RESUME_SCHEMA = {
  operationId: 'resumeUiChat',
  summary: 'The answer under way in a chat, from its beginning',
  tags: ['compatibility'],
  params: Params,
  response: {
    200: STREAM,
    204: { description: 'Nothing is under way.', type: 'null' },
    ...PROBLEM_RESPONSES,
  },
}

const Stopped = Type.Object({ stopped: Type.Boolean({ description: 'Whether anything was.' }) })

const STOP_SCHEMA = {
  operationId: 'stopUiChat',
  summary: 'End the answer under way in a chat with the best so far',
  tags: ['compatibility'],
  params: Params,
  response: { 200: jsonResponse('It has ended.', Stopped), ...PROBLEM_RESPONSES },
}

interface ActiveRun {
  readonly runId: string
  /** Idempotency-Key of the request that began it. */
  readonly key: string | undefined
  readonly show: ShowMode
}

/** Which run answers which chat. In memory: runs do not outlive the process, and none is kept that has ended. */
class ActiveChats {
  readonly #runs: RunService
  readonly #active = new Map<string, ActiveRun>()

  constructor(runs: RunService) {
    this.#runs = runs
  }

  find(owner: string, chat: string): ActiveRun | undefined {
    return this.#active.get(JSON.stringify([owner, chat]))
  }

  add(owner: string, chat: string, run: ActiveRun): void {
    const key = JSON.stringify([owner, chat])
    this.#active.set(key, run)
    const forget = (): void => {
      if (this.#active.get(key) === run) this.#active.delete(key)
    }
    this.#runs.ended(run.runId, owner, new AbortController().signal).then(forget, forget)
  }

  /** Whether there was anything to stop. */
  async stop(owner: string, chat: string): Promise<boolean> {
    const active = this.find(owner, chat)
    if (active === undefined) return false
    await this.#runs.cancel(active.runId, owner)
    return true
  }
}

const uiFrames = async function* (
  events: AsyncIterable<RunEvent>,
  chunks: UiChunks,
  reply: FastifyReply,
): AsyncGenerator<string, void, void> {
  try {
    for await (const event of events) for (const chunk of chunks.add(event)) yield dataFrame(chunk)
    chunks.close()
  } catch (thrown) {
    if (reply.raw.destroyed) return // the client left: that ends the events, and nobody can be told
    const error = toRefineError(thrown)
    reply.log[error.level]({ code: error.code, err: error }, error.message)
    yield dataFrame({ type: 'error', errorText: error.message })
  }
  yield 'data: [DONE]\n\n'
}

const sendRun = async (
  { runs, limits }: HttpContext,
  { runId, show }: ActiveRun,
  request: FastifyRequest,
  reply: FastifyReply,
  gone: AbortSignal,
): Promise<undefined> => {
  reply.header('x-vercel-ai-ui-message-stream', 'v1')
  const events = runs.events(runId, request.owner, 0, gone)
  const chunks = new UiChunks(show, directStrategies(runs))
  await sendEventStream(reply, uiFrames(events, chunks, reply), limits)
  return undefined
}

const create = async (
  context: HttpContext,
  chats: ActiveChats,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<undefined> => {
  const { runs, cancellation } = context
  const { owner, headers } = request
  const body = bodyWithHeaders(request.body as UiChatRequest, headers)
  const gone = cancellation.signalFor(reply)
  const known = new Set(runs.models().map(({ id }) => id))
  const run = toRunRequest(body, known)
  const key = requestKeyOf(request)?.key
  // The same request again wants the answer under way, not another.
  if (key === undefined || chats.find(owner, body.id)?.key !== key) await chats.stop(owner, body.id)
  const runId =
    body.on_disconnect === 'cancel'
      ? await startForegroundRun(context, run, { request, reply, gone })
      : (await createRun(context, run, { request, reply })).id
  const active = { runId, key, show: body.refine?.show ?? 'status' }
  chats.add(owner, body.id, active)
  return sendRun(context, active, request, reply, gone)
}

export const registerUiChat = (instance: FastifyInstance, context: HttpContext): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const chats = new ActiveChats(context.runs)

  app.post(
    '/v1/ui/chat',
    { schema: CREATE_SCHEMA, config: { images: true } },
    async (request, reply) => create(context, chats, request, reply),
  )

  const options = { schema: RESUME_SCHEMA, exposeHeadRoute: false } // a HEAD would never end
  app.get('/v1/ui/chat/:id/stream', options, async (request, reply) => {
    const active = chats.find(request.owner, request.params.id)
    if (active === undefined) return reply.code(204).send()
    const gone = context.cancellation.signalFor(reply)
    return sendRun(context, active, request, reply, gone)
  })

  app.post('/v1/ui/chat/:id/stop', { schema: STOP_SCHEMA }, async ({ owner, params }) => ({
    stopped: await chats.stop(owner, params.id),
  }))
}
