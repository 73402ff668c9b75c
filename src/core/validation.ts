/** One way to check data against a schema, with one wording for what is wrong: bodies, options, configuration, frames. */
import type { Static, TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { RefineError, type FieldError } from './errors.ts'

interface Finding {
  readonly keyword: string
  readonly instancePath: string
  readonly message: string
  readonly params: Readonly<Record<string, unknown>>
}

const MAX_FIELDS = 16
const UNKNOWN = 'is not a known field'

interface Compiled {
  readonly validator: Validator
  /** Whether there is a default anywhere in the schema. */
  readonly hasDefaults: boolean
}
const compiled = new WeakMap<TSchema, Compiled>()

const hasDefaults = (schema: unknown): boolean =>
  typeof schema === 'object' &&
  schema !== null &&
  (Object.hasOwn(schema, 'default') || Object.values(schema).some(hasDefaults))

const compile = (schema: TSchema): Compiled => {
  const known = compiled.get(schema)
  if (known !== undefined) return known
  const made = { validator: Compile(schema), hasDefaults: hasDefaults(schema) }
  compiled.set(schema, made)
  return made
}

/** A key as a part of a JSON pointer. */
export const escapePointer = (key: string): string =>
  key.replaceAll('~', '~0').replaceAll('/', '~1')

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const list = (values: unknown): string =>
  (Array.isArray(values) ? values : []).map((value) => JSON.stringify(value)).join(', ')

const explain = ({ keyword, instancePath, message, params }: Finding): FieldError[] => {
  const at = (key: string): string => `${instancePath}/${escapePointer(key)}`
  switch (keyword) {
    case 'anyOf':
    case 'not':
      return []
    case 'boolean': // the same, key by key: all there is when the finder stops early
      return [{ pointer: instancePath, message: UNKNOWN }]
    case 'additionalProperties':
      return (params['additionalProperties'] as string[]).map((key) => ({
        pointer: at(key),
        message: UNKNOWN,
      }))
    case 'required':
      return (params['requiredProperties'] as string[]).map((key) => ({
        pointer: at(key),
        message: 'is required',
      }))
    case 'enum':
      return [{ pointer: instancePath, message: `must be one of ${list(params['allowedValues'])}` }]
    default:
      return [{ pointer: instancePath, message }]
  }
}

/** What is wrong with the value, field by field, at most 16 entries; empty when nothing is. The finder itself gives up after 8. */
export const findErrors = (schema: TSchema, value: unknown, pointer = ''): FieldError[] => {
  const { validator } = compile(schema)
  if (validator.Check(value)) return []
  const findings = validator.Errors(value) as unknown as Finding[]
  const explained = findings.flatMap(explain)
  const fields = explained.filter(
    ({ pointer: at, message }, index) =>
      explained.findIndex((other) => other.pointer === at && other.message === message) === index,
  )
  const told =
    fields.length > 0 ? fields : [{ pointer: '', message: 'does not have the expected form' }]
  return told.slice(0, MAX_FIELDS).map((field) => ({ ...field, pointer: pointer + field.pointer }))
}

/** The sentence for a caller: every field with what was expected there. `whole` names the value itself. */
export const describeFields = (fields: readonly FieldError[], whole = 'the body'): string =>
  fields.map(({ pointer, message }) => `${pointer === '' ? whole : pointer} ${message}`).join('; ')

/**
 * Checks the value and fills in the schema's defaults, where it has any, on a copy; types are never coerced.
 * @param whole names the value itself
 * @throws RefineError invalid_request, naming each field below `pointer` and what was expected.
 */
export const validate = <Schema extends TSchema>(
  schema: Schema,
  value: unknown,
  pointer = '',
  whole = 'the body',
): Static<Schema> => {
  const fields = findErrors(schema, value, pointer)
  if (fields.length > 0)
    throw new RefineError('invalid_request', describeFields(fields, whole), { fields })
  const made = compile(schema)
  const filled = made.hasDefaults ? made.validator.Default(structuredClone(value)) : value
  return filled as Static<Schema>
}
