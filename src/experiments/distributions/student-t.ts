/** Student's t distribution. */
import { betaCdf } from './beta.ts'
import { logBeta } from './gamma.ts'
import { normalQuantile, twoSidedNormal } from './normal.ts'

/** Above this many degrees of freedom the t and the normal distribution agree to 1e-12. */
const NORMAL_FROM = 1e12

/** P(|T| > |t|) with `df` degrees of freedom, Infinity for the normal distribution: I_{df / (df + t²)}(df/2, 1/2). */
export const twoSidedStudent = (t: number, df: number): number =>
  df > NORMAL_FROM
    ? twoSidedNormal(t)
    : betaCdf(df / (df + t * t), df / 2, 0.5, (t * t) / (df + t * t))

/** P(T > t). */
export const studentSurvival = (t: number, df: number): number => {
  const half = twoSidedStudent(t, df) / 2
  return t >= 0 ? half : 1 - half
}

const density = (t: number, df: number): number =>
  Math.exp(-0.5 * (df + 1) * Math.log1p((t * t) / df) - logBeta(df / 2, 0.5)) / Math.sqrt(df)

/**
 * The t with P(T ≤ t) = p: Newton's method inside a bracket, from the normal quantile. p in (0, 1), df > 0.
 */
export const studentQuantile = (p: number, df: number): number => {
  if (p === 0.5) return 0
  if (df > NORMAL_FROM) return normalQuantile(p)
  if (p < 0.5) return -studentQuantile(1 - p, df)
  const tail = 2 * (1 - p)
  let low = 0
  let high = Infinity
  let t = normalQuantile(p)
  for (let step = 0; step < 200; step++) {
    const error = twoSidedStudent(t, df) - tail
    if (error > 0) low = t
    else high = t
    let next = t + error / (2 * density(t, df))
    if (!(next > low && next < high)) next = high === Infinity ? 2 * t : (low + high) / 2
    if (Math.abs(next - t) <= 1e-14 * t) return next
    t = next
  }
  return t
}
