/** The response object, as it is now: what the SDKs read at the start of a stream, at its end and by its id. Pure. */
import type { RunEvent } from '../../core/event.ts'
import { idFor } from './openai-responses-request.ts'
import { ECHO_KEY, type Echo } from './openai-responses-schema.ts'
import type { RunAccount } from './run-account.ts'

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>

export type ResponseStatus =
  | 'queued'
  | 'in_progress'
  | 'completed'
  | 'incomplete'
  | 'failed'
  | 'cancelled'

interface SummaryPart {
  readonly type: 'summary_text'
  text: string
}

export interface ReasoningItem {
  readonly type: 'reasoning'
  readonly id: string
  status: 'in_progress' | 'completed'
  readonly summary: SummaryPart[]
}

interface TextPart {
  readonly type: 'output_text'
  text: string
  readonly annotations: readonly never[]
  readonly logprobs: readonly never[]
}

export interface MessageItem {
  readonly type: 'message'
  readonly id: string
  readonly role: 'assistant'
  status: 'in_progress' | 'completed' | 'incomplete'
  readonly content: TextPart[]
}

export type OutputItem = ReasoningItem | MessageItem

export const textPart = (text: string): TextPart => ({
  type: 'output_text',
  text,
  annotations: [],
  logprobs: [],
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
    parallel_tool_calls: false,
    previous_response_id: echo.previous_response_id ?? null,
    reasoning: { effort: echo.effort ?? null, summary: echo.summary ?? null },
    store: echo.store ?? true,
    temperature: echo.temperature ?? null,
    text: { format: { type: 'text' } },
    tool_choice: 'none',
    tools: [],
    top_logprobs: 0,
    top_p: echo.top_p ?? null,
    truncation: 'disabled',
  }
}
export type ResponseObject = ReturnType<typeof toResponse>
