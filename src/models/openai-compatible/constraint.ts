/** How each kind of upstream is told what an answer must match. */
import { RefineError } from '../../core/errors.ts'
import { subschemas } from '../../core/json-schema-references.ts'
import type { Constraint } from '../../core/language-model.ts'
import { isRecord } from '../../core/validation.ts'
import type { Flavour } from './flavour.ts'

const escapeExpression = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

type Schema = Readonly<Record<string, unknown>>

/** Whether every object, at any depth, requires all its properties and takes no others: else OpenAI refuses the schema as strict. */
const isClosed = (schema: Schema): boolean =>
  [...subschemas(schema)].every(({ type, properties, additionalProperties, required }) => {
    if (![type].flat().includes('object') && properties === undefined) return true
    const names = isRecord(properties) ? Object.keys(properties) : []
    const isWhole = Array.isArray(required) && names.every((name) => required.includes(name))
    return additionalProperties === false && isWhole
  })

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
