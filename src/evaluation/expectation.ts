/** What somebody expects of an evaluation, written down before it is run: one arm against another. */
import { Type, type Static } from 'typebox'
import { invalidField } from '../core/errors.ts'
import { validate } from '../core/validation.ts'
import type { Arm } from './arm.ts'

export const Expectation = Type.Object(
  {
    claim: Type.String({ minLength: 1, maxLength: 256 }),
    arm: Type.String({ minLength: 1 }),
    against: Type.String({ minLength: 1 }),
    expect: Type.Enum(['above', 'below', 'kept'], {
      description: 'More accurate, less accurate, or less accurate by no more than the margin.',
    }),
    margin: Type.Optional(
      Type.Number({
        default: 0.05,
        exclusiveMinimum: 0,
        maximum: 1,
        description: 'For `kept`, as a share.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type Expectation = Static<typeof Expectation>

/** @throws RefineError invalid_request naming the field that is wrong, or the arm that there is not. */
export const readExpectations = (
  given: readonly unknown[],
  arms: readonly Arm[],
): readonly Expectation[] =>
  given.map((each, at) => {
    const expectation = validate(Expectation, each, `/expectations/${at}`)
    for (const field of ['arm', 'against'] as const) {
      if (arms.some(({ name }) => name === expectation[field])) continue
      throw invalidField(`/expectations/${at}/${field}`, `there is no arm "${expectation[field]}"`)
    }
    return expectation
  })
