/** `/v1/chat/completions`: OpenAI's protocol, for clients that know nothing of refinement. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { toRefineError } from '../../core/errors.ts'
import type { RunEvent } from '../../core/event.ts'
import { retryHeader, startForegroundRun } from '../foreground-run.ts'
import { openAiErrorOf } from '../problem.ts'
import { jsonOrChunksResponse, PROBLEM_RESPONSES } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { dataFrame, sendEventStream } from '../sse.ts'
import { CompletionChunks, toCompletion, type CompletionOptions } from './openai-chat-completion.ts'
import { ignoredFields, toRunRequest } from './openai-chat-request.ts'
import { ChatRequest } from './openai-chat-schema.ts'
import { ReasoningText } from './reasoning-text.ts'
import { directStrategies, RunAccount } from './run-account.ts'
import { withHeaders, withoutNulls } from './run-choice.ts'

const ChatCompletion = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('chat.completion'),
    created: Type.Integer(),
    model: Type.String(),
    choices: Type.Array(Type.Record(Type.String(), Type.Unknown())),
    usage: Type.Record(Type.String(), Type.Unknown()),
    refine: Type.Record(Type.String(), Type.Unknown(), {
      description: 'Run id, strategy, stop reason and what the run took.',
    }),
  },
  { $id: 'ChatCompletion' },
)

const SCHEMA = {
  operationId: 'createChatCompletion',
  summary: 'OpenAI’s chat completions, refined',
  description:
    'Drafts, critiques and scores come as reasoning (`reasoning_content` and `reasoning`, the same text), then the answer ' +
    'as content. Usage is that of the whole strategy. Choose by the model’s name (`model:strategy`) or by `refine`. ' +
    'A caller that leaves cancels the run.',
  tags: ['compatibility'],
  body: ChatRequest,
  response: {
    200: jsonOrChunksResponse('The completion, or its chunks.', ChatCompletion),
    ...PROBLEM_RESPONSES,
  },
}

const completionOptions = (
  { runs }: HttpContext,
  body: ChatRequest,
  runId: string,
  model: string,
): CompletionOptions => ({
  runId,
  model,
  created: Math.floor(Date.now() / 1000),
  show: body.refine?.show ?? 'summary',
  includeUsage: body.stream_options?.include_usage === true,
  direct: directStrategies(runs),
  ignored: ignoredFields(body),
})

/** The status is sent long before a run fails, so its error travels as data, as OpenAI's own does; then the stream ends. */
const chatFrames = async function* (
  events: AsyncIterable<RunEvent>,
  options: CompletionOptions,
  reply: FastifyReply,
): AsyncGenerator<string, void, void> {
  const chunks = new CompletionChunks(options)
  try {
    for await (const event of events) {
      for (const chunk of chunks.add(event)) yield dataFrame(chunk)
    }
    chunks.close()
  } catch (thrown) {
    if (reply.raw.destroyed) return // the client left: that ends the events, and nobody can be told
    const error = toRefineError(thrown)
    reply.log[error.level]({ code: error.code, run_id: options.runId, err: error }, error.message)
    yield dataFrame({ error: openAiErrorOf(error) })
    return
  }
  yield 'data: [DONE]\n\n'
}

const completeWhole = async (
  events: AsyncIterable<RunEvent>,
  options: CompletionOptions,
  reply: FastifyReply,
): Promise<object> => {
  const account = new RunAccount(options.runId, options.ignored)
  const reasoning = new ReasoningText(options.show)
  let text = ''
  for await (const event of events) {
    account.add(event)
    text += reasoning.add(event)
  }
  try {
    return toCompletion(options, account, options.direct.has(account.strategy) ? '' : text)
  } catch (error) {
    reply.headers(retryHeader(account.spent))
    throw error
  }
}

const complete = async (
  context: HttpContext,
  body: ChatRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object | undefined> => {
  const { runs, limits, cancellation } = context
  const gone = cancellation.signalFor(reply)
  const models = runs.models().map(({ id }) => id)
  const run = toRunRequest(body, new Set(models))
  const runId = await startForegroundRun(runs, run, request, gone)
  const model = body.model ?? (await runs.get(runId, request.owner)).model
  const options = completionOptions(context, body, runId, model)
  const events = runs.events(runId, request.owner, 0, gone)
  if (body.stream !== true) return completeWhole(events, options, reply)
  await sendEventStream(reply, chatFrames(events, options, reply), limits)
  return undefined
}

export const registerChatCompletions = (instance: FastifyInstance, context: HttpContext): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  app.post(
    '/v1/chat/completions',
    {
      schema: SCHEMA,
      preValidation: async (request) => {
        // The type is that of a valid body, which this one becomes, or is refused.
        request.body = withoutNulls(request.body) as ChatRequest
      },
    },
    async (request, reply) => {
      const refine = withHeaders(request.body.refine, request.headers)
      const body = { ...request.body, ...(refine === undefined ? {} : { refine }) }
      return complete(context, body, request, reply)
    },
  )
}
