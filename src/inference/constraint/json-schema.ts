/**
 * JSON Schema (2020-12) as a network. Properties are written in the order of the schema, others only where
 * `additionalProperties` asks for them or none is declared; what the schema leaves open beyond that is narrowed, never
 * widened: all that is written is valid. README, "Constrained answers", lists what is supported.
 */
import { invalidField } from '../../core/errors.ts'
import { escapePointer } from '../../core/validation.ts'
import { areDisjoint, listedValues } from './disjoint.ts'
import { arrayPart, mapPart, objectPart, type Member } from './json-containers.ts'
import { numberPart } from './json-number.ts'
import { StringParts } from './json-string.ts'
import { COLON, otherString } from './json-text.ts'
import type { Network, Part, Rule } from './network.ts'
import { call, choice, literal, never, sequence } from './parts.ts'
import { SchemaReader } from './schema-reading.ts'
import {
  IMPOSSIBLE,
  isAnything,
  type JsonType,
  type ObjectSchema,
  type Schema,
} from './schema-keywords.ts'
import { combine } from './schema-combining.ts'

/** Schemas inside each other, references not counted. */
const MAX_DEPTH = 100

const ANYTHING: ObjectSchema = {}

/** Which types a schema without `type` is about; it takes values of all others too, which are then not written. */
const KEYWORD_TYPES: readonly (readonly [JsonType, readonly (keyof ObjectSchema)[]])[] = [
  [
    'object',
    [
      'properties',
      'required',
      'additionalProperties',
      'propertyNames',
      'minProperties',
      'maxProperties',
    ],
  ],
  ['array', ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems']],
  ['string', ['minLength', 'maxLength', 'pattern', 'format']],
  ['number', ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']],
]

const EVERY_TYPE: readonly JsonType[] = ['null', 'boolean', 'number', 'string', 'array', 'object']

const writtenTypes = (schema: ObjectSchema): readonly JsonType[] => {
  if (schema.type !== undefined) {
    const types = new Set([schema.type].flat() as JsonType[])
    if (types.has('number')) types.delete('integer')
    return [...types]
  }
  const about = KEYWORD_TYPES.filter(([, keywords]) =>
    keywords.some((keyword) => schema[keyword] !== undefined),
  )
  return about.length === 0 ? EVERY_TYPE : about.map(([type]) => type)
}

class SchemaCompiler {
  readonly #network: Network
  readonly #reader: SchemaReader
  readonly #strings: StringParts
  readonly #rules = new Map<ObjectSchema, Rule>()
  #depth = 0

  constructor(network: Network, reader: SchemaReader) {
    this.#network = network
    this.#reader = reader
    this.#strings = new StringParts(network)
  }

  rule(given: Schema, where: string): Rule {
    const { schema, pointer } = this.#reader.target(given, where)
    const key =
      schema === false ? IMPOSSIBLE : isAnything(schema) ? ANYTHING : (schema as ObjectSchema)
    const known = this.#rules.get(key)
    if (known !== undefined) return known
    if (++this.#depth > MAX_DEPTH)
      throw invalidField(pointer, `is nested too deeply: ${MAX_DEPTH} levels at most`)
    const rule = this.#network.rule(pointer)
    this.#rules.set(key, rule)
    this.#network.fill(rule, this.#value(this.#reader.flatten(key, pointer), pointer))
    this.#depth--
    return rule
  }

  #value(schema: ObjectSchema, pointer: string): Part {
    const listed = listedValues(schema)
    if (listed !== undefined) return this.#listed(schema, listed, pointer)
    for (const keyword of ['anyOf', 'oneOf'] as const)
      if (schema[keyword] !== undefined) return this.#branches(schema, keyword, pointer)
    return choice(...writtenTypes(schema).map((type) => this.#typed(type, schema, pointer)))
  }

  #listed(schema: ObjectSchema, values: readonly unknown[], pointer: string): Part {
    const others = KEYWORD_TYPES.flatMap(([, keywords]) => keywords)
    for (const keyword of [...others, 'anyOf', 'oneOf'] as const)
      if (schema[keyword] !== undefined)
        throw invalidField(`${pointer}/${keyword}`, 'cannot be combined with enum or const')
    return choice(...values.map((value) => literal(JSON.stringify(value))))
  }

  /** What is said beside the branches holds in each of them. */
  #branches(schema: ObjectSchema, keyword: 'anyOf' | 'oneOf', pointer: string): Part {
    const { [keyword]: branches = [], ...rest } = schema
    const at = (index: number): string => `${pointer}/${keyword}/${index}`
    const alone = isAnything(rest as ObjectSchema)
    const whole = branches.map((branch, index) =>
      alone ? branch : combine(rest, this.#reader.flatten(branch, at(index)), pointer),
    )
    if (keyword === 'oneOf') this.#requireDisjoint(whole, at)
    return choice(...whole.map((branch, index) => call(this.rule(branch, at(index)))))
  }

  #requireDisjoint(branches: readonly Schema[], at: (index: number) => string): void {
    const flat = branches.map((branch, index) => this.#reader.flatten(branch, at(index)))
    for (const [index, branch] of flat.entries())
      for (let other = 0; other < index; other++)
        if (!areDisjoint(flat[other]!, branch, this.#reader, at(index)))
          throw invalidField(
            at(index),
            `must exclude branch ${other} by its type, by values of enum or const, or by a required property; use anyOf where both may hold`,
          )
  }

  #typed(type: JsonType, schema: ObjectSchema, pointer: string): Part {
    switch (type) {
      case 'null':
        return literal('null')
      case 'boolean':
        return choice(literal('true'), literal('false'))
      case 'integer':
      case 'number':
        return numberPart(schema, type, pointer)
      case 'string':
        return this.#strings.part(schema, pointer)
      case 'array':
        return this.#array(schema, pointer)
      case 'object':
        return this.#object(schema, pointer)
    }
  }

  #array(schema: ObjectSchema, pointer: string): Part {
    const { prefixItems = [], items = true, minItems = 0, maxItems, uniqueItems } = schema
    if (uniqueItems === true && (maxItems === undefined || maxItems > 1))
      throw invalidField(`${pointer}/uniqueItems`, 'is not supported, but for at most one item')
    return arrayPart({
      first: prefixItems.map((item, index) => this.#call(item, `${pointer}/prefixItems/${index}`)),
      others: items === false ? undefined : this.#call(items, `${pointer}/items`),
      least: minItems,
      most: maxItems,
    })
  }

  #object(schema: ObjectSchema, pointer: string): Part {
    const { properties = {}, required = [], additionalProperties: others } = schema
    const { propertyNames, minProperties = 0, maxProperties } = schema
    const names = [...new Set([...Object.keys(properties), ...required])]
    if (minProperties > required.length)
      throw invalidField(`${pointer}/minProperties`, 'must be met by the required properties alone')
    if (names.length === 0) return this.#map(schema, pointer)
    if (propertyNames !== undefined)
      throw invalidField(`${pointer}/propertyNames`, 'cannot be combined with named properties')
    const open = others !== undefined && others !== false
    if (maxProperties !== undefined && (open || maxProperties < names.length))
      throw invalidField(`${pointer}/maxProperties`, 'cannot be combined with that many properties')
    const members = names.map((name): Member => {
      const declared = Object.hasOwn(properties, name)
      const value = declared ? properties[name]! : (others ?? true)
      const at = declared
        ? `${pointer}/properties/${escapePointer(name)}`
        : `${pointer}/additionalProperties`
      return {
        part: sequence(literal(JSON.stringify(name)), COLON, this.#call(value, at)),
        required: required.includes(name),
      }
    })
    if (!open) return objectPart(members, undefined)
    const value = this.#call(others, `${pointer}/additionalProperties`)
    return objectPart(members, sequence(otherString(names), COLON, value))
  }

  /** An object whose names are not given. */
  #map(schema: ObjectSchema, pointer: string): Part {
    const { additionalProperties = true, propertyNames, maxProperties } = schema
    const name =
      propertyNames === undefined
        ? this.#strings.part({}, pointer)
        : call(
            this.rule({ allOf: [{ type: 'string' }, propertyNames] }, `${pointer}/propertyNames`),
          )
    const value =
      additionalProperties === false
        ? never
        : this.#call(additionalProperties, `${pointer}/additionalProperties`)
    return mapPart(sequence(name, COLON, value), maxProperties)
  }

  #call(schema: Schema, pointer: string): Part {
    return call(this.rule(schema, pointer))
  }
}

/**
 * Adds the language of the schema to the network.
 * @throws RefineError invalid_request naming the keyword at fault by a JSON pointer below `pointer`.
 */
export const schemaRule = (network: Network, schema: ObjectSchema, pointer: string): Rule => {
  const reader = new SchemaReader(schema, pointer)
  // Asked for JSON and nothing more, one gets an object, as from other servers.
  const root: ObjectSchema = isAnything(schema) ? { type: 'object' } : schema
  return new SchemaCompiler(network, reader).rule(root, pointer)
}
