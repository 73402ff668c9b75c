/** The body of `/v1/messages`, Anthropic's, and what it becomes: a run request. */
import { Type, type Static } from 'typebox'
import { invalidField } from '../../core/errors.ts'
import { Sampling, type Message } from '../../core/task.ts'
import type { RunRequest } from '../../runs/run-request.ts'
import type { ShowMode } from './reasoning-text.ts'
import {
  anyFields,
  chooseRun,
  isAbsent,
  ModelName,
  presentFields,
  Refine,
  toolResult,
  unsupported,
  type ReasoningEffort,
} from './run-choice.ts'

const TEXT = 1_000_000

/** Every kind of block at once: what a kind needs is checked when it is read. Clients send back what they were sent. */
const Block = Type.Object(
  {
    type: Type.String({
      description: '`text`, `thinking` (left out), `tool_use` or `tool_result`.',
    }),
    text: Type.Optional(Type.String({ maxLength: TEXT })),
    tool_use_id: Type.Optional(Type.String()),
    content: Type.Optional(Type.Unknown()),
  },
  { $id: 'AnthropicContentBlock' },
)
type Block = Static<typeof Block>

const Content = Type.Union([
  Type.String({ maxLength: TEXT }),
  Type.Array(Block, { maxItems: 1000 }),
])

export const IGNORED_FIELDS = [
  'cache_control',
  'context_management',
  'inference_geo',
  'service_tier',
  'tool_choice',
] as const

const REFUSABLE_FIELDS = ['tools', 'mcp_servers', 'container', 'output_format'] as const
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
        format: Type.Optional(Type.Unknown()),
      }),
    ),
    refine: Type.Optional(Refine),
    ...anyFields(REFUSABLE_FIELDS),
    ...anyFields(IGNORED_FIELDS),
  },
  { additionalProperties: false, $id: 'AnthropicMessagesRequest' },
)
export type MessagesRequest = Static<typeof MessagesRequest>

const refuseUnsupported = (body: MessagesRequest): void => {
  const choice = body.tool_choice as { type?: unknown } | undefined
  if (choice?.type !== 'none' && !isAbsent(body.tools)) {
    throw unsupported('/tools', 'tools are not supported')
  }
  for (const field of ['mcp_servers', 'container', 'output_format'] as const) {
    if (!isAbsent(body[field])) throw unsupported(`/${field}`, 'is not supported')
  }
  if (!isAbsent(body.output_config?.format)) {
    throw unsupported('/output_config/format', 'is not supported')
  }
}

const SILENT = ['thinking', 'redacted_thinking']

const textOfResult = (content: unknown, pointer: string): string => {
  if (content === undefined || content === null) return ''
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw invalidField(pointer, 'must be text or text blocks')
  return (content as Block[]).map((block, at) => textOfBlock(block, `${pointer}/${at}`)).join('')
}

const textOfBlock = (block: Block, pointer: string): string => {
  if (SILENT.includes(block.type)) return ''
  switch (block.type) {
    case 'text':
      if (typeof block.text === 'string') return block.text
      throw invalidField(`${pointer}/text`, 'is required')
    case 'tool_use':
      return JSON.stringify([block])
    case 'tool_result':
      return toolResult(textOfResult(block.content, `${pointer}/content`), block.tool_use_id)
    default:
      throw unsupported(`${pointer}/type`, `"${block.type}" blocks are not supported`)
  }
}

const textOf = (content: Static<typeof Content>, pointer: string): string =>
  typeof content === 'string'
    ? content
    : content
        .map((block, at) => textOfBlock(block, `${pointer}/${at}`))
        .filter((text) => text !== '')
        .join('\n\n')

const toMessages = ({ system, messages }: MessagesRequest): Message[] => {
  const told = system === undefined ? '' : textOf(system, '/system')
  const conversation = messages.flatMap(({ role, content }, at): Message[] => {
    const text = textOf(content, `/messages/${at}/content`)
    if (text === '' && role === 'user') {
      throw invalidField(`/messages/${at}/content`, 'must not be empty')
    }
    return text === '' ? [] : [{ role, content: text }]
  })
  if (conversation.at(-1)?.role !== 'user') {
    const last = messages.length - 1
    throw invalidField(
      `/messages/${last}/role`,
      'must be "user": answers that are begun are not continued',
    )
  }
  return told === '' ? conversation : [{ role: 'system', content: told }, ...conversation]
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
