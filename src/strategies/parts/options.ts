/** Options that mean the same in every strategy, and their defaults. */
import { Type, type Static, type TObject, type TSchema } from 'typebox'
import { SCORERS, type ScorerName } from '../../core/scorer.ts'
import { validate } from '../../core/validation.ts'
import type { SimilarityName } from './similarity.ts'

type Bounds = {
  readonly default: number
  readonly minimum: number
  readonly maximum: number
  readonly description: string
}

export const integer = (bounds: Bounds) => Type.Optional(Type.Integer(bounds))
export const number = (bounds: Bounds) => Type.Optional(Type.Number(bounds))

export const samples = (byDefault: number) =>
  integer({ default: byDefault, minimum: 1, maximum: 256, description: 'Samples to draw.' })

export const rounds = (byDefault: number) =>
  integer({
    default: byDefault,
    minimum: 0,
    maximum: 16,
    description: 'Largest number of rounds of review and rewriting.',
  })

export const scorer = (byDefault: ScorerName) =>
  Type.Optional(
    Type.Enum([...SCORERS], { default: byDefault, description: 'What gives candidates a number.' }),
  )

export const modelIds = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
      default: [],
      maxItems: 32,
      description,
    }),
  )

export const similarity = () =>
  Type.Optional(
    Type.Enum(['word-overlap', 'rouge-l'] satisfies SimilarityName[], {
      default: 'word-overlap',
      description: 'How alike two answers are: F measure of their common words, or Rouge-L.',
    }),
  )

/** The one option without a default: absent, nothing stops early. */
export const threshold = () =>
  Type.Optional(
    Type.Number({
      minimum: -1_000_000,
      maximum: 100,
      description:
        'Stops as soon as a candidate reaches this score, in the scorer’s own units: judge 0 to 9, rewards and execution 0 to 1, confidences 0 to 100, likelihood up to 0. Absent: never.',
    }),
  )

type Settled<Schema extends TSchema> = {
  readonly [Name in keyof Static<Schema>]-?: Name extends 'threshold'
    ? number | undefined
    : NonNullable<Static<Schema>[Name]>
}

/** A run asks for its options several times. */
const settled = new WeakMap<object, { readonly schema: TObject; readonly options: object }>()

/** The options with every default filled in. @throws RefineError invalid_request naming what is wrong. */
export const settle = <Schema extends TObject>(
  schema: Schema,
  options: Static<Schema>,
): Settled<Schema> => {
  const known = settled.get(options)
  if (known?.schema === schema) return known.options as Settled<Schema>
  const filled = validate(schema, options, '/options') as Settled<Schema>
  settled.set(options, { schema, options: filled })
  return filled
}
