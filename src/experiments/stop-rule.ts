/** When an experiment is over, and who gets which arm until then. Wire data: snake_case. */
import { Type, type Static } from 'typebox'

const closed = { additionalProperties: false } as const

export const StopRule = Type.Object(
  {
    alpha: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 0.5, default: 0.05 })),
    tuned_for: Type.Optional(
      Type.Integer({
        minimum: 1,
        default: 5000,
        description: 'Units of two arms at which the intervals are tightest.',
      }),
    ),
    minimum_units: Type.Optional(
      Type.Integer({ minimum: 1, default: 100, description: 'Per arm, before any decision.' }),
    ),
    maximum_units: Type.Optional(
      Type.Integer({ minimum: 2, description: 'Of all arms; then the control is kept.' }),
    ),
    ends_at: Type.Optional(
      Type.String({ format: 'date-time', description: 'From then on the control is kept.' }),
    ),
  },
  closed,
)
export type StopRule = Static<typeof StopRule>

export const Allocation = Type.Object(
  {
    type: Type.Enum(['fixed', 'thompson', 'top_two', 'track_and_stop']),
    floor: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'Least share of an arm, below 1 / arms.',
      }),
    ),
    minimum_units: Type.Optional(
      Type.Integer({ minimum: 2, default: 100, description: 'Per arm, before it adapts.' }),
    ),
  },
  closed,
)
export type Allocation = Static<typeof Allocation>
