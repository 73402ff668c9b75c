/** Reads the messages of a chat completion. Pure. */
import { contentText, type ContentPart, type Message } from '../../core/conversation.ts'
import { invalidField } from '../../core/errors.ts'
import type { ChatMessage } from './openai-chat-schema.ts'
import { toolResult, unsupported, withoutReasoning } from './run-choice.ts'

type Part = Exclude<ChatMessage['content'], string | null | undefined>[number]

const readPart = ({ type, text, image_url: image }: Part, pointer: string): ContentPart[] => {
  switch (type) {
    case 'refusal':
      return []
    case 'text':
      if (text === undefined) throw invalidField(`${pointer}/text`, 'is required')
      return [{ type, text }]
    case 'image_url':
      if (image === undefined) throw invalidField(`${pointer}/image_url`, 'is required')
      return [{ type, image_url: image }]
    default:
      throw unsupported(
        `${pointer}/type`,
        `"${type}" parts are not supported, only "text" and "image_url"`,
      )
  }
}

/** Content as the run takes it: text alone stays one text. */
const readContent = ({ content }: ChatMessage, pointer: string): string | ContentPart[] => {
  if (content === undefined || content === null) return ''
  if (typeof content === 'string') return content
  const parts = content.flatMap((part, at) => readPart(part, `${pointer}/content/${at}`))
  return parts.every(({ type }) => type === 'text')
    ? contentText({ role: 'user', content: parts })
    : parts
}

const readAnswer = (message: ChatMessage, content: string | ContentPart[]): Message[] => {
  if (typeof content !== 'string') return [{ role: 'assistant', content }]
  const text = withoutReasoning(content)
  const calls = message.tool_calls ?? []
  if (calls.length > 0) return [{ role: 'assistant', content: text || null, tool_calls: calls }]
  return text === '' ? [] : [{ role: 'assistant', content: text }]
}

/** @throws RefineError invalid_request or unsupported_capability, naming the field. */
export const readChatMessage = (message: ChatMessage, at: number): Message[] => {
  const pointer = `/messages/${at}`
  const content = readContent(message, pointer)
  switch (message.role) {
    case 'system':
    case 'developer':
      return content === '' ? [] : [{ role: 'system', content }]
    case 'user':
      if (content === '') throw invalidField(`${pointer}/content`, 'must not be empty')
      return [{ role: 'user', content }]
    case 'assistant':
      return readAnswer(message, content)
    case 'tool':
      if (message.tool_call_id === undefined) {
        throw invalidField(`${pointer}/tool_call_id`, 'is required')
      }
      return [{ role: 'tool', content, tool_call_id: message.tool_call_id }]
    case 'function': // of a time before calls had ids
      return [
        { role: 'user', content: toolResult(contentText({ role: 'user', content }), message.name) },
      ]
  }
}
