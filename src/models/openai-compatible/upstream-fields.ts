/** Reads single fields of an upstream's chunks; anything may be missing or of another kind. */
import type { FinishReason } from '../../core/event.ts'
import type { TokenLogProbability } from '../../core/language-model.ts'
import { isRecord } from '../../core/validation.ts'

export type Fields = Readonly<Record<string, unknown>>

/** Finish reasons in use, OpenAI's and others', as ours; what is not here is `other`. */
export const FINISH: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  eos_token: 'stop',
  stop_sequence: 'stop',
  end_turn: 'stop',
  length: 'length',
  max_tokens: 'length',
  content_filter: 'content_filter',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
}
/** Finish reasons by which an upstream says that it failed. */
export const BROKEN = new Set(['error', 'abort'])

/** Text of a content field: a string, or a list of text parts. */
export const textOf = (content: unknown): string => {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part) => (isRecord(part) ? textOf(part['text']) : '')).join('')
}

/** A whole number that is not negative, or undefined for anything else. */
export const count = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.floor(value) : undefined

/** What ended the text, as vLLM, SGLang and llama.cpp tell it: a stop string, a token's id, or null; undefined: untold. */
const namedStop = (choice: Fields): unknown =>
  [choice['stop_reason'], choice['matched_stop'], choice['stopping_word']].find(
    (value) => value !== undefined,
  )

/** Which of the stop strings ended the text, where the upstream says so. */
export const metStop = (choice: Fields, stops: readonly string[]): string | undefined =>
  stops.find((stop) => stop === namedStop(choice))

/** The stop string that the upstream left out: the one it names, else the first asked for; none at an end of turn. */
export const droppedStop = (choice: Fields, stops: readonly string[], tail: string): string => {
  if (stops.some((stop) => tail.endsWith(stop))) return ''
  return namedStop(choice) === undefined ? (stops[0] ?? '') : (metStop(choice, stops) ?? '')
}

const tokenOf = (entry: unknown): TokenLogProbability[] => {
  if (!isRecord(entry) || typeof entry['logprob'] !== 'number') return []
  const others = Array.isArray(entry['top_logprobs']) ? entry['top_logprobs'] : []
  return [
    {
      text: textOf(entry['token']),
      logProbability: entry['logprob'],
      alternatives: others
        .flatMap(tokenOf)
        .map(({ text, logProbability }) => ({ text, logProbability })),
    },
  ]
}

/** Log-probabilities of the tokens of this delta; empty when there are none. */
export const tokensOf = (choice: Fields): TokenLogProbability[] => {
  const logprobs = choice['logprobs']
  const content = isRecord(logprobs) ? logprobs['content'] : undefined
  return Array.isArray(content) ? content.flatMap(tokenOf) : []
}
