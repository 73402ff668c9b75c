/** Content blocks of Anthropic's messages, as a run takes them. Pure. */
import { Type, type Static } from 'typebox'
import type { ContentPart, Message } from '../../core/conversation.ts'
import { invalidField } from '../../core/errors.ts'
import type { ToolCall } from '../../core/tools.ts'
import { required, unsupported } from './run-choice.ts'
import { assistantTurn, contentOf } from './turns.ts'

const TEXT = 1_000_000

const Source = Type.Object({
  type: Type.String({ description: '`base64` or `url`.' }),
  media_type: Type.Optional(Type.String()),
  data: Type.Optional(Type.String({ maxLength: 20_000_000 })),
  url: Type.Optional(Type.String()),
})

/** Every kind of block at once: what a kind needs is checked when it is read. Clients send back what they were sent. */
const Block = Type.Object(
  {
    type: Type.String({
      description: '`text`, `image`, `thinking` (left out), `tool_use` or `tool_result`.',
    }),
    text: Type.Optional(Type.String({ maxLength: TEXT })),
    source: Type.Optional(Source),
    id: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    input: Type.Optional(Type.Unknown()),
    tool_use_id: Type.Optional(Type.String()),
    content: Type.Optional(Type.Unknown()),
    is_error: Type.Optional(
      Type.Boolean({
        description:
          'Of a `tool_result`: the model reads it behind the line `The tool call failed:`.',
      }),
    ),
  },
  { $id: 'AnthropicContentBlock' },
)
type Block = Static<typeof Block>

export const Content = Type.Union([
  Type.String({ maxLength: TEXT }),
  Type.Array(Block, { maxItems: 1000 }),
])
type Content = Static<typeof Content>

const SILENT = ['thinking', 'redacted_thinking']

const readImage = ({ source }: Block, pointer: string): ContentPart => {
  const { type, media_type, data, url } = required(source, `${pointer}/source`)
  if (type === 'url') {
    return { type: 'image_url', image_url: { url: required(url, `${pointer}/source/url`) } }
  }
  if (type !== 'base64') {
    throw unsupported(`${pointer}/source/type`, `"${type}" is not supported, only base64 and url`)
  }
  const kind = required(media_type, `${pointer}/source/media_type`)
  const bytes = required(data, `${pointer}/source/data`)
  return { type: 'image_url', image_url: { url: `data:${kind};base64,${bytes}` } }
}

const readPart = (block: Block, pointer: string): ContentPart[] => {
  if (SILENT.includes(block.type)) return []
  if (block.type === 'text') {
    return [{ type: 'text', text: required(block.text, `${pointer}/text`) }]
  }
  if (block.type === 'image') return [readImage(block, pointer)]
  throw unsupported(`${pointer}/type`, `"${block.type}" blocks are not supported here`)
}

/** Texts with a blank line between them. */
const joined = (parts: readonly ContentPart[]): string =>
  parts
    .map(({ text = '' }) => text)
    .filter((text) => text !== '')
    .join('\n\n')

const resultText = (content: unknown, pointer: string): string => {
  if (content === undefined || content === null) return ''
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw invalidField(pointer, 'must be text or text blocks')
  const parts = (content as Block[]).flatMap((block, at) => readPart(block, `${pointer}/${at}`))
  const image = parts.findIndex(({ type }) => type === 'image_url')
  if (image >= 0) throw unsupported(`${pointer}/${image}/type`, 'images come from the user only')
  return joined(parts)
}

/** No chat template and no upstream has a place for it, so the text says it. */
const asFailure = (text: string): string =>
  text === '' ? 'The tool call failed.' : `The tool call failed:\n${text}`

const readResult = (block: Block, pointer: string): Message => {
  const text = resultText(block.content, `${pointer}/content`)
  return {
    role: 'tool',
    tool_call_id: required(block.tool_use_id, `${pointer}/tool_use_id`),
    content: block.is_error === true ? asFailure(text) : text,
  }
}

const readCall = ({ id, name, input = {} }: Block, pointer: string): ToolCall => ({
  id: required(id, `${pointer}/id`),
  type: 'function',
  function: { name: required(name, `${pointer}/name`), arguments: JSON.stringify(input) },
})

const asBlocks = (content: Content): readonly Block[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : content

export const textOf = (content: Content, pointer: string): string =>
  joined(asBlocks(content).flatMap((block, at) => readPart(block, `${pointer}/${at}`)))

/** The blocks of one type, and the parts that all others come to. */
const separate = (content: Content, type: string, pointer: string) => {
  const blocks = asBlocks(content).map((block, at) => ({ block, at: `${pointer}/${at}` }))
  return {
    found: blocks.filter(({ block }) => block.type === type),
    parts: blocks
      .filter(({ block }) => block.type !== type)
      .flatMap(({ block, at }) => readPart(block, at)),
  }
}

/** Results stand before what the user says beside them. */
export const readUser = (content: Content, pointer: string): Message[] => {
  const { found: results, parts } = separate(content, 'tool_result', pointer)
  const said = contentOf(parts, joined)
  if (said === '' && results.length === 0) throw invalidField(pointer, 'must not be empty')
  return [
    ...results.map(({ block, at }) => readResult(block, at)),
    ...(said === '' ? [] : [{ role: 'user' as const, content: said }]),
  ]
}

export const readAssistant = (content: Content, pointer: string): Message[] => {
  const { found: calls, parts } = separate(content, 'tool_use', pointer)
  return assistantTurn(
    joined(parts),
    calls.map(({ block, at }) => readCall(block, at)),
  )
}
