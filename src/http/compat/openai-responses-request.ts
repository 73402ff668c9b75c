/** Translates a request for a response into a run request; conversations are looked up in the runs that held them. */
import { invalidField, RefineError } from '../../core/errors.ts'
import { findErrors } from '../../core/validation.ts'
import type { RunState } from '../../core/run-state.ts'
import type { Message, Sampling } from '../../core/task.ts'
import type { RunRequest } from '../../runs/run-request.ts'
import {
  answerMessage,
  joinCalls,
  message,
  readItem,
  stateOf,
  type Lookup,
} from './openai-responses-input.ts'
import type { ShowMode } from './reasoning-text.ts'
import {
  Echo,
  ECHO_KEY,
  IGNORED_FIELDS,
  IGNORED_OF_REASONING,
  IGNORED_OF_TEXT,
  LOGPROBS,
  type ResponsesRequest,
} from './openai-responses-schema.ts'
import { toolsAndFormat } from './openai-responses-tools.ts'
import { chooseRun, isAbsent, presentFields, unsupported } from './run-choice.ts'

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
  return [...before, ...answerMessage(state.answer)]
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

/** Paths of what has no effect here. */
const ignoredFields = (body: ResponsesRequest): string[] => {
  const { include = [], reasoning = {}, text = {} } = body
  return [
    ...presentFields(body, IGNORED_FIELDS),
    ...(include.some((each) => each !== LOGPROBS) ? ['include'] : []),
    ...presentFields(reasoning, IGNORED_OF_REASONING).map((name) => `reasoning.${name}`),
    ...presentFields(text, IGNORED_OF_TEXT).map((name) => `text.${name}`),
  ]
}

const toEcho = (body: ResponsesRequest): Echo => {
  const { model, background, store, previous_response_id, temperature, top_p } = body
  const { effort, generate_summary, summary = generate_summary } = body.reasoning ?? {}
  const ignored = ignoredFields(body)
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
    tools: body.tools,
    tool_choice: body.tool_choice,
    parallel_tool_calls: body.parallel_tool_calls,
    format: body.text?.format,
    top_logprobs: body.top_logprobs,
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
  const said = joinCalls([...before, ...items.flat()])
  const messages = [...message('system', body.instructions ?? ''), ...said]
  if (messages.at(-1)?.role !== 'user' && messages.at(-1)?.role !== 'tool') {
    throw invalidField('/input', 'must end with a message of the user or the output of a call')
  }
  const effort = body.reasoning?.effort ?? undefined
  const known = new Set(lookup.runs.models().map(({ id }) => id))
  return {
    messages,
    sampling: samplingOf(body),
    ...toolsAndFormat(body),
    ...chooseRun({ model, refine, effort, unit: safety_identifier ?? user }, known),
    ...(body.background === true ? { background: true } : {}),
    metadata: { ...body.metadata, [ECHO_KEY]: toEcho(body) },
  }
}
