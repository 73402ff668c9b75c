/** The body of `/v1/ui/chat`: what the AI SDK's chat transport sends, and `refine` for ours. */
import { Type, type Static } from 'typebox'
import type { ContentPart } from '../../core/conversation.ts'
import { invalidField } from '../../core/errors.ts'
import { Sampling, type Message } from '../../core/task.ts'
import type { ToolCall } from '../../core/tools.ts'
import { RunRequest } from '../../runs/run-request.ts'
import { chooseRun, ModelName, Refine, required, unsupported } from './run-choice.ts'
import { assistantTurn, contentOf } from './turns.ts'

const { tools, tool_choice, parallel_tool_calls, response_format } = RunRequest.properties

export const ChatId = Type.String({
  minLength: 1,
  maxLength: 256,
  description: 'Chosen by the client; a chat has one active run at most.',
})

/** Every kind of part at once: texts, images and tool parts are read, other files refused. */
const Part = Type.Object({
  type: Type.String(),
  text: Type.Optional(Type.String({ maxLength: 1_000_000 })),
  mediaType: Type.Optional(Type.String()),
  url: Type.Optional(Type.String({ maxLength: 20_000_000 })),
  toolCallId: Type.Optional(Type.String()),
  toolName: Type.Optional(Type.String()),
  state: Type.Optional(Type.String()),
  input: Type.Optional(Type.Unknown()),
  output: Type.Optional(Type.Unknown()),
  errorText: Type.Optional(Type.String()),
})
type Part = Static<typeof Part>

const UiMessage = Type.Object(
  {
    id: Type.Optional(Type.String({ maxLength: 256 })),
    role: Type.Enum(['system', 'user', 'assistant']),
    parts: Type.Array(Part, { maxItems: 10_000 }),
    metadata: Type.Optional(Type.Unknown()),
  },
  { $id: 'UiMessage' },
)

export const UiChatRequest = Type.Object(
  {
    id: ChatId,
    messages: Type.Array(UiMessage, { minItems: 1, maxItems: 1000 }),
    trigger: Type.Optional(Type.Enum(['submit-message', 'regenerate-message'])),
    messageId: Type.Optional(Type.String({ maxLength: 256 })),
    model: Type.Optional(ModelName),
    refine: Type.Optional(Refine),
    sampling: Type.Optional(Sampling),
    tools,
    tool_choice,
    parallel_tool_calls,
    response_format,
    metadata: RunRequest.properties.metadata,
    on_disconnect: Type.Optional(
      Type.Enum(['continue', 'cancel'], {
        description:
          'What becomes of the run when its reader leaves. `continue` (if absent): the reader may come back for it, and ' +
          'the stop endpoint ends it.',
      }),
    ),
  },
  { additionalProperties: false, $id: 'UiChatRequest' },
)
export type UiChatRequest = Static<typeof UiChatRequest>

const readUser = (parts: readonly Part[], pointer: string): Message => {
  const read = parts.flatMap(({ type, text = '', mediaType = '', url }, at): ContentPart[] => {
    if (type === 'text') return [{ type, text }]
    if (type !== 'file') return []
    if (!mediaType.startsWith('image/')) {
      throw unsupported(`${pointer}/${at}/type`, `files are not supported, only images`)
    }
    return [{ type: 'image_url', image_url: { url: required(url, `${pointer}/${at}/url`) } }]
  })
  const content = contentOf(read)
  if (content === '') throw invalidField(pointer, 'must hold a text')
  return { role: 'user', content }
}

interface Placed {
  readonly part: Part
  readonly at: string
}

const isCall = ({ type }: Part): boolean => type.startsWith('tool-') || type === 'dynamic-tool'

const readCall = (
  { type, toolName, input = {}, toolCallId: id }: Part,
  pointer: string,
): ToolCall => {
  const name = toolName ?? type.slice('tool-'.length)
  return {
    id: required(id, `${pointer}/toolCallId`),
    type: 'function',
    function: { name, arguments: JSON.stringify(input) },
  }
}

const resultOf = ({ toolCallId = '', output, errorText }: Part): Message => ({
  role: 'tool',
  tool_call_id: toolCallId,
  content: typeof output === 'string' ? output : JSON.stringify(output ?? errorText ?? ''),
})

/** A call whose result the page does not have was given up: it is left out, since no model takes one without. */
const readStep = (parts: readonly Placed[]): Message[] => {
  const text = parts.map(({ part }) => (part.type === 'text' ? (part.text ?? '') : '')).join('')
  const ended = ['output-available', 'output-error']
  const calls = parts.filter(({ part }) => isCall(part) && ended.includes(part.state ?? ''))
  const asked = calls.map(({ part, at }) => readCall(part, at))
  return [...assistantTurn(text, asked), ...calls.map(({ part }) => resultOf(part))]
}

/** One message of the page may hold several turns: what was said behind a result belongs behind it. */
const readAssistant = (parts: readonly Part[], pointer: string): Message[] => {
  const steps: Placed[][] = [[]]
  parts.forEach((part, at) => {
    if (part.type === 'step-start') steps.push([])
    else steps.at(-1)!.push({ part, at: `${pointer}/${at}` })
  })
  return steps.flatMap(readStep)
}

const toMessages = ({ messages }: UiChatRequest): Message[] => {
  const conversation = messages.flatMap(({ role, parts }, at): Message[] => {
    const pointer = `/messages/${at}/parts`
    if (role === 'user') return [readUser(parts, pointer)]
    if (role === 'assistant') return readAssistant(parts, pointer)
    const text = parts.map(({ text: said = '' }) => said).join('')
    return text === '' ? [] : [{ role, content: text }]
  })
  const last = conversation.at(-1)?.role
  if (last === 'user' || last === 'tool') return conversation
  throw invalidField('/messages', 'must end with a message of the user or the result of a tool')
}

/** @throws RefineError invalid_request or unsupported_capability, naming the field. */
export const toRunRequest = (body: UiChatRequest, known: ReadonlySet<string>): RunRequest => ({
  messages: toMessages(body),
  ...chooseRun({ model: body.model, refine: body.refine }, known),
  ...(body.tools === undefined ? {} : { tools: body.tools }),
  ...(body.tool_choice === undefined ? {} : { tool_choice: body.tool_choice }),
  ...(body.parallel_tool_calls === undefined
    ? {}
    : { parallel_tool_calls: body.parallel_tool_calls }),
  ...(body.response_format === undefined ? {} : { response_format: body.response_format }),
  ...(body.sampling === undefined ? {} : { sampling: body.sampling }),
  ...(body.metadata === undefined ? {} : { metadata: body.metadata }),
})
