/** The keywords of JSON Schema that look at one value alone. Each tells what is wrong, undefined when nothing is. Pure. */
import Format from 'typebox/format'
import { canonicalJson } from './canonical-json.ts'
import type { Steps } from './json-schema-steps.ts'
import { isRecord } from './validation.ts'

type Rule = (rule: unknown, value: unknown, steps: Steps) => string | undefined

const isType = (name: unknown, value: unknown): boolean => {
  switch (name) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isRecord(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === name
  }
}

const equals = (left: unknown, right: unknown, steps: Steps): boolean => {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object') return false
  const [one, other] = [canonicalJson(left), canonicalJson(right)]
  steps.take(one.length + other.length)
  return one === other
}

const hasDuplicates = (items: readonly unknown[], steps: Steps): boolean => {
  const texts = items.map((item) => canonicalJson(item))
  steps.take(texts.reduce((sum, text) => sum + text.length, 0))
  return new Set(texts).size < texts.length
}

/** Decimal fractions are not exact: 0.3 is a multiple of 0.1. */
const isMultiple = (value: number, unit: number): boolean => {
  const times = value / unit
  return Math.abs(times - Math.round(times)) <= 1e-9 * Math.max(1, Math.abs(times))
}

/** A rule for numbers that compares with a number. */
const number =
  (isFine: (value: number, limit: number) => boolean, told: string): Rule =>
  (limit, value) =>
    typeof value !== 'number' || typeof limit !== 'number' || isFine(value, limit)
      ? undefined
      : `must be ${told} ${limit}`

/** A rule for what can be counted; `isLeast` tells a lower bound from an upper one. */
const count =
  (countOf: (value: unknown) => number | undefined, what: string, isLeast: boolean): Rule =>
  (limit, value, steps) => {
    const found = countOf(value)
    if (found === undefined || typeof limit !== 'number') return undefined
    steps.take(1)
    if (isLeast ? found >= limit : found <= limit) return undefined
    return `must not have ${isLeast ? 'fewer' : 'more'} than ${limit} ${what}`
  }

const characters = (value: unknown): number | undefined =>
  typeof value === 'string' ? Array.from(value).length : undefined
const items = (value: unknown): number | undefined =>
  Array.isArray(value) ? value.length : undefined
const properties = (value: unknown): number | undefined =>
  isRecord(value) ? Object.keys(value).length : undefined

export const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  [
    'type',
    (rule, value) => {
      const names = [rule].flat()
      return names.some((name) => isType(name, value))
        ? undefined
        : `must be ${names.map(String).join(' or ')}`
    },
  ],
  [
    'enum',
    (rule, value, steps) => {
      if (!Array.isArray(rule)) return undefined
      steps.take(rule.length)
      return rule.some((allowed) => equals(allowed, value, steps))
        ? undefined
        : 'must be equal to one of the allowed values'
    },
  ],
  [
    'const',
    (rule, value, steps) =>
      equals(rule, value, steps) ? undefined : 'must be equal to the constant',
  ],
  ['minimum', number((value, limit) => value >= limit, '>=')],
  ['maximum', number((value, limit) => value <= limit, '<=')],
  ['exclusiveMinimum', number((value, limit) => value > limit, '>')],
  ['exclusiveMaximum', number((value, limit) => value < limit, '<')],
  ['multipleOf', number(isMultiple, 'a multiple of')],
  ['minLength', count(characters, 'characters', true)],
  ['maxLength', count(characters, 'characters', false)],
  ['minItems', count(items, 'items', true)],
  ['maxItems', count(items, 'items', false)],
  ['minProperties', count(properties, 'properties', true)],
  ['maxProperties', count(properties, 'properties', false)],
  [
    'pattern',
    (rule, value, steps) =>
      typeof value !== 'string' || typeof rule !== 'string' || steps.matches(rule, value)
        ? undefined
        : `must match pattern "${rule}"`,
  ],
  [
    'format',
    (rule, value, steps) => {
      if (typeof value !== 'string' || typeof rule !== 'string') return undefined
      steps.take(value.length)
      return Format.Test(rule, value) ? undefined : `must match format "${rule}"`
    },
  ],
  [
    'uniqueItems',
    (rule, value, steps) =>
      rule === true && Array.isArray(value) && hasDuplicates(value, steps)
        ? 'must not have duplicate items'
        : undefined,
  ],
])
