/** Translates a chat completion request into a run request. Pure. */
import { invalidField } from '../../core/errors.ts'
import type { Message, Sampling } from '../../core/task.ts'
import type { RunRequest } from '../../runs/run-request.ts'
import { IGNORED_FIELDS, type ChatMessage, type ChatRequest } from './openai-chat-schema.ts'
import {
  chooseRun,
  isAbsent,
  presentFields,
  toolResult,
  unsupported,
  withoutReasoning,
} from './run-choice.ts'

/** @throws RefineError unsupported_capability, naming the first field that asks for what no strategy can give. */
const refuseUnsupported = (body: ChatRequest): void => {
  if (body.n !== undefined && body.n !== 1) {
    throw invalidField('/n', 'must be 1: ask for a strategy such as best-of-n in its place')
  }
  if (body.tool_choice !== 'none') {
    for (const field of ['tools', 'functions'] as const) {
      if (!isAbsent(body[field])) throw unsupported(`/${field}`, 'tools are not supported')
    }
  }
  const format = body.response_format
  if (!isAbsent(format) && (format as { type?: unknown }).type !== 'text') {
    throw unsupported('/response_format', 'only {"type": "text"} is supported')
  }
  const modalities = body.modalities
  if (Array.isArray(modalities) && modalities.some((modality) => modality !== 'text')) {
    throw unsupported('/modalities', 'only "text" is supported')
  }
  for (const field of ['logprobs', 'audio', 'web_search_options'] as const) {
    if (!isAbsent(body[field])) throw unsupported(`/${field}`, 'is not supported')
  }
}

const textOf = ({ content }: ChatMessage, pointer: string): string => {
  if (content === undefined || content === null) return ''
  if (typeof content === 'string') return content
  return content
    .map(({ type, text }, at) => {
      if (type === 'refusal') return ''
      if (type === 'text' && text !== undefined) return text
      if (type === 'text') throw invalidField(`${pointer}/content/${at}/text`, 'is required')
      throw unsupported(
        `${pointer}/content/${at}/type`,
        `"${type}" parts are not supported, only "text"`,
      )
    })
    .join('')
}

const toMessage = (message: ChatMessage, at: number): Message[] => {
  const pointer = `/messages/${at}`
  const text = textOf(message, pointer)
  switch (message.role) {
    case 'system':
    case 'developer':
      return text === '' ? [] : [{ role: 'system', content: text }]
    case 'user':
      if (text === '') throw invalidField(`${pointer}/content`, 'must not be empty')
      return [{ role: 'user', content: text }]
    case 'assistant': {
      const calls = message.tool_calls === undefined ? '' : JSON.stringify(message.tool_calls)
      const content = withoutReasoning(text) + calls
      return content === '' ? [] : [{ role: 'assistant', content }]
    }
    case 'tool':
    case 'function':
      return [{ role: 'user', content: toolResult(text, message.tool_call_id ?? message.name) }]
  }
}

const samplingOf = (body: ChatRequest): Sampling => {
  const { temperature, top_p, stop } = body
  const maxTokens = body.max_completion_tokens ?? body.max_tokens
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(top_p === undefined ? {} : { top_p }),
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
    ...(stop === undefined ? {} : { stop: [stop].flat() }),
  }
}

const seedOf = (seed: number): number => ((seed % 2 ** 31) + 2 ** 31) % 2 ** 31

/**
 * @throws RefineError invalid_request or unsupported_capability, naming the field.
 */
export const toRunRequest = (body: ChatRequest, models: ReadonlySet<string>): RunRequest => {
  refuseUnsupported(body)
  const { model, refine, reasoning_effort: effort, safety_identifier, user } = body
  return {
    messages: body.messages.flatMap(toMessage),
    sampling: samplingOf(body),
    ...chooseRun({ model, refine, effort, unit: safety_identifier ?? user }, models),
    ...(body.seed === undefined ? {} : { seed: seedOf(body.seed) }),
    ...(body.metadata === undefined ? {} : { metadata: body.metadata }),
  }
}

/** Names of the fields in the body that have no effect here. */
export const ignoredFields = (body: ChatRequest): string[] => presentFields(body, IGNORED_FIELDS)
