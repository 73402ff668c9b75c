/** One schema of two that both have to hold: `allOf`, and what stands beside a reference or beside branches. */
import { isDeepStrictEqual } from 'node:util'
import { invalidField } from '../../core/errors.ts'
import {
  assertions,
  declared,
  IMPOSSIBLE,
  type JsonType,
  type ObjectSchema,
  type Schema,
} from './schema-keywords.ts'

const both = (left: Schema, right: Schema): Schema => ({ allOf: [left, right] })

const asTypes = (type: ObjectSchema['type']): readonly JsonType[] =>
  type === undefined ? [] : ([type].flat() as JsonType[])

const commonTypes = (left: ObjectSchema['type'], right: ObjectSchema['type']) => {
  const others = asTypes(right)
  return asTypes(left).flatMap((type): JsonType[] => {
    if (others.includes(type)) return [type]
    if (type === 'integer' && others.includes('number')) return ['integer']
    return type === 'number' && others.includes('integer') ? ['integer'] : []
  })
}

const sameText =
  (left: unknown) =>
  (right: unknown): boolean =>
    isDeepStrictEqual(left, right)

type Combiner = (left: never, right: never) => unknown
const larger = (left: number, right: number): number => Math.max(left, right)
const smaller = (left: number, right: number): number => Math.min(left, right)

const COMBINERS: Readonly<Record<string, Combiner>> = {
  enum: (left: unknown[], right: unknown[]) => left.filter((value) => right.some(sameText(value))),
  required: (left: string[], right: string[]) => [...new Set([...left, ...right])],
  additionalProperties: both,
  propertyNames: both,
  items: both,
  uniqueItems: (left: boolean, right: boolean) => left || right,
  minProperties: larger,
  minItems: larger,
  minLength: larger,
  minimum: larger,
  exclusiveMinimum: larger,
  maxProperties: smaller,
  maxItems: smaller,
  maxLength: smaller,
  maximum: smaller,
  exclusiveMaximum: smaller,
}

/** What one side says of a property that only the other declares. */
const undeclared = ({ additionalProperties }: ObjectSchema, schema: Schema): Schema =>
  additionalProperties === undefined || additionalProperties === true
    ? schema
    : both(additionalProperties, schema)

const combineProperties = (left: ObjectSchema, right: ObjectSchema) => {
  const names = new Set([left, right].flatMap(({ properties = {} }) => Object.keys(properties)))
  return Object.fromEntries(
    [...names].map((name) => {
      const [one, two] = [declared(left, name), declared(right, name)]
      if (one !== undefined && two !== undefined) return [name, both(one, two)]
      return [name, one === undefined ? undeclared(left, two!) : undeclared(right, one)]
    }),
  )
}

/** What `items` of one side says holds for the first items too, where that side says nothing else of them. */
const combineFirst = (left: ObjectSchema, right: ObjectSchema): readonly Schema[] => {
  const sides = [left, right] as const
  const length = Math.max(...sides.map(({ prefixItems = [] }) => prefixItems.length))
  return Array.from({ length }, (_, index) => {
    const [one, two] = sides.map(({ prefixItems = [], items }) => prefixItems[index] ?? items)
    return one === undefined || two === undefined ? (one ?? two)! : both(one, two)
  })
}

/**
 * A schema that takes what both take.
 * @throws RefineError invalid_request for keywords of which two cannot be one.
 */
export const combine = (left: ObjectSchema, right: ObjectSchema, pointer: string): ObjectSchema => {
  if (right.const !== undefined) {
    const { const: value, ...rest } = right
    return combine(left, { ...rest, enum: [value] }, pointer)
  }
  if (left.const !== undefined) return combine(right, left, pointer)
  const result: Record<string, unknown> = { ...right, ...left }
  for (const keyword of assertions(right)) {
    const [one, two] = [left, right].map((side) => (side as Record<string, unknown>)[keyword])
    if (one === undefined || isDeepStrictEqual(one, two)) continue
    if (keyword === 'type') result['type'] = commonTypes(left.type, right.type)
    else if (keyword in COMBINERS) result[keyword] = COMBINERS[keyword]!(one as never, two as never)
    else if (keyword !== 'properties' && keyword !== 'prefixItems')
      throw invalidField(`${pointer}/${keyword}`, 'is given twice and cannot be made one')
  }
  if (left.properties !== undefined || right.properties !== undefined)
    result['properties'] = combineProperties(left, right)
  if (left.prefixItems !== undefined || right.prefixItems !== undefined)
    result['prefixItems'] = combineFirst(left, right)
  if (Array.isArray(result['type']) && result['type'].length === 0) return IMPOSSIBLE
  return result
}
