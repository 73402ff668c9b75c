/** Reads input items as messages; those that name an item of an earlier response are looked up in its run. */
import { Type } from 'typebox'
import { invalidField, RefineError } from '../../core/errors.ts'
import type { RunState } from '../../core/run-state.ts'
import type { Message } from '../../core/task.ts'
import { validate } from '../../core/validation.ts'
import type { RunService } from '../../runs/run-service.ts'
import { Item } from './openai-responses-schema.ts'
import { toolResult, unsupported, withoutReasoning } from './run-choice.ts'

const TEXT_PARTS = ['input_text', 'output_text', 'text']

const textOf = ({ content }: Item, pointer: string): string => {
  if (content === undefined || content === null) return ''
  if (typeof content === 'string') return content
  return content
    .map(({ type, text }, at) => {
      if (type === 'refusal') return ''
      if (!TEXT_PARTS.includes(type)) {
        throw unsupported(`${pointer}/content/${at}/type`, `"${type}" parts are not supported`)
      }
      if (text === undefined) throw invalidField(`${pointer}/content/${at}/text`, 'is required')
      return text
    })
    .join('')
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

export const message = (role: Message['role'], content: string): Message[] =>
  content === '' ? [] : [{ role, content }]

const readMessage = (item: Item, pointer: string): Message[] => {
  const text = textOf(item, pointer)
  switch (item.role) {
    case 'user':
      if (text === '') throw invalidField(`${pointer}/content`, 'must not be empty')
      return message('user', text)
    case 'assistant':
      return message('assistant', withoutReasoning(text))
    case 'system':
    case 'developer':
      return message('system', text)
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
  return message('assistant', answer?.text ?? '')
}

const asText = (output: unknown): string =>
  typeof output === 'string' ? output : JSON.stringify(output ?? '')

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
      return message('assistant', JSON.stringify([item]))
    case 'function_call_output':
      return message('user', toolResult(asText(item.output), item.call_id))
    default:
      throw unsupported(`${pointer}/type`, `items of type "${item.type}" are not supported`)
  }
}

const SteeringInput = Type.Union([
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
