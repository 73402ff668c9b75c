/** Reads input items as messages; those that name an item of an earlier response are looked up in its run. */
import { Type } from 'typebox'
import type { ContentPart } from '../../core/conversation.ts'
import { invalidField, RefineError } from '../../core/errors.ts'
import type { Answer } from '../../core/event.ts'
import type { RunState } from '../../core/run-state.ts'
import type { Message } from '../../core/task.ts'
import type { ToolCall } from '../../core/tools.ts'
import { validate } from '../../core/validation.ts'
import type { RunService } from '../../runs/run-service.ts'
import { Item } from './openai-responses-schema.ts'
import { required, unsupported, withoutReasoning } from './run-choice.ts'
import { assistantTurn, contentOf, textOfParts } from './turns.ts'

const TEXT_PARTS = ['input_text', 'output_text', 'text']

type Part = Exclude<Item['content'], string | null | undefined>[number]

const readPart = ({ type, text, image_url: url, detail }: Part, pointer: string): ContentPart[] => {
  if (type === 'refusal') return []
  if (type === 'input_image') {
    // Files of an earlier upload would have an id in place of an address; there are none here.
    if (typeof url !== 'string') throw invalidField(`${pointer}/image_url`, 'is required')
    return [{ type: 'image_url', image_url: detail === undefined ? { url } : { url, detail } }]
  }
  if (!TEXT_PARTS.includes(type)) {
    throw unsupported(`${pointer}/type`, `"${type}" parts are not supported`)
  }
  return [{ type: 'text', text: required(text, `${pointer}/text`) }]
}

const readContent = ({ content }: Item, pointer: string): string | ContentPart[] => {
  if (content === undefined || content === null) return ''
  if (typeof content === 'string') return content
  return contentOf(content.flatMap((part, at) => readPart(part, `${pointer}/content/${at}`)))
}

const textOf = (item: Item, pointer: string): string => {
  const content = readContent(item, pointer)
  return typeof content === 'string' ? content : textOfParts(content)
}

/** Where a conversation is looked up, and for whom. */
export interface Lookup {
  readonly runs: RunService
  readonly owner: string
}

/** @throws RefineError `unknown` when there is no such run. */
export const stateOf = async (
  runId: string,
  { runs, owner }: Lookup,
  unknown: RefineError,
): Promise<RunState> => {
  try {
    return await runs.get(runId, owner)
  } catch (error) {
    throw error instanceof RefineError && error.code === 'run_not_found' ? unknown : error
  }
}

export const message = (role: Message['role'], content: string | ContentPart[]): Message[] =>
  content === '' ? [] : [{ role, content }]

/** An answer as a message of a conversation that goes on. */
export const answerMessage = (answer: Answer | null): Message[] =>
  assistantTurn(answer?.text ?? '', answer?.tool_calls)

const readMessage = (item: Item, pointer: string): Message[] => {
  const content = readContent(item, pointer)
  switch (item.role) {
    case 'user':
      if (content === '') throw invalidField(`${pointer}/content`, 'must not be empty')
      return message('user', content)
    case 'assistant':
      return message('assistant', withoutReasoning(textOf(item, pointer)))
    case 'system':
    case 'developer':
      return message('system', content)
    case undefined:
    default:
      throw invalidField(`${pointer}/role`, 'is required')
  }
}

/** Clients may name an item of an earlier response in place of its text; all but answers have none that counts. */
const readReference = async (item: Item, pointer: string, lookup: Lookup): Promise<Message[]> => {
  const [, kind, name] = /^(msg|rs)_(\w+)$/.exec(item.id ?? '') ?? []
  if (kind === 'rs') return []
  if (name === undefined) throw invalidField(`${pointer}/id`, 'is not an item of a response')
  const unknown = invalidField(`${pointer}/id`, 'is not an item of a response that is stored')
  const { answer } = await stateOf(`run_${name}`, lookup, unknown)
  return answerMessage(answer)
}

/** A text, or text parts; whatever else a tool gave, as JSON. */
const asText = (output: unknown): string => {
  if (typeof output === 'string') return output
  const texts = Array.isArray(output)
    ? (output as Part[]).map((part) => (TEXT_PARTS.includes(part?.type) ? part.text : undefined))
    : [undefined]
  return texts.every((text) => text !== undefined) ? texts.join('') : JSON.stringify(output ?? '')
}

const readCall = ({ call_id: id, name, arguments: given }: Item, pointer: string): ToolCall => ({
  id: required(id, `${pointer}/call_id`),
  type: 'function',
  function: { name: required(name, `${pointer}/name`), arguments: given ?? '{}' },
})

/** Calls of one turn are items of their own, but one message: results follow the message that asked for them. */
export const joinCalls = (messages: readonly Message[]): Message[] =>
  messages.reduce<Message[]>((joined, next) => {
    const last = joined.at(-1)
    if (last?.role === 'assistant' && next.tool_calls !== undefined && next.content === null) {
      const calls = [...(last.tool_calls ?? []), ...next.tool_calls]
      joined[joined.length - 1] = { ...last, tool_calls: calls }
    } else joined.push(next)
    return joined
  }, [])

export const readItem = async (item: Item, at: number, lookup: Lookup): Promise<Message[]> => {
  const pointer = `/input/${at}`
  switch (item.type ?? 'message') {
    case 'message':
      return readMessage(item, pointer)
    case 'reasoning':
      return []
    case 'item_reference':
      return readReference(item, pointer, lookup)
    case 'function_call':
      return [{ role: 'assistant', content: null, tool_calls: [readCall(item, pointer)] }]
    case 'function_call_output': {
      const tool_call_id = required(item.call_id, `${pointer}/call_id`)
      return [{ role: 'tool', content: asText(item.output), tool_call_id }]
    }
    default:
      throw unsupported(`${pointer}/type`, `items of type "${item.type}" are not supported`)
  }
}

export const SteeringInput = Type.Union([
  Type.String({ minLength: 1 }),
  Type.Array(Item, { minItems: 1, maxItems: 100 }),
])

/** What `response.steer` says, as one text. @throws RefineError naming the field. */
export const toSteeringText = (input: unknown): string => {
  const items = validate(SteeringInput, input, '/input')
  if (typeof items === 'string') return items
  return items
    .map((item, at) => {
      if (item.role !== 'user') throw invalidField(`/input/${at}/role`, 'must be "user"')
      return textOf(item, `/input/${at}`)
    })
    .join('\n\n')
}
