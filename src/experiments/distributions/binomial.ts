/** The binomial distribution. */
import { betaCdf } from './beta.ts'

/** P(X ≤ k) for X ~ Binomial(n, p): I_{1−p}(n − k, k + 1). */
export const binomialCdf = (k: number, n: number, p: number): number => {
  if (k < 0) return 0
  if (k >= n) return 1
  const whole = Math.floor(k)
  return betaCdf(1 - p, n - whole, whole + 1)
}

/** The smallest k with P(X ≤ k) ≥ q, by bisection. */
export const binomialQuantile = (q: number, n: number, p: number): number => {
  let low = -1
  let high = n
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (binomialCdf(middle, n, p) >= q) high = middle
    else low = middle
  }
  return high
}

/** Two-sided sign test of k successes in n fair trials: min(1, 2 P(X ≤ min(k, n − k))). */
export const signTest = (k: number, n: number): number =>
  n === 0 ? 1 : Math.min(1, 2 * binomialCdf(Math.min(k, n - k), n, 0.5))
