/** Translates a chat completion request into a run request. Pure. */
import { invalidField, RefineError } from '../../core/errors.ts'
import type { Message, Sampling } from '../../core/task.ts'
import type { RunRequest } from '../../runs/run-request.ts'
import { IGNORED_FIELDS, type ChatMessage, type ChatRequest } from './openai-chat-schema.ts'

const unsupported = (pointer: string, message: string): RefineError =>
  new RefineError('unsupported_capability', `${pointer}: ${message}`, {
    fields: [{ pointer, message }],
  })

const isAbsent = (value: unknown): boolean =>
  value === undefined || value === false || (Array.isArray(value) && value.length === 0)

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

/** Reasoning that a user interface put into an earlier answer and sends back with it: it is not part of the answer. */
const REASONING =
  /<(think|thinking|reason|reasoning|thought)>.*?<\/\1>\s*|<details type="reasoning"[^>]*>.*?<\/details>\s*/gs

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
      const content = text.replaceAll(REASONING, '') + calls
      return content === '' ? [] : [{ role: 'assistant', content }]
    }
    case 'tool':
    case 'function': {
      const name = message.tool_call_id ?? message.name
      const source = name === undefined ? 'Result of a tool' : `Result of tool call ${name}`
      return [{ role: 'user', content: `${source}:\n${text}` }]
    }
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

const EXPERIMENT = 'experiment:'

type Choice = Pick<RunRequest, 'model' | 'strategy' | 'experiment'>

/** What a model's name stands for. Names of models may hold colons themselves, so a known one is taken as it is. */
const choiceOf = (name: string | undefined, models: ReadonlySet<string>): Choice => {
  if (name === undefined) return {}
  if (models.has(name)) return { model: name }
  if (name.startsWith(EXPERIMENT)) return { experiment: { key: name.slice(EXPERIMENT.length) } }
  const colon = name.lastIndexOf(':')
  return colon > 0 && models.has(name.slice(0, colon))
    ? { model: name.slice(0, colon), strategy: name.slice(colon + 1) }
    : { model: name }
}

const CALLS = { low: 4, medium: 16, high: 64, xhigh: 256 } as const

const effortOf = (
  effort: ChatRequest['reasoning_effort'],
): Pick<RunRequest, 'strategy' | 'budget'> => {
  if (effort === undefined || effort === 'max') return {}
  if (effort === 'none' || effort === 'minimal') return { strategy: 'single' }
  return { budget: { calls: CALLS[effort] } }
}

const seedOf = (seed: number): number => ((seed % 2 ** 31) + 2 ** 31) % 2 ** 31

/** The experiment with its unit: the one it names, else the user the request names. */
const experimentOf = (
  experiment: RunRequest['experiment'],
  { safety_identifier, user }: ChatRequest,
): Pick<RunRequest, 'experiment'> => {
  if (experiment === undefined) return {}
  const unit = experiment.unit ?? safety_identifier ?? user
  return { experiment: unit === undefined ? experiment : { ...experiment, unit } }
}

/**
 * @throws RefineError invalid_request or unsupported_capability, naming the field.
 */
export const toRunRequest = (body: ChatRequest, models: ReadonlySet<string>): RunRequest => {
  refuseUnsupported(body)
  const { show: _, experiment, ...refine } = body.refine ?? {}
  const choice = choiceOf(body.model, models)
  return {
    messages: body.messages.flatMap(toMessage),
    sampling: samplingOf(body),
    ...effortOf(body.reasoning_effort),
    ...choice,
    ...refine,
    ...experimentOf(experiment ?? choice.experiment, body),
    ...(body.seed === undefined ? {} : { seed: seedOf(body.seed) }),
    ...(body.metadata === undefined ? {} : { metadata: body.metadata }),
  }
}

/** Names of the fields in the body that have no effect here. */
export const ignoredFields = (body: ChatRequest): string[] =>
  IGNORED_FIELDS.filter((field) => body[field] !== undefined)

/** OpenAI takes null for "not given" in every optional field. */
export const withoutNulls = (body: unknown): unknown =>
  typeof body === 'object' && body !== null && !Array.isArray(body)
    ? Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))
    : body
