/** When an experiment is over, and who gets which arm until then. Wire data: snake_case. */
import { Type, type Static } from 'typebox'
import { SPENDINGS, type Spending } from './group-sequential.ts'

const closed = { additionalProperties: false } as const

const spending = {
  number: Type.Integer({
    minimum: 2,
    maximum: 20,
    description: 'How often is looked, at equal steps of the units.',
  }),
  spending: Type.Optional(
    Type.Enum([...SPENDINGS], {
      default: 'obrien_fleming',
      description:
        'How fast α is spent: hardly any of it early, about the same at each look, or αtᵉ by the share t of the units.',
    }),
  ),
  exponent: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, maximum: 10, default: 2, description: 'e of `power`.' }),
  ),
}

/** Looks whose units planning has still to tell. */
export const LooksToPlan = Type.Object(spending, closed)

export const PlannedLooks = Type.Object(
  {
    ...spending,
    units: Type.Integer({
      minimum: 4,
      description:
        'At the last look: units of all arms with a value of the first primary metric. Planning tells how many it takes.',
    }),
  },
  closed,
)
export type PlannedLooks = Static<typeof PlannedLooks>

export const withSpending = <Looks extends Static<typeof LooksToPlan>>(
  looks: Looks,
): Looks & Spending => ({
  ...looks,
  spending: looks.spending ?? 'obrien_fleming',
  exponent: looks.exponent ?? 2,
})

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
    planned_looks: Type.Optional({
      ...PlannedLooks,
      description:
        'Decides at these looks alone (group-sequential): fewer units than looking at any time takes, but none to spare.',
    }),
  },
  closed,
)
export type StopRule = Static<typeof StopRule>

/** With nothing left open. */
export type FilledStopRule = Omit<StopRule, 'planned_looks'> &
  Required<Pick<StopRule, 'alpha' | 'tuned_for' | 'minimum_units'>> & {
    readonly planned_looks?: Required<PlannedLooks>
  }

export const fillStopRule = ({ planned_looks: looks, ...rule }: StopRule = {}): FilledStopRule => ({
  alpha: 0.05,
  tuned_for: 5000,
  minimum_units: 100,
  ...rule,
  ...(looks && { planned_looks: withSpending(looks) }),
})

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
