/** Translates a chat completion request into a run request. Pure. */
import { invalidField } from '../../core/errors.ts'
import type { Sampling } from '../../core/task.ts'
import type { RunRequest } from '../../runs/run-request.ts'
import { readChatMessage } from './openai-chat-messages.ts'
import { IGNORED_FIELDS, SAMPLING_FIELDS, type ChatRequest } from './openai-chat-schema.ts'
import { chooseRun, isAbsent, presentFields, unsupported } from './run-choice.ts'
import { toolFields } from './tool-fields.ts'

/** @throws RefineError unsupported_capability, naming the first field that asks for what no strategy can give. */
const refuseUnsupported = (body: ChatRequest): void => {
  for (const field of ['functions', 'function_call'] as const) {
    if (isAbsent(body[field]) || body[field] === 'none') continue
    throw unsupported(`/${field}`, 'is not supported: use tools')
  }
  const modalities = body.modalities
  if (Array.isArray(modalities) && modalities.some((modality) => modality !== 'text')) {
    throw unsupported('/modalities', 'only "text" is supported')
  }
  for (const field of ['audio', 'web_search_options'] as const) {
    if (!isAbsent(body[field])) throw unsupported(`/${field}`, 'is not supported')
  }
}

const samplingOf = (body: ChatRequest): Sampling => {
  const { stop } = body
  const maxTokens = body.max_completion_tokens ?? body.max_tokens
  const names = Object.keys(SAMPLING_FIELDS) as (keyof typeof SAMPLING_FIELDS)[]
  const given = names.filter((name) => body[name] !== undefined)
  return {
    ...Object.fromEntries(given.map((name) => [name, body[name]])),
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
    ...(stop === undefined ? {} : { stop: [stop].flat() }),
  }
}

/** Of the k-th choice, counted from 0, where the request has a seed. */
export const seedOf = (seed: number, choice = 0): number =>
  (((seed + choice) % 2 ** 31) + 2 ** 31) % 2 ** 31

const choiceOf = ({ tool_choice: choice }: ChatRequest) => {
  if (typeof choice !== 'object' || choice.type !== 'allowed_tools') return choice
  const { mode, tools } = choice.allowed_tools
  const allowed = tools.map(({ function: { name } }, at) => ({
    pointer: `/tool_choice/allowed_tools/tools/${at}/function/name`,
    name,
  }))
  return { mode, allowed }
}

const logprobsOf = ({ logprobs, top_logprobs }: ChatRequest): Partial<RunRequest> => {
  if (logprobs === true) return { top_logprobs: top_logprobs ?? 0 }
  if (top_logprobs === undefined || top_logprobs === 0) return {}
  throw invalidField('/top_logprobs', 'needs `logprobs`')
}

/**
 * @throws RefineError invalid_request or unsupported_capability, naming the field.
 */
export const toRunRequest = (body: ChatRequest, models: ReadonlySet<string>): RunRequest => {
  refuseUnsupported(body)
  const { model, refine, reasoning_effort: effort, safety_identifier, user } = body
  return {
    messages: body.messages.flatMap(readChatMessage),
    sampling: samplingOf(body),
    ...toolFields(body.tools ?? [], choiceOf(body), body.parallel_tool_calls),
    ...logprobsOf(body),
    ...(body.response_format === undefined ? {} : { response_format: body.response_format }),
    ...chooseRun({ model, refine, effort, unit: safety_identifier ?? user }, models),
    ...(body.seed === undefined ? {} : { seed: seedOf(body.seed) }),
    ...(body.metadata === undefined ? {} : { metadata: body.metadata }),
  }
}

/** Names of the fields in the body that have no effect here. */
export const ignoredFields = (body: ChatRequest): string[] => presentFields(body, IGNORED_FIELDS)
