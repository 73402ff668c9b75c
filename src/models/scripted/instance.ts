/** Makes up values that fit a JSON Schema, for tool calls and constrained answers. Right ones hold the true answer. */
import type { Random } from '../../core/random.ts'
import { isRecord } from '../../core/validation.ts'
import { scriptedTruth } from './solution.ts'

type Schema = Readonly<Record<string, unknown>>

const MAX_DEPTH = 16

const numberIn = (schema: Schema, value: number): number => {
  const { minimum = -Infinity, maximum = Infinity } = schema as {
    readonly minimum?: number
    readonly maximum?: number
  }
  return Math.min(maximum, Math.max(minimum, value))
}

/** "What is the weather in Paris?" is about "Paris". */
const subjectOf = (question: string): string =>
  question
    .replaceAll(/[^\p{L}\p{N}\s-]/gu, '')
    .trim()
    .split(/\s+/)
    .at(-1) ?? ''

const textFor = ({ minLength = 0, maxLength = 1000 }: Schema, question: string): string =>
  subjectOf(question).slice(0, Number(maxLength)).padEnd(Number(minLength), 'x')

class Instance {
  readonly #root: Schema
  readonly #question: string
  readonly #number: number

  constructor(root: Schema, question: string, number: number) {
    this.#root = root
    this.#question = question
    this.#number = number
  }

  of(schema: unknown, depth = 0): unknown {
    if (!isRecord(schema) || depth > MAX_DEPTH) return null
    if ('const' in schema) return schema['const']
    if (Array.isArray(schema['enum'])) return schema['enum'][this.#number % schema['enum'].length]
    const choice = [schema['anyOf'], schema['oneOf'], schema['allOf']].find(Array.isArray)
    if (choice !== undefined) return this.of(choice[0], depth + 1)
    if (typeof schema['$ref'] === 'string') return this.of(this.#find(schema['$ref']), depth + 1)
    return this.#typed([schema['type']].flat()[0], schema, depth)
  }

  #typed(type: unknown, schema: Schema, depth: number): unknown {
    switch (type) {
      case 'string':
        return textFor(schema, this.#question)
      case 'integer':
      case 'number':
        return numberIn(schema, this.#number)
      case 'boolean':
        return true
      case 'null':
        return null
      case 'array':
        return this.#list(schema, depth)
      default:
        return this.#record(schema, depth)
    }
  }

  #list({ items, minItems = 1 }: Schema, depth: number): unknown[] {
    return Array.from({ length: Math.min(64, Number(minItems)) }, () => this.of(items, depth + 1))
  }

  #record({ properties = {} }: Schema, depth: number): Record<string, unknown> {
    const fields = Object.entries(properties as Schema)
    return Object.fromEntries(fields.map(([name, inner]) => [name, this.of(inner, depth + 1)]))
  }

  #find(reference: string): unknown {
    return reference
      .split('/')
      .slice(1)
      .reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), this.#root)
  }
}

/** The smallest value with all properties; numbers in it are the true answer, or another one when it is not `right`. */
export const instanceOf = (
  schema: Schema,
  question: string,
  right: boolean,
  random: Random,
): unknown => {
  const truth = scriptedTruth(question)
  return new Instance(schema, question, right ? truth : truth + 1 + random.integer(8)).of(schema)
}
