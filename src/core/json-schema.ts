/** Checks values against schemas that come from callers. They are interpreted, never compiled: a schema is data, not code. */
import Schema from 'typebox/schema'
import { invalidField, type FieldError } from './errors.ts'

export type JsonSchema = Readonly<Record<string, unknown>>

const MAX_LENGTH = 100_000
const MAX_DEPTH = 64

const depthOf = (value: unknown, depth = 0): number => {
  if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return depth
  return Object.values(value).reduce<number>(
    (deepest, inner) => Math.max(deepest, depthOf(inner, depth + 1)),
    depth,
  )
}

const NEVER_VALID = 'cannot be checked against its schema'

/** What is wrong with the value, at most 8 entries; empty when it is valid. */
export const schemaErrors = (schema: JsonSchema, value: unknown): FieldError[] => {
  try {
    if (Schema.Check(schema, value)) return []
    const [, errors] = Schema.Errors(schema, value)
    const told = errors
      .filter(({ keyword }) => keyword !== 'boolean')
      .map(({ instancePath, message }) => ({ pointer: instancePath, message }))
    return told.length > 0
      ? told.slice(0, 8)
      : [{ pointer: '', message: 'does not match its schema' }]
  } catch {
    return [{ pointer: '', message: NEVER_VALID }]
  }
}

const patternsOf = (value: unknown): string[] => {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'pattern' && typeof inner === 'string' ? [inner] : patternsOf(inner),
  )
}

const isRegularExpression = (pattern: string): boolean => {
  try {
    return new RegExp(pattern, 'u').source !== ''
  } catch {
    return false
  }
}

/**
 * Refuses a schema that could never be used: too large, too deep, with a pattern that is none, or endless in itself.
 * @throws RefineError invalid_request naming `pointer`
 */
export const checkJsonSchema = (schema: JsonSchema, pointer: string): void => {
  if (depthOf(schema) > MAX_DEPTH)
    throw invalidField(pointer, `is nested more than ${MAX_DEPTH} deep`)
  if (JSON.stringify(schema).length > MAX_LENGTH) {
    throw invalidField(pointer, `is longer than ${MAX_LENGTH} characters`)
  }
  const broken = patternsOf(schema).find((pattern) => !isRegularExpression(pattern))
  if (broken !== undefined) throw invalidField(pointer, `holds a pattern that is none: ${broken}`)
  for (const probe of [{}, [], '', 0, true, null]) {
    if (schemaErrors(schema, probe)[0]?.message === NEVER_VALID) {
      throw invalidField(
        pointer,
        'must be a JSON Schema that can be checked: its references never end',
      )
    }
  }
}
