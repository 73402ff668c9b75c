/** The body of `/v1/messages`, Anthropic's, and what it becomes: a run request. */
import { Type, type Static } from 'typebox'
import { invalidField } from '../../core/errors.ts'
import { Sampling, type Message } from '../../core/task.ts'
import type { Tool, ToolChoice } from '../../core/tools.ts'
import type { RunRequest } from '../../runs/run-request.ts'
import { Content, readAssistant, readUser, textOf } from './anthropic-messages-content.ts'
import type { ShowMode } from './reasoning-text.ts'
import {
  anyFields,
  chooseRun,
  isAbsent,
  ModelName,
  presentFields,
  Refine,
  required,
  unsupported,
  type ReasoningEffort,
} from './run-choice.ts'

/** Functions of the caller; what would run at the provider has a type of its own, and there is nothing here to run it. */
const AnthropicTool = Type.Object({
  type: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  name: Type.String(),
  description: Type.Optional(Type.String()),
  input_schema: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  strict: Type.Optional(Type.Boolean()),
})
type AnthropicTool = Static<typeof AnthropicTool>

const AnthropicToolChoice = Type.Object({
  type: Type.Enum(['auto', 'any', 'tool', 'none']),
  name: Type.Optional(Type.String()),
  disable_parallel_tool_use: Type.Optional(Type.Boolean()),
})

export const IGNORED_FIELDS = [
  'cache_control',
  'context_management',
  'diagnostics',
  'inference_geo',
  'service_tier',
  'speed',
  'user_profile_id',
  'workspace_id',
] as const

/** `thread`: conversations are sent whole, which Anthropic's tool runner does once it is told so. */
const REFUSABLE_FIELDS = ['mcp_servers', 'container', 'output_format', 'thread'] as const
const { temperature, top_p, top_k, stop } = Sampling.properties

export const MessagesRequest = Type.Object(
  {
    model: Type.Optional(ModelName),
    max_tokens: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      description: 'Of the answer and of each draft.',
    }),
    messages: Type.Array(
      Type.Object({ role: Type.Enum(['user', 'assistant', 'system']), content: Content }),
      { minItems: 1, maxItems: 1000 },
    ),
    system: Type.Optional(Content),
    stream: Type.Optional(Type.Boolean()),
    temperature,
    top_p,
    top_k,
    stop_sequences: stop,
    metadata: Type.Optional(
      Type.Object({
        user_id: Type.Optional(Type.Union([Type.String({ maxLength: 512 }), Type.Null()])),
      }),
    ),
    thinking: Type.Optional(
      Type.Object({
        type: Type.Enum(['enabled', 'disabled', 'adaptive'], {
          description: '`disabled` shows nothing of the work, if `refine.show` does not say.',
        }),
        display: Type.Optional(
          Type.Union([Type.Enum(['summarized', 'omitted']), Type.Null()], {
            description: '`omitted` shows nothing of the work either.',
          }),
        ),
      }),
    ),
    output_config: Type.Optional(
      Type.Object({
        effort: Type.Optional(
          Type.Union([Type.Enum(['low', 'medium', 'high', 'xhigh', 'max']), Type.Null()], {
            description: 'As `reasoning_effort` of a chat completion.',
          }),
        ),
        format: Type.Optional(
          Type.Union([
            Type.Object({
              type: Type.Literal('json_schema'),
              schema: Type.Record(Type.String(), Type.Unknown()),
            }),
            Type.Null(),
          ]),
        ),
      }),
    ),
    tools: Type.Optional(Type.Array(AnthropicTool, { maxItems: 128 })),
    tool_choice: Type.Optional(AnthropicToolChoice),
    refine: Type.Optional(Refine),
    ...anyFields(REFUSABLE_FIELDS),
    ...anyFields(IGNORED_FIELDS),
  },
  { additionalProperties: false, $id: 'AnthropicMessagesRequest' },
)
export type MessagesRequest = Static<typeof MessagesRequest>

