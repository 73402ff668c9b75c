/** Parts a request may choose by their kind, each kind with options of its own. */
import { Type, type Static, type TObject, type TProperties } from 'typebox'
import { invalidField } from '../../core/errors.ts'
import { validate } from '../../core/validation.ts'

type Kinds = Readonly<Record<string, TProperties>>

export interface Part<Of extends Kinds> {
  readonly name: string
  readonly kinds: Of
  readonly byDefault: keyof Of & string
  readonly description: string
}

/** A part with its options settled. */
export type Chosen<Of extends Kinds> = {
  readonly [Kind in keyof Of & string]: { readonly kind: Kind } & {
    readonly [Name in keyof Static<TObject<Of[Kind]>>]-?: NonNullable<
      Static<TObject<Of[Kind]>>[Name]
    >
  }
}[keyof Of & string]

/** What the options of each kind look like, for those who make forms of them. */
export const kindSchemas = (kinds: Kinds): Readonly<Record<string, TObject>> =>
  Object.fromEntries(
    Object.entries(kinds).map(([kind, properties]) => [kind, strict(properties, kind)]),
  )

const strict = (properties: TProperties, kind: string): TObject =>
  Type.Object({ kind: Type.Literal(kind), ...properties }, { additionalProperties: false })

/**
 * The schema of a part: its kind is checked there, the options of the kind by `choose`, which can say which one is
 * wrong. They are listed by kind under `x-kinds`.
 */
export const partSchema = <Of extends Kinds>({ kinds, byDefault, description }: Part<Of>) =>
  Type.Optional(
    Type.Object(
      { kind: Type.Enum(Object.keys(kinds)) },
      {
        default: { kind: byDefault },
        description,
        'x-kinds': kindSchemas(kinds),
      },
    ),
  )

/** `pointer`: where it was chosen. @throws RefineError invalid_request naming the option of the part that is wrong. */
export const choose = <Of extends Kinds>(
  part: Pick<Part<Of>, 'name' | 'kinds'>,
  given: { readonly kind: string },
  pointer = `/options/${part.name}`,
): Chosen<Of> => {
  const properties = part.kinds[given.kind]
  if (properties === undefined) {
    const known = Object.keys(part.kinds).join(', ')
    throw invalidField(`${pointer}/kind`, `must be one of ${known}`)
  }
  return validate(strict(properties, given.kind), given, pointer) as Chosen<Of>
}

/** The options of every part are written in this form. */
export type Menu = Part<Readonly<Record<string, TProperties>>>
