/**
 * Whether no value matches two schemas at once. `oneOf` can be held to only where its branches exclude each other: then
 * it is the same as `anyOf`.
 */
import { isDeepStrictEqual } from 'node:util'
import type { SchemaReader } from './schema-reading.ts'
import { declared, JSON_TYPES, type JsonType, type ObjectSchema } from './schema-keywords.ts'

const typeOf = (value: unknown): JsonType => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value as JsonType
}

/** The values that a schema lists one by one, if it does. */
export const listedValues = (schema: ObjectSchema): readonly unknown[] | undefined => {
  const values = schema.const === undefined ? schema.enum : [schema.const]
  const types = schema.type === undefined ? undefined : [schema.type].flat()
  return values?.filter((value) => {
    const type = typeOf(value)
    return (
      types === undefined ||
      types.includes(type) ||
      (type === 'integer' && types.includes('number'))
    )
  })
}

const typesOf = (schema: ObjectSchema): readonly JsonType[] => {
  const listed = listedValues(schema)
  if (listed !== undefined) return listed.map(typeOf)
  return schema.type === undefined ? JSON_TYPES : ([schema.type].flat() as JsonType[])
}

const asNumbers = (type: JsonType): JsonType => (type === 'integer' ? 'number' : type)

const forbids = (schema: ObjectSchema, name: string): boolean =>
  (declared(schema, name) ?? schema.additionalProperties) === false

export const areDisjoint = (
  left: ObjectSchema,
  right: ObjectSchema,
  reader: SchemaReader,
  pointer: string,
): boolean => {
  const others = new Set(typesOf(right).map(asNumbers))
  const common = typesOf(left)
    .map(asNumbers)
    .filter((type) => others.has(type))
  if (common.length === 0) return true
  const [ours, theirs] = [listedValues(left), listedValues(right)]
  if (ours !== undefined && theirs !== undefined)
    return !ours.some((value) => theirs.some((other) => isDeepStrictEqual(value, other)))
  if (common.some((type) => type !== 'object')) return false
  const [required, others_] = [left.required ?? [], right.required ?? []]
  if (required.some((name) => forbids(right, name)) || others_.some((name) => forbids(left, name)))
    return true
  return required.some((name) => {
    const [one, two] = [declared(left, name), declared(right, name)]
    if (!others_.includes(name) || one === undefined || two === undefined) return false
    const flat = [one, two].map((schema) => reader.flatten(schema, pointer))
    const values = flat.map(listedValues)
    if (values[0] === undefined || values[1] === undefined) return false
    return areDisjoint(flat[0]!, flat[1]!, reader, pointer)
  })
}
