/** What the scripted model says where a form is asked for: a tool call, a JSON value or one of several choices. */
import type { GenerationRequest } from '../../core/language-model.ts'
import type { Random } from '../../core/random.ts'
import type { Tool } from '../../core/tools.ts'
import type { Conversation } from './conversation.ts'
import { instanceOf } from './instance.ts'
import type { Reply } from './reply.ts'

/** The one that must be called, else the first that the question names, else the first. */
const chooseTool = (tools: readonly Tool[], request: GenerationRequest, question: string): Tool => {
  const { toolChoice } = request
  const wanted = typeof toolChoice === 'object' ? toolChoice.function.name : undefined
  const named = (name: string): boolean =>
    wanted === undefined ? question.includes(name) : name === wanted
  return tools.find((tool) => named(tool.function.name)) ?? tools[0]!
}

/** Results are read and not asked for again; a draft that is no call is not turned into one. */
const calls = (request: GenerationRequest, conversation: Conversation): boolean => {
  if (request.tools === undefined || request.toolChoice === 'none') return false
  if (conversation.role === 'refine') return /^[\w.:-]+\(/.test(conversation.draft)
  return conversation.role === 'solve' && request.messages.at(-1)?.role !== 'tool'
}

const callReply = (
  request: GenerationRequest,
  question: string,
  right: boolean,
  random: Random,
): Reply => {
  const { name, parameters = {} } = chooseTool(request.tools!, request, question).function
  const given = JSON.stringify(
    instanceOf({ type: 'object', ...parameters }, question, right, random),
  )
  const id = `call_${random.integer(2 ** 31).toString(16)}`
  return {
    text: '',
    right,
    calls: [{ id, type: 'function', function: { name, arguments: given } }],
  }
}

/** Undefined where the request leaves the form open. */
export const formalReply = (
  request: GenerationRequest,
  conversation: Conversation,
  accuracy: number,
  random: Random,
): Reply | undefined => {
  const { question } = conversation
  const right = (): boolean => random.next() < accuracy
  if (calls(request, conversation)) return callReply(request, question, right(), random)
  const { constraint } = request
  if (constraint?.type === 'json_schema') {
    const isRight = right()
    const value = instanceOf({ type: 'object', ...constraint.schema }, question, isRight, random)
    return { text: JSON.stringify(value), right: isRight }
  }
  if (constraint?.type !== 'choice') return undefined
  const at = right() ? 0 : random.integer(constraint.choices.length)
  return { text: constraint.choices[at] ?? '', right: at === 0 }
}
