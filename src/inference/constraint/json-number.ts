/** Numbers of a JSON Schema: any, whole ones, and those within bounds. */
import { invalidField } from '../../core/errors.ts'
import { anyInteger, anyNumber } from './json-text.ts'
import type { Part } from './network.ts'
import { fixedPoint, LARGEST, real, type Bound } from './number-range.ts'
import { choice, never } from './parts.ts'
import type { ObjectSchema } from './schema-keywords.ts'

/** Digits behind the point that bounds may have. */
const MAX_DECIMALS = 6
/** Digits in all that a float64 keeps. */
const DIGITS = 15

const tighter = (
  inclusive: number | undefined,
  exclusive: number | undefined,
  sign: 1 | -1,
): Bound | undefined => {
  if (exclusive === undefined)
    return inclusive === undefined ? undefined : { value: inclusive, exclusive: false }
  return inclusive !== undefined && sign * inclusive > sign * exclusive
    ? { value: inclusive, exclusive: false }
    : { value: exclusive, exclusive: true }
}

/** The bound, or that of what is written. One beyond it on the far side stays: then there is no number to write. */
const clamp = (bound: Bound | undefined, sign: 1 | -1): Bound =>
  bound === undefined || sign * bound.value > LARGEST
    ? { value: sign * LARGEST, exclusive: false }
    : bound

/** Multiples of 10^-decimals, between bounds in that unit. */
const multiples = (low: Bound, high: Bound, decimals = 0): Part =>
  fixedPoint(
    low.exclusive ? Math.floor(low.value) + 1 : Math.ceil(low.value),
    high.exclusive ? Math.ceil(high.value) - 1 : Math.floor(high.value),
    decimals,
  )

const decimalsOf = (value: number): number => {
  for (let decimals = 0; decimals <= MAX_DECIMALS; decimals++)
    if (Number(value.toFixed(decimals)) === value) return decimals
  return Infinity
}

/** Divided, for a product with 0.1 may fall beside the whole number that it should be. */
const over = (bound: Bound, divisor: number): Bound => ({ ...bound, value: bound.value / divisor })

/** With fewer decimals than the bounds have, with as many, and with some more. */
const range = (lower: Bound | undefined, upper: Bound | undefined, decimals: number): Part => {
  const inUnits = (bound: Bound | undefined): Bound | undefined =>
    bound && { ...bound, value: Math.round(bound.value * 10 ** decimals) }
  const [low, high] = [clamp(inUnits(lower), -1), clamp(inUnits(upper), 1)]
  // Beyond what a float64 tells apart in this unit.
  if (low.value > LARGEST || high.value < -LARGEST) return never
  const given = [lower, upper].flatMap((bound) => inUnits(bound) ?? [])
  const largest = Math.min(LARGEST, Math.max(...given.map(({ value }) => Math.abs(value))))
  const shorter = Array.from({ length: decimals }, (_, fewer) => {
    const unit = 10 ** (decimals - fewer)
    return multiples(over(low, unit), over(high, unit), fewer)
  })
  const places = Math.min(9, DIGITS - String(largest).length)
  return choice(...shorter, real(low, high, decimals, places))
}

/** @throws RefineError invalid_request for multiples of another number than 1, and bounds with too many digits. */
export const numberPart = (
  schema: ObjectSchema,
  type: 'integer' | 'number',
  pointer: string,
): Part => {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema
  if (multipleOf !== undefined && multipleOf !== 1)
    throw invalidField(`${pointer}/multipleOf`, 'must be 1: no other multiples are supported')
  const whole = type === 'integer' || multipleOf === 1
  const lower = tighter(minimum, exclusiveMinimum, 1)
  const upper = tighter(maximum, exclusiveMaximum, -1)
  const given = [lower, upper].flatMap((bound) => (bound === undefined ? [] : [bound.value]))
  if (given.length === 0) return whole ? anyInteger : anyNumber
  if (whole) return multiples(clamp(lower, -1), clamp(upper, 1))
  const decimals = Math.max(...given.map(decimalsOf))
  if (decimals === Infinity)
    throw invalidField(pointer, `has bounds with more than ${MAX_DECIMALS} decimals`)
  return range(lower, upper, decimals)
}
