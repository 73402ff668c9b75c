/** The beta distribution: posterior of a proportion, and the way to Student's t and the binomial. */
import { logBeta } from './gamma.ts'
import { normalQuantile } from './normal.ts'

const TINY = 1e-300
const PRECISION = 1e-16
const MAX_TERMS = 100_000

/** Continued fraction of the incomplete beta function (Abramowitz & Stegun 26.5.8), modified Lentz method. */
const fraction = (a: number, b: number, x: number): number => {
  let c = 1
  let d = 1 / (1 - ((a + b) * x) / (a + 1) || TINY)
  let value = d
  for (let m = 1; m < MAX_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / (1 + even * d || TINY)
    c = 1 + even / c || TINY
    value *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / (1 + odd * d || TINY)
    c = 1 + odd / c || TINY
    const step = d * c
    value *= step
    if (Math.abs(step - 1) < 2 * PRECISION) break
  }
  return value
}

/**
 * Regularised incomplete beta function I_x(a, b), in [0, 1]: the distribution function of Beta(a, b). A caller that
 * knows 1 − x more exactly than x, near 1, hands it in.
 */
export const betaCdf = (x: number, a: number, b: number, complement = 1 - x): number => {
  if (x <= 0) return 0
  if (complement <= 0) return 1
  const logOfX = x < 0.5 ? Math.log(x) : Math.log1p(-complement)
  const logOfComplement = x < 0.5 ? Math.log1p(-x) : Math.log(complement)
  const factor = Math.exp(a * logOfX + b * logOfComplement - logBeta(a, b))
  return x < (a + 1) / (a + b + 2)
    ? (factor * fraction(a, b, x)) / a
    : 1 - (factor * fraction(b, a, complement)) / b
}

/** Density of Beta(a, b) at x in (0, 1). */
export const betaDensity = (x: number, a: number, b: number): number => {
  if (x < 0 || x > 1) return 0
  const log =
    (a === 1 ? 0 : (a - 1) * Math.log(x)) + (b === 1 ? 0 : (b - 1) * Math.log1p(-x)) - logBeta(a, b)
  return Math.exp(log)
}

/**
 * The x with I_x(a, b) = p: Newton's method from the normal approximation, kept inside a bracket that bisection shrinks.
 */
export const betaQuantile = (p: number, a: number, b: number): number => {
  if (p <= 0) return 0
  if (p >= 1) return 1
  const mean = a / (a + b)
  const deviation = Math.sqrt((mean * (1 - mean)) / (a + b + 1))
  let low = 0
  let high = 1
  let x = mean + normalQuantile(p) * deviation
  for (let step = 0; step < 200; step++) {
    if (!(x > low && x < high)) x = (low + high) / 2
    const error = betaCdf(x, a, b) - p
    if (error < 0) low = x
    else high = x
    const next = x - error / betaDensity(x, a, b)
    if (Math.abs(next - x) <= 1e-15 * x || high - low <= 1e-16 * high) return x
    x = next
  }
  return x
}
