/** How each kind of upstream is told what an answer must match. */
import { RefineError } from '../../core/errors.ts'
import type { Constraint } from '../../core/language-model.ts'
import type { Flavour } from './flavour.ts'

const escapeExpression = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

type Schema = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whose values are schemas by name. */
const NAMED = new Set(['properties', '$defs', 'definitions'])
/** Whose values are no schemas. */
const VALUES = new Set(['enum', 'const', 'default', 'examples'])

/** Whether every object, at any depth, requires all its properties and takes no others: else OpenAI refuses the schema as strict. */
const isClosed = (schema: unknown): boolean => {
  if (Array.isArray(schema)) return schema.every(isClosed)
  if (!isRecord(schema)) return true
  const { type, properties, additionalProperties, required } = schema
  const isObject = [type].flat().includes('object') || properties !== undefined
  const names = isRecord(properties) ? Object.keys(properties) : []
  const isWhole = Array.isArray(required) && names.every((name) => required.includes(name))
  if (isObject && (additionalProperties !== false || !isWhole)) return false
  return Object.entries(schema).every(
    ([keyword, value]) =>
      VALUES.has(keyword) ||
      (NAMED.has(keyword) && isRecord(value) ? Object.values(value) : [value]).every(isClosed),
  )
}

/** JSON Schema goes the one way that all of them know. */
const schemaFields = (flavour: Flavour, schema: Schema) =>
  Object.keys(schema).length === 0
    ? { response_format: { type: 'json_object' } }
    : {
        response_format: {
          type: 'json_schema',
          // Others follow any schema that they can follow at all.
          json_schema: { name: 'answer', schema, strict: flavour !== 'openai' || isClosed(schema) },
        },
      }

/** @throws RefineError unsupported_capability for a kind of constraint that the upstream has no field for. */
export const constraintFields = (
  id: string,
  flavour: Flavour,
  constraint: Constraint,
): Readonly<Record<string, unknown>> => {
  if (constraint.type === 'json_schema') return schemaFields(flavour, constraint.schema)
  const { type } = constraint
  switch (flavour) {
    case 'vllm':
      return type === 'regex'
        ? { structured_outputs: { regex: constraint.pattern } }
        : { structured_outputs: { choice: constraint.choices } }
    case 'sglang':
      return {
        regex:
          type === 'regex'
            ? constraint.pattern
            : `(${constraint.choices.map(escapeExpression).join('|')})`,
      }
    case 'llama.cpp':
      // A JSON string is a string of llama.cpp's grammars as well.
      if (type === 'choice')
        return {
          grammar: `root ::= ${constraint.choices.map((text) => JSON.stringify(text)).join(' | ')}`,
        }
      break
    case 'openai':
  }
  throw new RefineError(
    'unsupported_capability',
    `Model "${id}": an upstream of the flavour "${flavour}" takes a JSON Schema as a constraint, but no ${type}.`,
    { param: 'constraint' },
  )
}
