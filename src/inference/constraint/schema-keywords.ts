/** The keywords of JSON Schema that are understood, and those that are refused. */
import { Type } from 'typebox'

export const JSON_TYPES = [
  'null',
  'boolean',
  'integer',
  'number',
  'string',
  'array',
  'object',
] as const
export type JsonType = (typeof JSON_TYPES)[number]

/** The keywords that are understood; others are annotations. */
export interface ObjectSchema {
  readonly $ref?: string
  readonly type?: JsonType | readonly JsonType[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly allOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema
  readonly propertyNames?: Schema
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly prefixItems?: readonly Schema[]
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly uniqueItems?: boolean
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly multipleOf?: number
}
export type Schema = boolean | ObjectSchema

const Size = Type.Integer({ minimum: 0 })
const Sub = Type.Union([Type.Boolean(), Type.Object({})])
const Subs = Type.Array(Sub, { minItems: 1, maxItems: 256 })
const JsonTypeName = Type.Enum([...JSON_TYPES])

/** The form that each keyword must have; what is inside a schema is checked when it is met. */
export const Keywords = Type.Partial(
  Type.Object({
    $ref: Type.String(),
    type: Type.Union([JsonTypeName, Type.Array(JsonTypeName, { minItems: 1 })]),
    const: Type.Unknown(),
    enum: Type.Array(Type.Unknown(), { maxItems: 10_000 }),
    allOf: Subs,
    anyOf: Subs,
    oneOf: Subs,
    properties: Type.Record(Type.String(), Sub),
    required: Type.Array(Type.String()),
    additionalProperties: Sub,
    propertyNames: Sub,
    minProperties: Size,
    maxProperties: Size,
    prefixItems: Subs,
    items: Sub,
    minItems: Size,
    maxItems: Size,
    uniqueItems: Type.Boolean(),
    minLength: Size,
    maxLength: Size,
    pattern: Type.String(),
    format: Type.String(),
    minimum: Type.Number(),
    maximum: Type.Number(),
    exclusiveMinimum: Type.Number(),
    exclusiveMaximum: Type.Number(),
    multipleOf: Type.Number({ exclusiveMinimum: 0 }),
  }),
)

/** Keywords that restrict a value in ways that cannot be followed while it is written from left to right. */
export const UNSUPPORTED = [
  'not',
  'if',
  'patternProperties',
  'dependentRequired',
  'dependentSchemas',
  'dependencies',
  'unevaluatedProperties',
  'unevaluatedItems',
  'additionalItems',
  'contains',
  '$dynamicRef',
  '$recursiveRef',
] as const

const MEANT: ReadonlySet<string> = new Set([...Object.keys(Keywords.properties), ...UNSUPPORTED])

/** The keywords that say something about the value; unknown ones are annotations. */
export const assertions = (schema: ObjectSchema): string[] =>
  Object.keys(schema).filter((keyword) => MEANT.has(keyword))

export const isAnything = (schema: Schema): boolean =>
  schema === true || (schema !== false && assertions(schema).length === 0)

/** What is declared of a property, which may have the name of something that all objects have, as `constructor`. */
export const declared = ({ properties }: ObjectSchema, name: string): Schema | undefined =>
  properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined

/** Nothing matches. */
export const IMPOSSIBLE: ObjectSchema = { enum: [] }
