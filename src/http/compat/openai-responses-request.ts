/** Translates a request for a response into a run request; conversations are looked up in the runs that held them. */
import { invalidField, RefineError } from '../../core/errors.ts'
import { findErrors } from '../../core/validation.ts'
import type { RunState } from '../../core/run-state.ts'
import type { Message, Sampling } from '../../core/task.ts'
import type { RunRequest } from '../../runs/run-request.ts'
import type { RunService } from '../../runs/run-service.ts'
import type { ShowMode } from './reasoning-text.ts'
import {
  Echo,
  ECHO_KEY,
  IGNORED_FIELDS,
  type Item,
  type ResponsesRequest,
} from './openai-responses-schema.ts'
import {
  chooseRun,
  isAbsent,
  presentFields,
  toolResult,
  unsupported,
  withoutReasoning,
} from './run-choice.ts'

/** The id of a response, an item or a message, made from that of its run, and back. */
export const idFor = (prefix: string, runId: string): string =>
  `${prefix}_${runId.replace(/^run_/, '')}`

/** @throws RefineError run_not_found for an id that no response can have. */
export const runIdOf = (responseId: string): string => {
  const name = /^resp_(\w+)$/.exec(responseId)?.[1]
  if (name === undefined) throw responseNotFound(responseId)
  return `run_${name}`
}

export const responseNotFound = (id: string, param?: string): RefineError =>
  new RefineError(
    'run_not_found',
    `There is no response "${id}".`,
    param === undefined ? {} : { param },
  )

/** What was kept of the request; nothing for a run that came in another way. */
export const echoOf = (metadata: Readonly<Record<string, unknown>>): Echo => {
  const echo = metadata[ECHO_KEY]
  return echo !== undefined && findErrors(Echo, echo).length === 0 ? (echo as Echo) : {}
}

/** @throws RefineError unsupported_capability, naming the first field that asks for what no strategy can give. */
const refuseUnsupported = (body: ResponsesRequest): void => {
  if (body.tool_choice !== 'none' && !isAbsent(body.tools)) {
    throw unsupported('/tools', 'tools are not supported')
  }
  const format = body.text?.format
  if (!isAbsent(format) && (format as { type?: unknown }).type !== 'text') {
    throw unsupported('/text/format', 'only {"type": "text"} is supported')
  }
  if (!isAbsent(body.conversation)) {
    throw unsupported('/conversation', 'use previous_response_id in its place')
  }
  if (!isAbsent(body.prompt)) throw unsupported('/prompt', 'stored prompts are not supported')
  if (body.background === true && body.store === false) {
    throw invalidField('/store', 'a response in the background has to be stored')
  }
  if (body.metadata !== undefined && Object.hasOwn(body.metadata, ECHO_KEY)) {
    throw invalidField(`/metadata/${ECHO_KEY}`, 'is reserved')
  }
}

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
const stateOf = async (
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

const message = (role: Message['role'], content: string): Message[] =>
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

const readItem = async (item: Item, at: number, lookup: Lookup): Promise<Message[]> => {
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

/** The conversation of a run without its instructions, as the messages that were sent. */
export const conversationOf = (state: RunState, request: RunRequest): Message[] => {
  const messages = request.messages ?? message('user', request.input ?? '')
  return echoOf(state.metadata).instructed === true ? messages.slice(1) : [...messages]
}

const previousMessages = async (id: string, { runs, owner }: Lookup): Promise<Message[]> => {
  const param = 'previous_response_id'
  const runId = runIdOf(id)
  const state = await stateOf(runId, { runs, owner }, responseNotFound(id, param))
  if (state.ended_at === null) {
    throw new RefineError('conflict', `The response "${id}" is still in progress.`, { param })
  }
  if (state.answer === null) {
    throw invalidField(`/${param}`, 'names a response without an answer')
  }
  const before = conversationOf(state, await runs.request(runId, owner))
  return [...before, ...message('assistant', state.answer.text)]
}

const samplingOf = ({
  temperature,
  top_p,
  max_output_tokens: max,
}: ResponsesRequest): Sampling => ({
  ...(temperature === undefined ? {} : { temperature }),
  ...(top_p === undefined ? {} : { top_p }),
  ...(max === undefined ? {} : { max_tokens: max }),
})

const SHOWN: Readonly<Record<string, ShowMode>> = { concise: 'status', detailed: 'full' }

const toEcho = (body: ResponsesRequest): Echo => {
  const { model, background, store, previous_response_id, temperature, top_p } = body
  const { effort, summary } = body.reasoning ?? {}
  const ignored = presentFields(body, IGNORED_FIELDS)
  const kept = {
    model,
    show: body.refine?.show ?? SHOWN[summary ?? ''],
    instructed: (body.instructions ?? '') === '' ? undefined : true,
    background: background === true ? true : undefined,
    store: store === false ? false : undefined,
    previous_response_id,
    temperature,
    top_p,
    max_output_tokens: body.max_output_tokens,
    effort: effort ?? undefined,
    summary: summary ?? undefined,
    ignored: ignored.length === 0 ? undefined : ignored,
  }
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)) as Echo
}

/**
 * @throws RefineError invalid_request or unsupported_capability, naming the field; run_not_found or conflict about
 * `previous_response_id`.
 */
export const toRunRequest = async (body: ResponsesRequest, lookup: Lookup): Promise<RunRequest> => {
  refuseUnsupported(body)
  const { input, model, refine, previous_response_id: previous, user, safety_identifier } = body
  const before = previous === undefined ? [] : await previousMessages(previous, lookup)
  const items: Message[][] =
    typeof input === 'string'
      ? [[{ role: 'user', content: input }]]
      : await Promise.all(input.map((item, at) => readItem(item, at, lookup)))
  const messages = [...message('system', body.instructions ?? ''), ...before, ...items.flat()]
  if (messages.at(-1)?.role !== 'user') {
    throw invalidField('/input', 'must end with a message of the user: it is the question')
  }
  const effort = body.reasoning?.effort ?? undefined
  const known = new Set(lookup.runs.models().map(({ id }) => id))
  return {
    messages,
    sampling: samplingOf(body),
    ...chooseRun({ model, refine, effort, unit: safety_identifier ?? user }, known),
    metadata: { ...body.metadata, [ECHO_KEY]: toEcho(body) },
  }
}
