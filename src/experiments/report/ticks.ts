/** Where an axis has its marks: at numbers people count in. */

/** About so many marks on an axis. */
const MARKS = 5

const STEPS = [1, 2, 5, 10] as const

/** The least of 1, 2, 5 times a power of ten that is not below the value. */
export const roundStep = (atLeast: number): number => {
  const power = 10 ** Math.floor(Math.log10(atLeast))
  // Some tolerance: a mark too many is better than a step of 5 for a hair more than 2.
  return power * STEPS.find((step) => step * power >= atLeast * 0.999)!
}

/** Multiples of a step within the bounds, both of which are finite. */
export const multiples = ([low, high]: readonly [number, number], step: number): number[] => {
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step)
}

export const linearTicks = (bounds: readonly [number, number]): number[] =>
  multiples(bounds, roundStep((bounds[1] - bounds[0]) / MARKS))

/** Marks of a logarithmic axis, bounds and marks as exponents of ten: powers of ten, and of one alone its 1, 2 and 5. */
export const logarithmicTicks = (bounds: readonly [number, number]): number[] => {
  const [low, high] = bounds
  if (high - low >= 2) return multiples(bounds, Math.ceil((high - low) / MARKS))
  return multiples([low - 1, high], 1)
    .flatMap((exponent) => [1, 2, 5].map((part) => exponent + Math.log10(part)))
    .filter((at) => at >= low && at <= high)
}
