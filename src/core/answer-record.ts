/** What is kept and told of an answer. Wire data, hence snake_case. */
import { Type, type Static } from 'typebox'
import { ToolCall } from './tools.ts'

/** Absent where there are none. */
export const ToolCalls = Type.Optional(
  Type.Array(ToolCall, { description: 'What it asks the caller to call; nothing is called here.' }),
)

const Token = { token: Type.String(), logprob: Type.Number() }

/** A token of a candidate with the natural logarithm of its probability, as OpenAI's. */
export const TokenLogprob = Type.Object(
  { ...Token, top_logprobs: Type.Array(Type.Object(Token)) },
  { $id: 'TokenLogprob' },
)
export type TokenLogprob = Static<typeof TokenLogprob>

export const Answer = Type.Object(
  {
    text: Type.String(),
    tool_calls: ToolCalls,
    candidate: Type.Integer({
      minimum: 0,
      description: 'Counted from 0 in order of creation.',
    }),
    revision: Type.Integer({ minimum: 1 }),
    score: Type.Union([Type.Number(), Type.Null()]),
  },
  { $id: 'Answer' },
)
export type Answer = Static<typeof Answer>

/** What a score is made of, in its range. */
export const Aspects = Type.Array(Type.Object({ aspect: Type.String(), score: Type.Number() }), {
  description: 'What the score is made of, where its scorer looks at several aspects.',
})
