/** Checks values against schemas that come from callers. They are interpreted, never compiled: a schema is data, not code. */
import { invalidField, type FieldError } from './errors.ts'
import { SchemaCheck } from './json-schema-check.ts'
import { subschemas, targetOf } from './json-schema-references.ts'
import { TooManySteps } from './json-schema-steps.ts'
import { linearPattern, PatternRefused } from './linear-pattern.ts'
import { isRecord } from './validation.ts'

export type JsonSchema = Readonly<Record<string, unknown>>

const MAX_LENGTH = 100_000
const MAX_DEPTH = 64
/** Steps of one check, about half a microsecond each: a hundred kilobytes of JSON take fewer. */
const MAX_STEPS = 100_000
/** What a value without content takes is far less: a request may bring many schemas. */
const PROBE_STEPS = 2000

const depthOf = (value: unknown, depth = 0): number => {
  if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return depth
  return Object.values(value).reduce<number>(
    (deepest, inner) => Math.max(deepest, depthOf(inner, depth + 1)),
    depth,
  )
}

const NEVER_VALID = 'cannot be checked against its schema'

/** What is wrong with the value, at most 8 entries; empty when it is valid. */
export const schemaErrors = (
  schema: JsonSchema,
  value: unknown,
  most = MAX_STEPS,
): readonly FieldError[] => {
  try {
    return new SchemaCheck(schema, most).faults(value)
  } catch (thrown) {
    const why = thrown instanceof TooManySteps ? `: it takes more than ${most} steps` : ''
    return [{ pointer: '', message: `${NEVER_VALID}${why}` }]
  }
}

const checkPattern = (source: string, pointer: string): void => {
  try {
    linearPattern(source)
  } catch (thrown) {
    if (!(thrown instanceof PatternRefused)) throw thrown
    const shown = source.length > 100 ? `${source.slice(0, 100)}…` : source
    throw invalidField(pointer, `holds a pattern that ${thrown.message}: ${shown}`)
  }
}

const checkParts = (root: JsonSchema, pointer: string): void => {
  for (const schema of subschemas(root)) {
    const { pattern, patternProperties, $ref: reference } = schema
    if (typeof pattern === 'string') checkPattern(pattern, pointer)
    if (isRecord(patternProperties)) {
      for (const name of Object.keys(patternProperties)) checkPattern(name, pointer)
    }
    if (typeof reference === 'string' && targetOf(root, reference) === undefined) {
      throw invalidField(pointer, `refers to "${reference}", which is not in it`)
    }
  }
}

/**
 * Refuses a schema that could never be used: too large, too deep, with a pattern that is none or that no linear engine can
 * match, with a reference to nothing, or endless in itself.
 * @throws RefineError invalid_request naming `pointer`
 */
export const checkJsonSchema = (schema: JsonSchema, pointer: string): void => {
  if (depthOf(schema) > MAX_DEPTH)
    throw invalidField(pointer, `is nested more than ${MAX_DEPTH} deep`)
  if (JSON.stringify(schema).length > MAX_LENGTH) {
    throw invalidField(pointer, `is longer than ${MAX_LENGTH} characters`)
  }
  checkParts(schema, pointer)
  for (const probe of [{}, [], '', 0, true, null]) {
    if (schemaErrors(schema, probe, PROBE_STEPS)[0]?.message.startsWith(NEVER_VALID) === true) {
      throw invalidField(
        pointer,
        'must be a JSON Schema that can be checked: its references never end, or it takes too many steps',
      )
    }
  }
}
