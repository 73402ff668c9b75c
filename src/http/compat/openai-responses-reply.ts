/** What `/v1/responses` says: the response, its items, the events of its stream, and the replies of its WebSocket. */
import { Type, type Static, type TObject, type TProperties } from 'typebox'
import { TokenLogprob } from '../../core/event.ts'
import { OpenAiError } from '../problem.ts'
import { StreamId } from './openai-responses-message.ts'

const Any = Type.Unknown()
const Index = Type.Integer({ minimum: 0 })

const SummaryPart = Type.Object({ type: Type.Literal('summary_text'), text: Type.String() })

const ReasoningItem = Type.Object(
  {
    type: Type.Literal('reasoning'),
    id: Type.String(),
    status: Type.Enum(['in_progress', 'completed']),
    summary: Type.Array(SummaryPart, { description: 'The work, a part for each revision.' }),
  },
  { $id: 'ResponseReasoning' },
)
export type ReasoningItem = Static<typeof ReasoningItem>

const TextPart = Type.Object({
  type: Type.Literal('output_text'),
  text: Type.String(),
  annotations: Type.Array(Any, { maxItems: 0 }),
  logprobs: Type.Array(TokenLogprob),
})
export type TextPart = Static<typeof TextPart>

const MessageItem = Type.Object(
  {
    type: Type.Literal('message'),
    id: Type.String(),
    role: Type.Literal('assistant'),
    status: Type.Enum(['in_progress', 'completed', 'incomplete']),
    content: Type.Array(TextPart),
  },
  { $id: 'ResponseMessage', description: 'The answer.' },
)
export type MessageItem = Static<typeof MessageItem>

const CallItem = Type.Object(
  {
    type: Type.Literal('function_call'),
    id: Type.String(),
    call_id: Type.String(),
    name: Type.String(),
    arguments: Type.String(),
    status: Type.Enum(['in_progress', 'completed']),
  },
  { $id: 'ResponseFunctionCall' },
)
export type CallItem = Static<typeof CallItem>

const OutputItem = Type.Union([ReasoningItem, MessageItem, CallItem], {
  $id: 'ResponseOutputItem',
})
export type OutputItem = Static<typeof OutputItem>

const STATUSES = [
  'queued',
  'in_progress',
  'completed',
  'incomplete',
  'failed',
  'cancelled',
] as const
export type ResponseStatus = (typeof STATUSES)[number]

export const ResponseBody = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('response'),
    created_at: Type.Integer(),
    status: Type.Enum([...STATUSES]),
    model: Type.String(),
    output: Type.Array(OutputItem),
    usage: Type.Union([Type.Record(Type.String(), Any), Type.Null()]),
    refine: Type.Record(Type.String(), Any, {
      description: 'Run id, strategy, stop reason and what the run took.',
    }),
  },
  { $id: 'Response' },
)

const message = <Name extends string, Properties extends TProperties>(
  type: Name,
  properties: Properties,
) =>
  Type.Object({
    type: Type.Literal(type),
    sequence_number: Index,
    stream_id: Type.Optional(StreamId),
    ...properties,
  })

const ofResponse = { response: ResponseBody }
const ofItem = { item_id: Type.String(), output_index: Index }
const inSummary = { ...ofItem, summary_index: Index }
const inMessage = { ...ofItem, content_index: Index }
const item = { output_index: Index, item: OutputItem }
const said = Type.Array(TokenLogprob)

/** By their types; every one that there is. On a socket they carry the `stream_id` of the request. */
const EVENT_FIELDS = {
  'response.created': ofResponse,
  'response.queued': ofResponse,
  'response.in_progress': ofResponse,
  'response.completed': ofResponse,
  'response.incomplete': ofResponse,
  'response.failed': ofResponse,
  'response.output_item.added': item,
  'response.output_item.done': item,
  'response.reasoning_summary_part.added': { ...inSummary, part: SummaryPart },
  'response.reasoning_summary_part.done': { ...inSummary, part: SummaryPart },
  'response.reasoning_summary_text.delta': { ...inSummary, delta: Type.String() },
  'response.reasoning_summary_text.done': { ...inSummary, text: Type.String() },
  'response.content_part.added': { ...inMessage, part: TextPart },
  'response.content_part.done': { ...inMessage, part: TextPart },
  'response.output_text.delta': { ...inMessage, delta: Type.String(), logprobs: said },
  'response.output_text.done': { ...inMessage, text: Type.String(), logprobs: said },
  'response.function_call_arguments.delta': { ...ofItem, delta: Type.String() },
  'response.function_call_arguments.done': {
    ...ofItem,
    name: Type.String(),
    arguments: Type.String(),
  },
} as const
export type ResponseEventType = keyof typeof EVENT_FIELDS

type TailOf<Type, Prefix extends string> = Type extends `${Prefix}${infer Rest}` ? Rest : never
/** What follows `response.reasoning_summary_` in the types of events. */
export type SummaryEventTail = TailOf<ResponseEventType, 'response.reasoning_summary_'>
/** What follows `response.` in those about the answer. */
export type MessageEventTail = Extract<
  TailOf<ResponseEventType, 'response.'>,
  `${'output_text' | 'content_part'}.${string}`
>

const steer = Type.Object({ input: Type.Optional(Any), previous_response_id: Type.Optional(Any) })

/** What the WebSocket says. */
export const RESPONSES_SERVER_MESSAGES: Readonly<Record<string, TObject>> = {
  ...Object.fromEntries(
    Object.entries(EVENT_FIELDS).map(([type, fields]) => [type, message(type, fields)]),
  ),
  'response.steer.accepted': message('response.steer.accepted', {
    steer: Type.Object({
      id: Type.String(),
      previous_response_id: Type.String(),
    }),
  }),
  'response.steer.failed': message('response.steer.failed', {
    steer,
    error: Type.Object({ code: Type.String(), message: Type.String(), type: Type.String() }),
  }),
  error: Type.Object(
    {
      type: Type.Literal('error'),
      stream_id: Type.Optional(StreamId),
      status: Type.Integer({ description: 'The HTTP status of the same error.' }),
      error: OpenAiError,
    },
    {
      description:
        'With the code `websocket_connection_limit_reached` the socket is about to be closed: open another.',
    },
  ),
}
