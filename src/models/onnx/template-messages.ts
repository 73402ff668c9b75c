/** Conversations and tools in the form that chat templates are written for. */
import { createHash } from 'node:crypto'
import { messageText } from '../../core/conversation.ts'
import type { Message } from '../../core/task.ts'
import { parseJson, type Tool, type ToolCall } from '../../core/tools.ts'
import type { TemplateMessage } from '../../inference/text/chat-template.ts'

/** Mistral's templates take ids of nine letters and digits and no others; for the rest any will do. */
const SHORT_ID = /^[A-Za-z0-9]{9}$/
const shortId = (id: string): string =>
  SHORT_ID.test(id) ? id : createHash('sha256').update(id).digest('hex').slice(0, 9)

const templateCall = ({ id, function: { name, arguments: given } }: ToolCall) => ({
  id: shortId(id),
  type: 'function' as const,
  function: { name, arguments: parseJson(given)?.value ?? given },
})

const withoutCalls = ({ role, content }: Message): string =>
  content === undefined ? '' : messageText({ role, content })

/** For a template that knows nothing of tools: calls are part of the text. */
export const plainMessages = (messages: readonly Message[]): TemplateMessage[] =>
  messages.map((message) => ({ role: message.role, content: messageText(message) }))

/** @param parallel whether the template takes several calls in one message; otherwise each has a message of its own */
export const toolMessages = (
  messages: readonly Message[],
  parallel: boolean,
): TemplateMessage[] => {
  const names = new Map<string, string>()
  return messages.flatMap((message): TemplateMessage[] => {
    const { role, tool_calls: calls = [], tool_call_id: result } = message
    const content = withoutCalls(message)
    for (const call of calls) names.set(call.id, call.function.name)
    if (result !== undefined)
      return [{ role, content, tool_call_id: shortId(result), name: names.get(result) ?? '' }]
    if (calls.length === 0) return [{ role, content }]
    const given = calls.map(templateCall)
    return (parallel ? [given] : given.map((call) => [call])).map((tool_calls, index) => ({
      role,
      content: index === 0 ? content : '',
      tool_calls,
    }))
  })
}

/** What templates read of a tool. */
export const templateTools = (tools: readonly Tool[]): object[] =>
  tools.map(({ type, function: { name, description = '', parameters } }) => ({
    type,
    function: { name, description, parameters: parameters ?? { type: 'object', properties: {} } },
  }))
