/** The response object, as it is now: what the SDKs read at the start of a stream, at its end and by its id. Pure. */
import type { ToolCall } from '../../core/tools.ts'
import { describeError, toRefineError } from '../../core/errors.ts'
import type { RunEvent } from '../../core/event.ts'
import { idFor } from './openai-responses-request.ts'
import { ECHO_KEY, type Echo } from './openai-responses-schema.ts'
import type {
  CallItem,
  MessageItem,
  OutputItem,
  ResponseEventType,
  ResponseStatus,
  TextPart,
} from './openai-responses-reply.ts'
import type { RunAccount } from './run-account.ts'

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>

export interface ResponseEvent {
  readonly type: ResponseEventType | 'error'
  readonly sequence_number: number
  readonly [field: string]: unknown
}

export const callItem = (
  { id: call_id, function: { name, arguments: given } }: ToolCall,
  id: string,
): CallItem => ({ type: 'function_call', id, call_id, name, arguments: given, status: 'completed' })

export const textPart = (text: string): TextPart => ({
  type: 'output_text',
  text,
  annotations: [],
  logprobs: [],
})

export const emptyMessage = (id: string): MessageItem => ({
  type: 'message',
  id,
  role: 'assistant',
  status: 'in_progress',
  content: [textPart('')],
})

const usageOf = ({ tokens }: RunAccount) => ({
  input_tokens: tokens.input,
  input_tokens_details: { cached_tokens: tokens.cached, cache_write_tokens: 0 },
  output_tokens: tokens.output,
  output_tokens_details: { reasoning_tokens: tokens.reasoning },
  total_tokens: tokens.input + tokens.output,
})

const INCOMPLETE = { length: 'max_output_tokens', content_filter: 'content_filter' } as const

/** Null unless the answer itself was cut short. */
export const incompleteReason = (account: RunAccount): string | null => {
  const reason = account.finishReason
  return reason === 'length' || reason === 'content_filter' ? INCOMPLETE[reason] : null
}

interface End {
  readonly status: ResponseStatus
  readonly error: { readonly code: string; readonly message: string } | null
  /** Undefined when there is no answer. */
  readonly text: string | undefined
}

/** How a run that has ended is told. */
export const endOf = (account: RunAccount): End => {
  const wasCancelled = account.status === 'cancelled'
  try {
    const { text } = account
    const isCut = incompleteReason(account) !== null
    const status = wasCancelled ? 'cancelled' : isCut ? 'incomplete' : 'completed'
    return { status, error: null, text }
  } catch (thrown) {
    if (wasCancelled) return { status: 'cancelled', error: null, text: undefined }
    return { status: 'failed', error: describeError(toRefineError(thrown)), text: undefined }
  }
}

export const seconds = (at: string): number => Math.floor(Date.parse(at) / 1000)

export interface ResponseParts {
  readonly created: EventOf<'run.created'>
  readonly echo: Echo
  readonly instructions: string | null
  readonly status: ResponseStatus
  readonly output: readonly OutputItem[]
  readonly account: RunAccount
  /** ISO 8601, null while the run goes on. */
  readonly endedAt: string | null
  readonly error: { readonly code: string; readonly message: string } | null
}

const outcomeOf = ({ status, account, endedAt, error }: ResponseParts) => {
  const isOver = endedAt !== null
  return {
    status,
    completed_at: isOver && status === 'completed' ? seconds(endedAt) : null,
    error,
    incomplete_details: status === 'incomplete' ? { reason: incompleteReason(account) } : null,
    usage: isOver ? usageOf(account) : null,
    refine: account.refine,
  }
}

export const toResponse = (parts: ResponseParts) => {
  const { created, echo, instructions, output } = parts
  const { [ECHO_KEY]: _, ...metadata } = created.metadata
  return {
    id: idFor('resp', created.run_id),
    object: 'response',
    created_at: seconds(created.at),
    ...outcomeOf(parts),
    background: echo.background ?? false,
    instructions,
    max_output_tokens: echo.max_output_tokens ?? null,
    max_tool_calls: null,
    metadata,
    model: echo.model ?? created.model,
    output: structuredClone(output),
    parallel_tool_calls: echo.parallel_tool_calls ?? true,
    previous_response_id: echo.previous_response_id ?? null,
    reasoning: { effort: echo.effort ?? null, summary: echo.summary ?? null },
    store: echo.store ?? true,
    temperature: echo.temperature ?? null,
    text: { format: echo.format ?? { type: 'text' } },
    tool_choice: echo.tool_choice ?? 'auto',
    tools: echo.tools ?? [],
    top_logprobs: echo.top_logprobs ?? 0,
    top_p: echo.top_p ?? null,
    truncation: 'disabled',
  }
}
export type ResponseObject = ReturnType<typeof toResponse>
