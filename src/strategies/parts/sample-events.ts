/** How what a model writes is told, whichever sampler called it. */
import type { FinishReason, StrategyEvent, TokenLogprob } from '../../core/event.ts'
import type { TokenLogProbability } from '../../core/language-model.ts'
import type { ToolCall } from '../../core/tools.ts'
import type { Refinement } from '../compose.ts'

type Completed = Extract<StrategyEvent, { type: 'candidate.completed' }>

/** As the wire has it. */
const logprobOf = (
  { text, logProbability, alternatives }: TokenLogProbability,
  count: number,
): TokenLogprob => ({
  token: text,
  logprob: logProbability,
  top_logprobs: alternatives.slice(0, count).map((other) => ({
    token: other.text,
    logprob: other.logProbability,
  })),
})

export interface Told {
  readonly text: string
  readonly logprobs?: TokenLogprob[]
}

/** What a delta says: its text, and what the run's caller wishes to see of its tokens; undefined where that is nothing. */
export const toldOf = (
  { task: { topLogProbabilities: count } }: Refinement,
  text: string,
  tokens: readonly TokenLogProbability[] = [],
): Told | undefined => {
  if (count !== undefined && tokens.length > 0)
    return { text, logprobs: tokens.map((token) => logprobOf(token, count)) }
  return text === '' ? undefined : { text }
}

/** How a candidate ended. */
export interface Ending {
  readonly reason: FinishReason
  readonly stopString: string | undefined
  readonly outputTokens: number
  readonly toolCalls?: ToolCall[] | undefined
}

export const completedBy = (
  candidate: number,
  { reason, stopString, outputTokens, toolCalls }: Ending,
): Completed => ({
  type: 'candidate.completed',
  candidate,
  finish_reason: reason,
  ...(stopString === undefined ? {} : { stop_string: stopString }),
  usage: { output_tokens: outputTokens },
  ...(toolCalls === undefined ? {} : { tool_calls: toolCalls }),
})
