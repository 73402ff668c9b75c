/** Schema of what a run tells about itself at no extra cost, whatever the strategy. */
import { Type, type Static, type TSchema } from 'typebox'
import { BEHAVIOURS } from './behaviours.ts'

const Nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const Count = Type.Integer({ minimum: 0 })

export const MEASURES = {
  effective_answers: Nullable(
    Type.Number({
      description: 'exp of the entropy of the answers of all candidates, unweighted.',
    }),
  ),
  majority: Nullable(
    Type.Object(
      {
        answer: Type.String(),
        candidate: Type.Integer({
          minimum: 0,
          description: 'Counted from 0 in order of creation.',
        }),
        votes: Count,
        samples: Count,
        agrees: Type.Boolean({ description: 'Whether the run answered the same.' }),
        // Runs of earlier versions lack it.
        equal_spend_samples: Type.Optional(
          Type.Integer({
            minimum: 0,
            description:
              'Drafts that the tokens of the whole run would have paid for, at the mean price of a call of its generator: with `samples` below that, the vote knows less than one at the same spend would.',
          }),
        ),
      },
      { description: 'What a majority vote of the drafts alone would have said.' },
    ),
  ),
  collapse: Nullable(
    Type.Number({
      description: 'Share of the revisions that hardly differ from what they came from.',
    }),
  ),
  oscillation: Type.Boolean({
    description: 'Whether a revision went back to a version before the one it came from.',
  }),
  schema_valid: Nullable(
    Type.Boolean({
      description:
        'Whether the answer has the form that `response_format` or `tools` ask for; null when none does.',
    }),
  ),
  // Runs of earlier versions lack these.
  wasted_tokens: Type.Optional(
    Type.Integer({
      minimum: 0,
      description:
        'Of candidates that were given up or failed while they were written; an estimate of three bytes a token, since nobody counts what is cut off.',
    }),
  ),
  behaviours: Type.Optional(
    Type.Record(Type.Enum(BEHAVIOURS), Type.Optional(Count), {
      description: 'How often the completed candidates verify, backtrack and so on, by phrases.',
    }),
  ),
}
export const Measures = Type.Object(MEASURES, { $id: 'Measures' })
export type Measures = Static<typeof Measures>
