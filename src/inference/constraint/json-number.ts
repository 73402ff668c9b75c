/** Numbers of a JSON Schema: any, whole ones, and those within bounds. */
import { invalidField } from '../../core/errors.ts'
import { anyInteger, anyNumber } from './json-text.ts'
import type { Part } from './network.ts'
import { fixedPoint, LARGEST, real, type Bound } from './number-range.ts'
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

const wholeRange = (low: Bound, high: Bound): Part =>
  fixedPoint(
    low.exclusive ? Math.floor(low.value) + 1 : Math.ceil(low.value),
    high.exclusive ? Math.ceil(high.value) - 1 : Math.floor(high.value),
  )

const decimalsOf = (value: number): number => {
  for (let decimals = 0; decimals <= MAX_DECIMALS; decimals++)
    if (Number(value.toFixed(decimals)) === value) return decimals
  return Infinity
}

/** With as many decimals as the bounds have, all of them written. */
const decimalRange = (low: Bound, high: Bound, decimals: number): Part => {
  const unit = 10 ** decimals
  const scale = ({ value, exclusive }: Bound, inward: 1 | -1): number =>
    Math.round(value * unit) + (exclusive ? inward : 0)
  return fixedPoint(Math.max(-LARGEST, scale(low, 1)), Math.min(LARGEST, scale(high, -1)), decimals)
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
  const [low, high] = [clamp(lower, -1), clamp(upper, 1)]
  if (whole) return wholeRange(low, high)
  const decimals = Math.max(...given.map(decimalsOf))
  if (decimals === Infinity)
    throw invalidField(pointer, `has bounds with more than ${MAX_DECIMALS} decimals`)
  if (decimals > 0) return decimalRange(low, high, decimals)
  const largest = Math.min(LARGEST, Math.max(...given.map(Math.abs)))
  return real(low, high, Math.min(9, DIGITS - String(largest).length))
}