/** What is counted is a message that might be asked for: only how long it may become need not be said. */
export const CountRequest = Type.Object(
  {
    ...MessagesRequest.properties,
    max_tokens: Type.Optional(MessagesRequest.properties.max_tokens),
  },
  { additionalProperties: false, $id: 'AnthropicCountRequest' },
)
export type CountRequest = Static<typeof CountRequest>

const refuseUnsupported = (body: MessagesRequest): void => {
  for (const field of REFUSABLE_FIELDS) {
    if (!isAbsent(body[field])) throw unsupported(`/${field}`, 'is not supported')
  }
}

const toMessages = ({ system, messages }: MessagesRequest): Message[] => {
  const told = system === undefined ? '' : textOf(system, '/system')
  const conversation = messages.flatMap(({ role, content }, at): Message[] => {
    const pointer = `/messages/${at}/content`
    if (role === 'user') return readUser(content, pointer)
    if (role === 'assistant') return readAssistant(content, pointer)
    const text = textOf(content, pointer)
    return text === '' ? [] : [{ role, content: text }]
  })
  const { role } = conversation.at(-1) ?? {}
  if (role !== 'user' && role !== 'tool') {
    const last = messages.length - 1
    throw invalidField(
      `/messages/${last}/role`,
      'must be "user": answers that are begun are not continued',
    )
  }
  return told === '' ? conversation : [{ role: 'system', content: told }, ...conversation]
}

const readTool = (tool: AnthropicTool, at: number): Tool => {
  const { type, name, description, input_schema, strict } = tool
  if (type !== undefined && type !== null && type !== 'custom') {
    throw unsupported(`/tools/${at}/type`, `"${type}" tools are not supported`)
  }
  return {
    type: 'function',
    function: {
      name,
      ...(description === undefined ? {} : { description }),
      ...(input_schema === undefined ? {} : { parameters: input_schema }),
      ...(strict === undefined ? {} : { strict }),
    },
  }
}

const choiceOf = (choice: Static<typeof AnthropicToolChoice>): ToolChoice => {
  switch (choice.type) {
    case 'none':
    case 'auto':
      return choice.type
    case 'any':
      return 'required'
    case 'tool':
      return { type: 'function', function: { name: required(choice.name, '/tool_choice/name') } }
  }
}

const toolsOf = ({ tools = [], tool_choice: choice }: MessagesRequest): Partial<RunRequest> => {
  if (tools.length === 0) return {}
  const isSingle = choice?.disable_parallel_tool_use === true
  return {
    tools: tools.map(readTool),
    ...(choice === undefined ? {} : { tool_choice: choiceOf(choice) }),
    ...(isSingle ? { parallel_tool_calls: false } : {}),
  }
}

const formatOf = ({ output_config: config }: MessagesRequest): Partial<RunRequest> => {
  const format = config?.format
  if (format === undefined || format === null) return {}
  const json_schema = { name: 'answer', schema: format.schema }
  return { response_format: { type: 'json_schema', json_schema } }
}

/** @throws RefineError invalid_request or unsupported_capability, naming the field. */
export const toRunRequest = (body: MessagesRequest, known: ReadonlySet<string>): RunRequest => {
  refuseUnsupported(body)
  const { model, refine, temperature, top_p, top_k, stop_sequences: stop } = body
  const effort: ReasoningEffort | undefined = body.output_config?.effort ?? undefined
  return {
    messages: toMessages(body),
    sampling: {
      max_tokens: body.max_tokens,
      ...(temperature === undefined ? {} : { temperature }),
      ...(top_p === undefined ? {} : { top_p }),
      ...(top_k === undefined ? {} : { top_k }),
      ...(stop === undefined ? {} : { stop }),
    },
    ...toolsOf(body),
    ...formatOf(body),
    ...chooseRun({ model, refine, effort, unit: body.metadata?.user_id ?? undefined }, known),
  }
}

export const showModeOf = ({ refine, thinking }: MessagesRequest): ShowMode => {
  if (refine?.show !== undefined) return refine.show
  const isHidden = thinking?.type === 'disabled' || thinking?.display === 'omitted'
  return isHidden ? 'none' : 'summary'
}

export const ignoredFields = (body: MessagesRequest): string[] =>
  presentFields(body, IGNORED_FIELDS)
