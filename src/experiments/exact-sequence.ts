/** Anytime-valid inference on proportions that needs no central limit theorem: for few units or rare events. */
import type { Interval } from './analysis.ts'
import { logBeta } from './distributions/gamma.ts'
import { anytimeTest, type AnytimeTest } from './sequential.ts'

const BISECTIONS = 50
/** Each golden section keeps 0.618 of the range; at a minimum the value is exact long before the place is. */
const GOLDEN_SECTIONS = 40

/** ln of the beta-binomial martingale at q: ln B(S+1, n−S+1) − S ln q − (n−S) ln(1−q); convex in q, least at S/n. */
const logEvidence = (successes: number, units: number, q: number): number => {
  const failures = units - successes
  const hits = successes === 0 ? 0 : successes * Math.log(q)
  const misses = failures === 0 ? 0 : failures * Math.log1p(-q)
  return logBeta(successes + 1, failures + 1) - hits - misses
}

/** Where `isInside` changes between a point inside and the end of the range. */
const edge = (inside: number, outside: number, isInside: (q: number) => boolean): number => {
  let within = inside
  let beyond = outside
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (within + beyond) / 2
    if (isInside(middle)) within = middle
    else beyond = middle
  }
  return (within + beyond) / 2
}

/**
 * Confidence sequence of one proportion: {q : B(S+1, n−S+1) < q^S (1−q)^(n−S) / α} (Robbins 1970, uniform prior).
 * Holds at every n at once, from the first unit on.
 */
export const exactInterval = (successes: number, units: number, alpha: number): Interval => {
  if (units === 0) return [0, 1]
  const isInside = (q: number): boolean => logEvidence(successes, units, q) < -Math.log(alpha)
  const peak = successes / units
  return [
    successes === 0 ? 0 : edge(peak, 0, isInside),
    successes === units ? 1 : edge(peak, 1, isInside),
  ]
}

export interface Counts {
  readonly successes: number
  readonly units: number
}

/** Least value of a convex function between two points, by golden sections. */
const leastOf = (f: (x: number) => number, from: number, to: number): number => {
  const golden = (Math.sqrt(5) - 1) / 2
  let low = from
  let high = to
  let left = high - golden * (high - low)
  let right = low + golden * (high - low)
  let atLeft = f(left)
  let atRight = f(right)
  for (let step = 0; step < GOLDEN_SECTIONS; step++) {
    if (atLeft <= atRight) {
      high = right
      right = left
      atRight = atLeft
      left = high - golden * (high - low)
      atLeft = f(left)
    } else {
      low = left
      left = right
      atLeft = atRight
      right = low + golden * (high - low)
      atRight = f(right)
    }
  }
  return Math.min(atLeft, atRight)
}

/**
 * ln of the evidence against treatment − control = change: the product of both martingales, at the control's rate that
 * suits the data best. At the true rate the product has mean 1 at every moment, so its minimum is an e-value, and the
 * product is jointly convex in rate and change, so the interval below is one.
 */
const logDifferenceEvidence = (control: Counts, treatment: Counts, change: number): number =>
  leastOf(
    (rate) =>
      logEvidence(control.successes, control.units, rate) +
      logEvidence(treatment.successes, treatment.units, rate + change),
    Math.max(0, -change),
    Math.min(1, 1 - change),
  )

/** Confidence sequence of the difference treatment − control of two proportions; excludes 0 exactly when p < α. */
export const exactDifference = (control: Counts, treatment: Counts, alpha: number): Interval => {
  if (control.units === 0 || treatment.units === 0) return [-1, 1]
  const isInside = (change: number): boolean =>
    logDifferenceEvidence(control, treatment, change) < -Math.log(alpha)
  const seen = treatment.successes / treatment.units - control.successes / control.units
  return [edge(seen, -1, isInside), edge(seen, 1, isInside)]
}

/** Test of equal proportions at every moment: the best common rate, which leaves least evidence, is the pooled one. */
export const exactDifferenceTest = (control: Counts, treatment: Counts): AnytimeTest => {
  const units = control.units + treatment.units
  if (units === 0) return anytimeTest(0)
  const rate = (control.successes + treatment.successes) / units
  return anytimeTest(
    logEvidence(control.successes, control.units, rate) +
      logEvidence(treatment.successes, treatment.units, rate),
  )
}
