/** How arms are compared on one prompt: wire data, hence snake_case. */
import { Type, type Static } from 'typebox'

export const EXPERIMENT_MODES = ['split', 'duel', 'shadow'] as const

export const DuelSettings = Type.Object(
  {
    judge: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'Model that compares the answers, blind and in both orders.',
    }),
    share: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1,
        default: 1,
        description: 'Share of the runs that are compared.',
      }),
    ),
    concurrency: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 64,
        default: 2,
        description: 'Duels at a time; one at a time within a budget of money.',
      }),
    ),
    cost: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description: 'Money for the other answers and the judge, of the whole phase.',
      }),
    ),
    maximum_duels: Type.Optional(Type.Integer({ minimum: 1, description: 'Of the whole phase.' })),
  },
  { additionalProperties: false },
)
export type DuelSettings = Static<typeof DuelSettings>
