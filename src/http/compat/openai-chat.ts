/** `/v1/chat/completions`: OpenAI's protocol, for clients that know nothing of refinement. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { toRefineError } from '../../core/errors.ts'
import type { RunEvent } from '../../core/event.ts'
import { merge } from '../../core/merge.ts'
import { retryHeader, startForegroundRun, type Caller } from '../foreground-run.ts'
import { openAiErrorOf } from '../problem.ts'
import { jsonOrChunksResponse, PROBLEM_RESPONSES } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { dataFrame, sendEventStream } from '../sse.ts'
import { withoutNulls } from './null-fields.ts'
import {
  CompletionChunks,
  toCompletion,
  usageChunk,
  type Choice,
  type CompletionOptions,
} from './openai-chat-completion.ts'
import { ignoredFields, seedOf, toRunRequest } from './openai-chat-request.ts'
import { ChatRequest } from './openai-chat-schema.ts'
import { ReasoningText } from './reasoning-text.ts'
import { directStrategies, RunAccount } from './run-account.ts'
import { bodyWithHeaders } from './run-choice.ts'

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

/** The chunks of one choice as they come. */
const choiceChunks = async function* (
  events: AsyncIterable<RunEvent>,
  chunks: CompletionChunks,
): AsyncGenerator<object, void, void> {
  for await (const event of events) yield* chunks.add(event)
  chunks.close()
}

/** The status is sent long before a run fails, so its error travels as data, as OpenAI's own does; then the stream ends. */
const chatFrames = async function* (
  choices: readonly Started[],
  options: CompletionOptions,
  reply: FastifyReply,
): AsyncGenerator<string, void, void> {
  const all = choices.map(({ runId }, index) => new CompletionChunks(options, index, runId))
  try {
    const sources = choices.map(({ events }, index) => choiceChunks(events, all[index]!))
    for await (const chunk of merge(sources)) yield dataFrame(chunk)
    if (options.includeUsage) {
      const accounts = all.map(({ account }) => account)
      yield dataFrame(usageChunk(options, accounts))
    }
  } catch (thrown) {
    // One choice that fails fails them all.
    await Promise.all(choices.map((choice) => choice.cancel()))
    if (reply.raw.destroyed) return // the client left: that ends the events, and nobody can be told
    const error = toRefineError(thrown)
    reply.log[error.level]({ code: error.code, run_id: options.runId, err: error }, error.message)
    yield dataFrame({ error: openAiErrorOf(error) })
    return
  }
  yield 'data: [DONE]\n\n'
}

const readChoice = async (
  { runId, events }: Started,
  { ignored, show, direct }: CompletionOptions,
): Promise<Choice> => {
  const account = new RunAccount(runId, ignored)
  const reasoning = new ReasoningText(show)
  let text = ''
  for await (const event of events) {
    account.add(event)
    text += reasoning.add(event)
  }
  return { account, reasoning: direct.has(account.strategy) ? '' : text }
}

const completeWhole = async (
  started: readonly Started[],
  options: CompletionOptions,
  reply: FastifyReply,
): Promise<object> => {
  const choices = await Promise.all(started.map((each) => readChoice(each, options)))
  try {
    return toCompletion(options, choices)
  } catch (error) {
    for (const { account } of choices) reply.headers(retryHeader(account.spent))
    throw error
  }
}

/** A run and its events from the first one on. */
interface Started {
  readonly runId: string
  readonly events: AsyncIterable<RunEvent>
  /** Never rejects. */
  cancel(): Promise<unknown>
}

/** Choices after the first one draw other seeds; where the request has none, each draws its own. */
const startChoices = async (
  context: HttpContext,
  body: ChatRequest,
  { request, reply, gone }: Required<Omit<Caller, 'part' | 'grace'>>,
): Promise<readonly Started[]> => {
  const { runs } = context
  const run = toRunRequest(body, new Set(runs.models().map(({ id }) => id)))
  const { n = 1, seed } = body
  const started: Started[] = []
  try {
    for (let choice = 0; choice < n; choice++) {
      const own = seed === undefined ? run : { ...run, seed: seedOf(seed, choice) }
      const part = n === 1 ? {} : { part: choice }
      const runId = await startForegroundRun(context, own, { request, reply, gone, ...part })
      started.push({
        runId,
        events: runs.events(runId, request.owner, 0, gone),
        cancel: () => runs.cancel(runId, request.owner).catch(() => undefined),
      })
    }
  } catch (error) {
    await Promise.all(started.map((choice) => choice.cancel()))
    throw error
  }
  return started
}

const complete = async (
  context: HttpContext,
  body: ChatRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object | undefined> => {
  const { runs, limits, cancellation } = context
  const gone = cancellation.signalFor(reply)
  const started = await startChoices(context, body, { request, reply, gone })
  const { runId } = started[0]!
  const model = body.model ?? (await runs.get(runId, request.owner)).model
  const options = completionOptions(context, body, runId, model)
  if (body.stream !== true) return completeWhole(started, options, reply)
  await sendEventStream(reply, chatFrames(started, options, reply), limits)
  return undefined
}

export const registerChatCompletions = (instance: FastifyInstance, context: HttpContext): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  app.post(
    '/v1/chat/completions',
    {
      schema: SCHEMA,
      config: { images: true },
      preValidation: async (request) => {
        // The type is that of a valid body, which this one becomes, or is refused.
        request.body = withoutNulls(request.body) as ChatRequest
      },
    },
    async (request, reply) =>
      complete(context, bodyWithHeaders(request.body, request.headers), request, reply),
  )
}
