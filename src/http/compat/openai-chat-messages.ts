/** Reads the messages of a chat completion. Pure. */
import { contentText, type ContentPart, type Message } from '../../core/conversation.ts'
import { invalidField } from '../../core/errors.ts'
import type { ToolCall } from '../../core/tools.ts'
import type { ChatMessage } from './openai-chat-schema.ts'
import { required, toolResult, unsupported, withoutReasoning } from './run-choice.ts'
import { assistantTurn, contentOf } from './turns.ts'

type Part = Exclude<ChatMessage['content'], string | null | undefined>[number]

const readPart = ({ type, text, image_url: image }: Part, pointer: string): ContentPart[] => {
  switch (type) {
    case 'refusal':
      return []
    case 'text':
      return [{ type, text: required(text, `${pointer}/text`) }]
    case 'image_url':
      return [{ type, image_url: required(image, `${pointer}/image_url`) }]
    default:
      throw unsupported(
        `${pointer}/type`,
        `"${type}" parts are not supported, only "text" and "image_url"`,
      )
  }
}

const readContent = ({ content }: ChatMessage, pointer: string): string | ContentPart[] => {
  if (content === undefined || content === null) return ''
  if (typeof content === 'string') return content
  return contentOf(content.flatMap((part, at) => readPart(part, `${pointer}/content/${at}`)))
}

/** As the model wrote them, without what a client's helper has put beside. */
const callsOf = ({ tool_calls: calls = [] }: ChatMessage): ToolCall[] =>
  calls.map(({ id, type, function: { name, arguments: given } }) => ({
    id,
    type,
    function: { name, arguments: given },
  }))

const readAnswer = (message: ChatMessage, content: string | ContentPart[]): Message[] => {
  if (typeof content !== 'string') return [{ role: 'assistant', content }]
  return assistantTurn(withoutReasoning(content), callsOf(message))
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
    case 'tool': {
      const tool_call_id = required(message.tool_call_id, `${pointer}/tool_call_id`)
      return [{ role: 'tool', content, tool_call_id }]
    }
    case 'function': // of a time before calls had ids
      return [
        { role: 'user', content: toolResult(contentText({ role: 'user', content }), message.name) },
      ]
  }
}
