/** Messages of a conversation in OpenAI's form. Wire data, hence snake_case. */
import { Type, type Static } from 'typebox'
import { invalidField, RefineError } from './errors.ts'
import { canonicalCall, ToolCall } from './tools.ts'

const TEXT = 1_000_000

/** Every kind of part at once: what a kind needs is checked by `checkConversation`, which names it. */
export const ContentPart = Type.Object(
  {
    type: Type.Enum(['text', 'image_url']),
    text: Type.Optional(Type.String({ maxLength: TEXT })),
    image_url: Type.Optional(
      Type.Object(
        {
          url: Type.String({
            maxLength: 20_000_000,
            pattern: '^(https?://|data:image/)',
            description: 'An http or https address, or `data:image/…`.',
          }),
          detail: Type.Optional(Type.Enum(['auto', 'low', 'high'])),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export type ContentPart = Static<typeof ContentPart>

export const Message = Type.Object(
  {
    role: Type.Enum(['system', 'user', 'assistant', 'tool']),
    content: Type.Optional(
      Type.Union(
        [
          Type.String({ maxLength: TEXT }),
          Type.Array(ContentPart, { minItems: 1, maxItems: 1000 }),
          Type.Null(),
        ],
        { description: 'Images only from the user; null only beside `tool_calls`.' },
      ),
    ),
    tool_calls: Type.Optional(
      Type.Array(ToolCall, {
        minItems: 1,
        maxItems: 128,
        description: 'Only of the assistant: what it asked for.',
      }),
    ),
    tool_call_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: 'Only of a tool: which call it is the result of.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type Message = Static<typeof Message>

const partsOf = ({ content }: Message): readonly ContentPart[] => {
  if (content === undefined || content === null) return []
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content
}

/** The text of the content alone; '' for none. */
export const contentText = (message: Message): string =>
  partsOf(message)
    .map(({ text }) => text ?? '')
    .join('')

/** The message for readers of text alone: `[image]` for an image, tool calls as `name(arguments)` in lines of their own. */
export const messageText = (message: Message): string => {
  const said = partsOf(message)
    .map(({ text }) => text ?? '[image]')
    .join('')
  const calls = (message.tool_calls ?? []).map(canonicalCall)
  return [...(said === '' ? [] : [said]), ...calls].join('\n')
}

export const imagesOf = (messages: readonly Message[]): readonly ContentPart[] =>
  messages.flatMap((message) => partsOf(message).filter(({ type }) => type === 'image_url'))

/** The same conversation for a model without eyes. */
export const withoutImages = (messages: readonly Message[]): readonly Message[] =>
  imagesOf(messages).length === 0
    ? messages
    : messages.map((message) => ({
        ...message,
        ...(typeof message.content === 'object' && message.content !== null
          ? { content: messageText({ role: message.role, content: message.content }) }
          : {}),
      }))

const checkPart = (message: Message, part: ContentPart, pointer: string): void => {
  const field = part.type === 'text' ? 'text' : 'image_url'
  if (part[field] === undefined) throw invalidField(`${pointer}/${field}`, 'is required')
  const other = field === 'text' ? 'image_url' : 'text'
  if (part[other] !== undefined)
    throw invalidField(`${pointer}/${other}`, 'does not go with `type`')
  if (part.type === 'image_url' && message.role !== 'user') {
    throw invalidField(`${pointer}/type`, 'images may come from the user only')
  }
}

const checkCalls = (message: Message, known: Set<string>, pointer: string): void => {
  const { role, tool_calls: calls, tool_call_id: result } = message
  if (calls !== undefined && role !== 'assistant') {
    throw invalidField(`${pointer}/tool_calls`, 'goes with the role "assistant" only')
  }
  if (result !== undefined && role !== 'tool') {
    throw invalidField(`${pointer}/tool_call_id`, 'goes with the role "tool" only')
  }
  if (role === 'tool' && result === undefined) {
    throw invalidField(
      `${pointer}/tool_call_id`,
      'is required: it names the call this is the result of',
    )
  }
  if (result !== undefined && !known.has(result)) {
    throw invalidField(
      `${pointer}/tool_call_id`,
      'is not the id of a tool call of an earlier message',
    )
  }
  for (const { id } of calls ?? []) known.add(id)
}

const checkContent = (message: Message, pointer: string): void => {
  const { role, content, tool_calls: calls } = message
  const isAbsent = content === undefined || content === null
  if (isAbsent && calls === undefined) throw invalidField(`${pointer}/content`, 'is required')
  // A tool may have nothing to say; others are asked or answered with something.
  if (content === '' && role !== 'tool' && calls === undefined) {
    throw invalidField(`${pointer}/content`, 'must not be empty')
  }
  if (typeof content !== 'object' || content === null) return
  content.forEach((part, at) => checkPart(message, part, `${pointer}/content/${at}`))
}

/**
 * Checks what the schema cannot: what each role and each kind of part needs, and that results belong to calls.
 * @throws RefineError invalid_request naming the field
 */
export const checkConversation = (messages: readonly Message[]): void => {
  const known = new Set<string>()
  messages.forEach((message, at) => {
    checkContent(message, `/messages/${at}`)
    checkCalls(message, known, `/messages/${at}`)
  })
  const last = messages.length - 1
  const { role } = messages[last]!
  if (role === 'user' || role === 'tool') return
  throw new RefineError(
    'invalid_request',
    `/messages/${last}/role must be "user" or "tool": the last message is what is to be answered`,
    { fields: [{ pointer: `/messages/${last}/role`, message: 'must be "user" or "tool"' }] },
  )
}
