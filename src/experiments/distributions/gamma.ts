/** The gamma function and what is built on it. */

/** B(2k) / (2k (2k − 1)), Stirling's series (Abramowitz & Stegun 6.1.41). */
const STIRLING = [
  1 / 12,
  -1 / 360,
  1 / 1260,
  -1 / 1680,
  1 / 1188,
  -691 / 360_360,
  1 / 156,
  -3617 / 122_400,
] as const

const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI)
/** From here on eight terms of the series are exact to double precision. */
const ASYMPTOTIC_FROM = 12

/** What Stirling's formula (x − ½) ln x − x + ½ ln 2π leaves of ln Γ(x), for x ≥ 12. */
const stirlingRest = (x: number): number => {
  const square = 1 / (x * x)
  let series = 0
  for (let term = STIRLING.length - 1; term >= 0; term--) series = series * square + STIRLING[term]!
  return series / x
}

/**
 * ln Γ(x) for x > 0, to about 1e-15 of its size: Stirling's series above 12, the recurrence Γ(x + 1) = x Γ(x) below.
 */
export const logGamma = (x: number): number => {
  if (!(x > 0)) return x === 0 ? Infinity : Number.NaN
  let product = 1
  let shifted = x
  while (shifted < ASYMPTOTIC_FROM) product *= shifted++
  const main = (shifted - 0.5) * Math.log(shifted) - shifted + HALF_LOG_TWO_PI
  return main + stirlingRest(shifted) - Math.log(product)
}

/**
 * ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b), for a, b > 0. For large arguments the main terms of Stirling's formula
 * are cancelled by hand, so that the error stays near 1e-15 of the result instead of that of ln Γ.
 */
export const logBeta = (a: number, b: number): number => {
  const small = Math.min(a, b)
  const large = Math.max(a, b)
  const sum = small + large
  if (large < ASYMPTOTIC_FROM) return logGamma(a) + logGamma(b) - logGamma(sum)
  const rest = stirlingRest(large) - stirlingRest(sum)
  const shared = Math.log1p(-small / sum)
  if (small < ASYMPTOTIC_FROM) {
    return logGamma(small) + rest + small - small * Math.log(sum) + (large - 0.5) * shared
  }
  const corrected = rest + stirlingRest(small) + HALF_LOG_TWO_PI - 0.5 * Math.log(large)
  return corrected + (small - 0.5) * Math.log(small / sum) + large * shared
}

const TINY = 1e-300
const PRECISION = 1e-16
const MAX_TERMS = 100_000

/** P(a, x) by its power series (Abramowitz & Stegun 6.5.29); converges fast for x < a + 1. */
const lowerSeries = (a: number, x: number, factor: number): number => {
  let term = 1 / a
  let sum = term
  for (let n = 1; n < MAX_TERMS && Math.abs(term) > Math.abs(sum) * PRECISION; n++) {
    term *= x / (a + n)
    sum += term
  }
  return sum * factor
}

/** Q(a, x) by its continued fraction (6.5.31), evaluated with the modified Lentz method; for x ≥ a + 1. */
const upperFraction = (a: number, x: number, factor: number): number => {
  let b = x + 1 - a
  let c = 1 / TINY
  let d = 1 / b
  let value = d
  for (let n = 1; n < MAX_TERMS; n++) {
    const numerator = -n * (n - a)
    b += 2
    d = 1 / (numerator * d + b || TINY)
    c = b + numerator / c || TINY
    const step = c * d
    value *= step
    if (Math.abs(step - 1) < 2 * PRECISION) break
  }
  return value * factor
}

/** Upper regularised incomplete gamma function Q(a, x) = Γ(a, x) / Γ(a), in [0, 1]; a > 0, x ≥ 0. */
export const upperGamma = (a: number, x: number): number => {
  if (x <= 0) return 1
  if (x === Infinity) return 0
  const factor = Math.exp(a * Math.log(x) - x - logGamma(a))
  return x < a + 1 ? 1 - lowerSeries(a, x, factor) : upperFraction(a, x, factor)
}

/** Lower regularised incomplete gamma function P(a, x) = 1 − Q(a, x), exact where it is small. */
export const lowerGamma = (a: number, x: number): number => {
  if (x <= 0) return 0
  if (x === Infinity) return 1
  const factor = Math.exp(a * Math.log(x) - x - logGamma(a))
  return x < a + 1 ? lowerSeries(a, x, factor) : 1 - upperFraction(a, x, factor)
}
