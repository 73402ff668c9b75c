/** Candidates and revisions as the JSON of a run holds them: wire data, hence snake_case. */
import { Type, type Static } from 'typebox'
import {
  Aspects,
  CANDIDATE_ROLES,
  FINISH_REASONS,
  StopString,
  TokenLogprob,
  ToolCalls,
} from './event.ts'

export const Candidate = Type.Object(
  {
    candidate: Type.Integer(),
    parents: Type.Array(Type.Integer()),
    round: Type.Integer(),
    role: Type.Enum([...CANDIDATE_ROLES]),
    model: Type.String(),
    text: Type.String(),
    tool_calls: ToolCalls,
    logprobs: Type.Optional(Type.Array(TokenLogprob)),
    finish_reason: Type.Union([Type.Enum([...FINISH_REASONS, 'failed', 'dropped']), Type.Null()]),
    stop_string: StopString,
    scores: Type.Array(
      Type.Object({
        scorer: Type.String(),
        score: Type.Union([Type.Number(), Type.Null()]),
        steps: Type.Optional(Type.Array(Type.Number())),
        aspects: Type.Optional(Aspects),
      }),
    ),
    critiques: Type.Array(Type.String()),
  },
  { $id: 'Candidate' },
)
export type Candidate = Static<typeof Candidate>

export const Revision = Type.Object(
  {
    revision: Type.Integer({ minimum: 1 }),
    candidate: Type.Integer({ minimum: 0 }),
    text: Type.String(),
    tool_calls: ToolCalls,
    reason: Type.String(),
    score: Type.Union([Type.Number(), Type.Null()]),
  },
  { $id: 'Revision' },
)
export type Revision = Static<typeof Revision>
