/**
 * Checks a value against a schema, draft 2020-12 and the older words `items` as a list, `additionalItems`, `dependencies`
 * and `definitions`. Interpreted, with a limit on steps: a schema of a few lines may ask for 2^60 of them. No package
 * has both such a limit and patterns in linear time. Pure.
 */
import type { FieldError } from './errors.ts'
import { RULES } from './json-schema-rules.ts'
import { Steps } from './json-schema-steps.ts'
import { targetOf } from './json-schema-references.ts'
import { escapePointer, isRecord } from './validation.ts'

const MAX_FAULTS = 8

type Schema = Readonly<Record<string, unknown>>

/** Names of properties and indices of items that some subschema spoke of. */
type Seen = Set<string>

interface Outcome {
  readonly faults: readonly FieldError[]
  readonly seen: Seen
}

/** What is being checked, where it is, and what is found. */
interface Site {
  readonly schema: Schema
  readonly value: unknown
  readonly pointer: string
  readonly faults: FieldError[]
  readonly seen: Seen
}

const ownEntries = (value: unknown): [string, unknown][] =>
  isRecord(value) ? Object.entries(value) : []
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const namesOf = (value: unknown): string[] =>
  listOf(value).filter((name) => typeof name === 'string')

export class SchemaCheck {
  readonly #root: Schema
  readonly #steps: Steps

  /** `steps`: the most that one check may take. */
  constructor(root: Schema, steps: number) {
    this.#root = root
    this.#steps = new Steps(steps)
  }

  /** @throws TooManySteps; RangeError where references end in themselves. */
  faults(value: unknown): readonly FieldError[] {
    return this.#apply(this.#root, value, '').faults
  }

  #apply(schema: unknown, value: unknown, pointer: string): Outcome {
    this.#steps.take(1)
    const faults: FieldError[] = []
    const seen: Seen = new Set()
    if (schema === false) faults.push({ pointer, message: 'is not allowed' })
    if (!isRecord(schema)) return { faults, seen }
    const site: Site = { schema, value, pointer, faults, seen }
    for (const keyword in schema) {
      const message = RULES.get(keyword)?.(schema[keyword], value, this.#steps)
      if (message !== undefined) faults.push({ pointer, message })
    }
    this.#references(site)
    this.#combinations(site)
    this.#condition(site)
    if (isRecord(value)) this.#object(site, value)
    if (Array.isArray(value)) this.#array(site, value)
    return { faults: faults.slice(0, MAX_FAULTS), seen }
  }

