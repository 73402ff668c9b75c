/** What those who watch a run may ask of it while it goes on. Wire data (the events are), hence snake_case. */
import { Type, type Static, type TSchema } from 'typebox'
import { Budget } from './budget.ts'

const action = <Name extends string, Properties extends Record<string, TSchema>>(
  name: Name,
  description: string,
  properties: Properties,
) =>
  Type.Object(
    { action: Type.Literal(name), ...properties },
    { additionalProperties: false, description },
  )

const Candidate = Type.Integer({ minimum: 0, description: 'Number of a candidate of the run.' })

/** One schema per action, so that an error is about that action only. */
export const STEERING = {
  accept: action('accept', 'Stop: the answer there is now is good enough.', {}),
  budget: action(
    'budget',
    'New limits, unit by unit, for the whole run; others stay as they are.',
    {
      budget: Budget,
    },
  ),
  hint: action('hint', 'Advice for the rounds to come.', {
    text: Type.String({ minLength: 1, maxLength: 4000 }),
  }),
  drop: action('drop', 'Follow this candidate no further. Not for the current answer.', {
    candidate: Candidate,
  }),
  mark: action('mark', 'This step of the candidate is wrong.', {
    candidate: Candidate,
    step: Type.Integer({ minimum: 1, maximum: 10_000, description: 'Counted from 1.' }),
  }),
} as const

export const Steering = Type.Union(
  [STEERING.accept, STEERING.budget, STEERING.hint, STEERING.drop, STEERING.mark],
  { $id: 'Steering' },
)
export type Steering = Static<typeof Steering>

/**
 * What a strategy sees of it. It may look whenever it begins something new, and never has to; what it reads is the same
 * in a replay only if the run is steered at the same events.
 */
export interface SteeringView {
  /** All hints so far, oldest first. */
  hints(): readonly string[]
  isDropped(candidate: number): boolean
  /** The step of the candidate that was last marked as wrong, from 1. */
  markedStep(candidate: number): number | undefined
}

/** The view of a run that nobody steers. */
export const NOT_STEERED: SteeringView = {
  hints: () => [],
  isDropped: () => false,
  markedStep: () => undefined,
}
