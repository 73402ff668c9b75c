/** Values that fit a schema of the OpenAPI document, and values that nearly do. */
import fc, { type Arbitrary } from 'fast-check'

export type Schema = Readonly<Record<string, unknown>>
export type Components = Readonly<Record<string, Schema>>

const PREFIX = '#/components/schemas/'
/** Below this depth only what is required is made. */
const DEPTH = 5
const LONGEST = 40
const MOST_ITEMS = 3

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null
const numberOf = (value: unknown, otherwise: number): number =>
  typeof value === 'number' ? value : otherwise

const anything: Arbitrary<unknown> = fc.oneof(
  { arbitrary: fc.constantFrom<unknown>(null, true, 0, -1, 1.5, '', 'x', [], {}), weight: 3 },
  { arbitrary: fc.jsonValue({ maxDepth: 2 }), weight: 1 },
)

const strings = ({ pattern, minLength, maxLength }: Schema): Arbitrary<string> => {
  const [least, most] = [numberOf(minLength, 0), numberOf(maxLength, LONGEST)]
  const plain = fc.oneof(
    fc.string({ minLength: least, maxLength: Math.max(least, Math.min(most, LONGEST)) }),
    fc.string({ unit: 'binary', minLength: least, maxLength: Math.max(least, Math.min(most, 8)) }),
  )
  if (typeof pattern !== 'string') return plain
  return fc
    .stringMatching(new RegExp(pattern))
    .filter(({ length }) => length >= least && length <= most)
}

const numbers = (schema: Schema): Arbitrary<number> => {
  const { type, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema
  if (type === 'integer') {
    const min = numberOf(minimum, numberOf(exclusiveMinimum, -1001) + 1)
    const max = numberOf(maximum, numberOf(exclusiveMaximum, Math.max(1000, min) + 1) - 1)
    return fc.oneof(fc.constantFrom(min, max), fc.integer({ min, max }))
  }
  const min = numberOf(minimum, numberOf(exclusiveMinimum, -1e6))
  return fc.double({
    min,
    max: numberOf(maximum, numberOf(exclusiveMaximum, Math.max(1e6, min))),
    minExcluded: exclusiveMinimum !== undefined,
    maxExcluded: exclusiveMaximum !== undefined,
    noNaN: true,
  })
}

/** What is optional is left out mostly: of twenty fields that mean something, some two always exclude each other. */
const seldom = (value: Arbitrary<unknown>): Arbitrary<unknown> =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 5 }, { arbitrary: value, weight: 1 })

export class Values {
  readonly #components: Components
  readonly #names: Readonly<Record<string, readonly string[]>>

  /** `names`: values of properties of that name for which the schema says only that they are texts. */
  constructor(components: Components, names: Readonly<Record<string, readonly string[]>>) {
    this.#components = components
    this.#names = names
  }

  of(schema: Schema, depth = 0): Arbitrary<unknown> {
    const { $ref: reference, anyOf, oneOf, allOf, const: only, type } = schema
    if (typeof reference === 'string') {
      return this.of(this.#components[reference.slice(PREFIX.length)]!, depth)
    }
    if ('const' in schema) return fc.constant(only)
    if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]))
    const choices = (anyOf ?? oneOf) as readonly Schema[] | undefined
    if (choices !== undefined) return fc.oneof(...choices.map((each) => this.of(each, depth)))
    if (Array.isArray(allOf)) return this.#all(allOf as readonly Schema[], depth)
    if (Array.isArray(type))
      return fc.oneof(...type.map((each) => this.of({ ...schema, type: each as string }, depth)))
    switch (type) {
      case 'string':
        return strings(schema)
      case 'integer':
      case 'number':
        return numbers(schema)
      case 'boolean':
        return fc.boolean()
      case 'null':
        return fc.constant(null)
      case 'array':
        return this.#array(schema, depth)
      case 'object':
        return this.#object(schema, depth)
      default:
        return anything
    }
  }

  #all(schemas: readonly Schema[], depth: number): Arbitrary<unknown> {
    const parts = schemas.map((each) => this.of(each, depth) as Arbitrary<object>)
    return fc.tuple(...parts).map((values) => Object.assign({}, ...values) as unknown)
  }

  #array({ items, minItems, maxItems }: Schema, depth: number): Arbitrary<unknown> {
    const minLength = numberOf(minItems, 0)
    const most = depth > DEPTH ? minLength : Math.min(numberOf(maxItems, MOST_ITEMS), MOST_ITEMS)
    const item = isSchema(items) ? this.of(items, depth + 1) : anything
    return fc.array(item, { minLength, maxLength: Math.max(minLength, most) })
  }

  #named(name: string, schema: Schema, depth: number): Arbitrary<unknown> {
    const known = Object.hasOwn(this.#names, name) ? this.#names[name] : undefined
    const value = this.of(schema, depth)
    if (known === undefined || schema['type'] !== 'string') return value
    return fc.oneof(
      { arbitrary: fc.constantFrom(...known), weight: 9 },
      { arbitrary: value, weight: 1 },
    )
  }

  #object(schema: Schema, depth: number): Arbitrary<unknown> {
    const { properties = {}, required = [], additionalProperties, patternProperties } = schema
    const needed = required as readonly string[]
    const named = Object.entries(properties as Components).filter(
      ([name]) => depth <= DEPTH || needed.includes(name),
    )
    const fixed = fc.record(
      Object.fromEntries(
        named.map(([name, each]) => {
          const value = this.#named(name, each, depth + 1)
          return [name, needed.includes(name) ? value : seldom(value)]
        }),
      ),
    )
    const others = isSchema(patternProperties)
      ? Object.values(patternProperties)[0]
      : additionalProperties
    if (!isSchema(others) || depth > DEPTH) return fixed
    const free = fc.dictionary(fc.string({ maxLength: 8 }), this.of(others, depth + 1), {
      maxKeys: 2,
    })
    return fc.tuple(free, fixed).map(([more, own]) => ({ ...more, ...own }))
  }
}

type Change = (value: unknown) => unknown

/** One change somewhere in the value: another value, a field too many or too few. */
const change: Arbitrary<Change> = fc
  .tuple(fc.array(fc.nat(9), { maxLength: 4 }), fc.constantFrom('replace', 'add', 'drop'), anything)
  .map(([path, kind, junk]): Change => {
    const at = (value: unknown, steps: readonly number[]): unknown => {
      if (typeof value !== 'object' || value === null) return junk
      const keys = Object.keys(value)
      const key = keys[(steps[0] ?? 0) % Math.max(1, keys.length)]
      const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>
      if (key === undefined || (steps.length === 0 && kind === 'add')) copy['unheard_of'] = junk
      else if (steps.length === 0 && kind === 'drop') delete copy[key]
      else copy[key] = steps.length === 0 ? junk : at(copy[key], steps.slice(1))
      return copy
    }
    return (value) => at(value, path)
  })

/** Mostly values that fit, else values with one change. */
export const fittingOrNot = (fitting: Arbitrary<unknown>): Arbitrary<unknown> =>
  fc.oneof(
    { arbitrary: fitting, weight: 2 },
    { arbitrary: fc.tuple(fitting, change).map(([value, apply]) => apply(value)), weight: 1 },
  )
