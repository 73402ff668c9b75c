/** What every protocol makes of what was said: content, and the turn of an assistant. Pure. */
import { contentText, type ContentPart, type Message } from '../../core/conversation.ts'
import type { ToolCall } from '../../core/tools.ts'

export const textOfParts = (content: ContentPart[]): string =>
  contentText({ role: 'user', content })

/** Content as the run takes it: text alone stays one text. */
export const contentOf = (
  parts: ContentPart[],
  joined: (parts: ContentPart[]) => string = textOfParts,
): string | ContentPart[] =>
  parts.some(({ type }) => type === 'image_url') ? parts : joined(parts)

/** None when nothing was said and nothing asked for. */
export const assistantTurn = (text: string, calls: ToolCall[] = []): Message[] => {
  if (calls.length === 0) return text === '' ? [] : [{ role: 'assistant', content: text }]
  return [{ role: 'assistant', content: text === '' ? null : text, tool_calls: calls }]
}
