/** What is asked: a conversation and wishes for the sampling. Wire data, hence snake_case. */
import { Type, type Static } from 'typebox'
import { contentText, Message } from './conversation.ts'
import type { ResponseFormat } from './response-format.ts'
import type { Tool, ToolChoice } from './tools.ts'

export { Message }

export const ROLES = [
  'generator',
  'reviewer',
  'refiner',
  'judge',
  'outcome_reward',
  'process_reward',
  'embedder',
] as const

/** Which model does what in a run; a role without a model of its own falls to the run's model. */
export type Role = (typeof ROLES)[number]

export const Sampling = Type.Object(
  {
    temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 5 })),
    top_p: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
    top_k: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1_000_000, description: '0 keeps every token.' }),
    ),
    min_p: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'Drops tokens less likely than this share of the most likely one.',
      }),
    ),
    repetition_penalty: Type.Optional(
      Type.Number({
        minimum: 0.01,
        maximum: 10,
        description: 'Divides the logits of tokens that prompt or answer hold; 1 changes nothing.',
      }),
    ),
    presence_penalty: Type.Optional(
      Type.Number({
        minimum: -2,
        maximum: 2,
        description: 'Subtracted from the logits of tokens that the answer holds.',
      }),
    ),
    frequency_penalty: Type.Optional(
      Type.Number({
        minimum: -2,
        maximum: 2,
        description: 'Subtracted once for each time that the answer holds the token.',
      }),
    ),
    max_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    stop: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 16 }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Wishes for drafts; a strategy sets its own for reviews and scores.',
  },
)
export type Sampling = Static<typeof Sampling>

/** A conversation that ends with a message of the user or the results of tools, and how it should be answered. Immutable. */
export interface Task {
  readonly messages: readonly Message[]
  readonly sampling: Sampling
  readonly tools?: readonly Tool[]
  /** `auto` if absent. */
  readonly toolChoice?: ToolChoice
  /** Whether one answer may call several tools; so if absent. */
  readonly parallelToolCalls?: boolean
  readonly responseFormat?: ResponseFormat
  /** Number of alternatives told per token of a candidate, 0 to 20; absent: no log-probabilities. */
  readonly topLogProbabilities?: number
}

/** What of a task a strategy or a model may be unable to keep. */
export type TaskPart = 'images' | 'tools' | 'response_format'

/** Text of the last user message: the question as a scorer or a compact prompt sees it. */
export const questionOf = (task: Task): string => {
  const asked = task.messages.findLast(({ role }) => role === 'user')
  return asked === undefined ? '' : contentText(asked)
}

/** The task with other words for its question; images of the message stay. */
export const reworded = (task: Task, text: string): Task => {
  const at = task.messages.findLastIndex(({ role }) => role === 'user')
  const message = task.messages[at]
  if (message === undefined) return task
  const { content } = message
  const images = Array.isArray(content) ? content.filter(({ type }) => type !== 'text') : []
  const said = images.length === 0 ? text : [{ type: 'text' as const, text }, ...images]
  return { ...task, messages: task.messages.with(at, { ...message, content: said }) }
}