  /** The subschema is for the same value: its faults and what it saw count. */
  #join(site: Site, schema: unknown): void {
    const { faults, seen } = this.#apply(schema, site.value, site.pointer)
    site.faults.push(...faults)
    for (const name of seen) site.seen.add(name)
  }

  /** The subschema is for a part of the value. */
  #descend(site: Site, schema: unknown, key: string | number, part: unknown): void {
    site.seen.add(String(key))
    const pointer = `${site.pointer}/${escapePointer(String(key))}`
    site.faults.push(...this.#apply(schema, part, pointer).faults)
  }

  #holds(site: Site, schema: unknown): boolean {
    return this.#apply(schema, site.value, site.pointer).faults.length === 0
  }

  #references(site: Site): void {
    const { $ref, $dynamicRef, $recursiveRef } = site.schema
    if (typeof $ref === 'string') this.#join(site, targetOf(this.#root, $ref))
    const other = $dynamicRef ?? $recursiveRef
    if (typeof other === 'string') this.#join(site, targetOf(this.#root, other))
  }

  #combinations(site: Site): void {
    const { allOf, anyOf, oneOf, not } = site.schema
    const { pointer, faults } = site
    for (const schema of listOf(allOf)) this.#join(site, schema)
    if (Array.isArray(anyOf) && this.#fitting(site, anyOf) === 0) {
      faults.push({ pointer, message: 'must match a schema in anyOf' })
    }
    if (Array.isArray(oneOf) && this.#fitting(site, oneOf) !== 1) {
      faults.push({ pointer, message: 'must match exactly one schema in oneOf' })
    }
    if (not !== undefined && this.#holds(site, not)) {
      faults.push({ pointer, message: 'must not be valid' })
    }
  }

  /** How many of the schemas the value fits; what those saw counts as seen. */
  #fitting(site: Site, schemas: readonly unknown[]): number {
    const outcomes = schemas.map((schema) => this.#apply(schema, site.value, site.pointer))
    const fitting = outcomes.filter(({ faults }) => faults.length === 0)
    for (const { seen } of fitting) for (const name of seen) site.seen.add(name)
    return fitting.length
  }

  #condition(site: Site): void {
    const { if: condition, then: yes, else: no } = site.schema
    if (condition === undefined) return
    const { faults, seen } = this.#apply(condition, site.value, site.pointer)
    if (faults.length === 0) for (const name of seen) site.seen.add(name)
    const consequence = faults.length === 0 ? yes : no
    if (consequence !== undefined) this.#join(site, consequence)
  }

  #object(site: Site, value: Schema): void {
    const { required, propertyNames, additionalProperties, unevaluatedProperties } = site.schema
    this.#require(site, value, namesOf(required))
    this.#dependencies(site, value)
    const spoken = new Set<string>()
    for (const [key, schema] of ownEntries(site.schema['properties'])) {
      this.#steps.take(1)
      if (!Object.hasOwn(value, key)) continue
      spoken.add(key)
      this.#descend(site, schema, key, value[key])
    }
    const patterns = ownEntries(site.schema['patternProperties'])
    for (const [key, part] of Object.entries(value)) {
      if (propertyNames !== undefined) this.#name(site, propertyNames, key)
      for (const [pattern, schema] of patterns) {
        if (!this.#steps.matches(pattern, key)) continue
        spoken.add(key)
        this.#descend(site, schema, key, part)
      }
      if (spoken.has(key) || additionalProperties === undefined) continue
      this.#descend(site, additionalProperties, key, part)
    }
    if (unevaluatedProperties === undefined) return
    const left = Object.entries(value).filter(([key]) => !site.seen.has(key))
    for (const [key, part] of left) this.#descend(site, unevaluatedProperties, key, part)
  }

  #require({ faults, pointer }: Site, value: Schema, names: readonly string[]): void {
    this.#steps.take(names.length)
    for (const name of names) {
      if (Object.hasOwn(value, name)) continue
      faults.push({ pointer: `${pointer}/${escapePointer(name)}`, message: 'is required' })
    }
  }

  #dependencies(site: Site, value: Schema): void {
    for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies']) {
      for (const [key, rule] of ownEntries(site.schema[keyword])) {
        this.#steps.take(1)
        if (!Object.hasOwn(value, key)) continue
        if (Array.isArray(rule)) this.#require(site, value, namesOf(rule))
        else this.#join(site, rule)
      }
    }
  }

  #name({ pointer, faults }: Site, schema: unknown, key: string): void {
    const [fault] = this.#apply(schema, key, `${pointer}/${escapePointer(key)}`).faults
    if (fault !== undefined) faults.push({ ...fault, message: `has a name that ${fault.message}` })
  }

  #array(site: Site, value: readonly unknown[]): void {
    const { items, prefixItems, additionalItems, unevaluatedItems } = site.schema
    const first = listOf(prefixItems ?? items)
    const others = Array.isArray(items) ? additionalItems : items
    value.forEach((part, at) => {
      const schema = at < first.length ? first[at] : others
      if (schema !== undefined) this.#descend(site, schema, at, part)
    })
    this.#contains(site, value)
    if (unevaluatedItems === undefined) return
    value.forEach((part, at) => {
      if (!site.seen.has(String(at))) this.#descend(site, unevaluatedItems, at, part)
    })
  }

  #contains(site: Site, value: readonly unknown[]): void {
    const { contains, minContains: least = 1, maxContains: most = Infinity } = site.schema
    if (contains === undefined) return
    const fitting = value.flatMap((part, at) =>
      this.#apply(contains, part, site.pointer).faults.length === 0 ? [at] : [],
    )
    for (const at of fitting) site.seen.add(String(at))
    if (fitting.length >= Number(least) && fitting.length <= Number(most)) return
    const message = `must contain ${String(least)} to ${String(most)} items that fit, not ${fitting.length}`
    site.faults.push({ pointer: site.pointer, message })
  }
}
