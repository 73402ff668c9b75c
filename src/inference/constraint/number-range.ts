/** Numbers between two bounds, digit by digit. */
import type { Part } from './network.ts'
import { choice, digit, literal, never, nothing, optional, repeat, sequence } from './parts.ts'

/** Largest whole number that is written: 15 digits, all of which a float64 keeps. */
export const LARGEST = 999_999_999_999_999

const pad = (value: number, length: number): readonly number[] =>
  Array.from(String(value).padStart(length, '0'), Number)

/** With a point before the last `decimals` of `length` digits. */
const at = (rest: number, decimals: number, part: Part): Part =>
  decimals > 0 && rest === decimals ? sequence(literal('.'), part) : part

const any = (count: number, decimals: number): Part =>
  sequence(...Array.from({ length: count }, (_, index) => at(count - index, decimals, digit())))

/** Digit strings of one length from `low` to `high`; undefined: no bound on that side any more. */
const between = (
  low: readonly number[] | undefined,
  high: readonly number[] | undefined,
  rest: number,
  decimals: number,
): Part => {
  if (rest === 0) return nothing
  if (low === undefined && high === undefined) return any(rest, decimals)
  const [first, last] = [low?.[0] ?? 0, high?.[0] ?? 9]
  const next = (value: readonly number[] | undefined) => value?.slice(1)
  const branch = (part: Part, lower?: readonly number[], upper?: readonly number[]): Part =>
    at(rest, decimals, sequence(part, between(lower, upper, rest - 1, decimals)))
  if (first > last) return never
  if (first === last) {
    const lower = low === undefined ? undefined : next(low)
    return branch(digit(first, first), lower, high === undefined ? undefined : next(high))
  }
  const [inner, outer] = [
    low === undefined ? first : first + 1,
    high === undefined ? last : last - 1,
  ]
  return choice(
    ...(low === undefined ? [] : [branch(digit(first, first), next(low))]),
    ...(inner <= outer ? [branch(digit(inner, outer))] : []),
    ...(high === undefined ? [] : [branch(digit(last, last), undefined, next(high))]),
  )
}

/** From `low` to `high`, both at least 0, in units of the last of `decimals` digits. */
const unsigned = (low: number, high: number, decimals: number): Part => {
  const branches: Part[] = []
  for (let length = decimals + 1; length <= String(LARGEST).length; length++) {
    const [least, most] = [length === decimals + 1 ? 0 : 10 ** (length - 1), 10 ** length - 1]
    const [from, to] = [Math.max(low, least), Math.min(high, most)]
    if (from <= to) branches.push(between(pad(from, length), pad(to, length), length, decimals))
  }
  return branches.length === 0 ? never : choice(...branches)
}

/** Whole multiples of 10^-decimals from `low` to `high`, both given in that unit and inclusive. */
export const fixedPoint = (low: number, high: number, decimals = 0): Part =>
  choice(
    sequence(literal('-'), unsigned(Math.max(1, -high), -low, decimals)),
    unsigned(Math.max(0, low), high, decimals),
  )

export interface Bound {
  readonly value: number
  readonly exclusive: boolean
}

/** As `real`, for bounds of at least 0. */
const unsignedReal = (low: Bound, high: Bound, decimals: number, places: number): Part => {
  const point = decimals === 0 ? literal('.') : nothing
  const further = places === 0 ? nothing : optional(sequence(point, repeat(digit(), 1, places)))
  const aboveZero = choice(
    ...Array.from({ length: places }, (_, zeros) =>
      sequence(
        point,
        repeat(digit(0, 0), zeros, zeros),
        digit(1, 9),
        repeat(digit(), 0, places - zeros - 1),
      ),
    ),
  )
  const exactly = (value: number): Part => unsigned(value, value, decimals)
  const from = low.exclusive ? low.value + 1 : low.value
  const branches: Part[] = []
  if (from < high.value) branches.push(sequence(unsigned(from, high.value - 1, decimals), further))
  if (low.exclusive && low.value < high.value && places > 0)
    branches.push(sequence(exactly(low.value), aboveZero))
  const touches = low.value < high.value || (low.value === high.value && !low.exclusive)
  if (touches && !high.exclusive) branches.push(exactly(high.value))
  return branches.length === 0 ? never : choice(...branches)
}

/** Numbers between bounds in units of the last of `decimals` digits, which are written, and at most `places` more. */
export const real = (low: Bound, high: Bound, decimals: number, places: number): Part => {
  const zero = { value: 0, exclusive: false }
  const negate = ({ value, exclusive }: Bound): Bound => ({ value: -value, exclusive })
  const above = high.value < 0 ? negate(high) : { value: 0, exclusive: true }
  return choice(
    low.value < 0
      ? sequence(literal('-'), unsignedReal(above, negate(low), decimals, places))
      : never,
    high.value >= 0 ? unsignedReal(low.value >= 0 ? low : zero, high, decimals, places) : never,
  )
}
