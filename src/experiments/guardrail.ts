/** Guardrails: metrics that must not get worse by more than a margin. */
import { studentQuantile, studentSurvival } from './distributions/student-t.ts'
import type { Estimate } from './estimate.ts'
import { oneSidedP, oneSidedRadius, type Tuning } from './sequential.ts'

export type Direction = 'up' | 'down'

export interface NonInferiority {
  /** Distance from the margin in standard errors. */
  readonly z: number
  /** One-sided, of the hypothesis that the arm is worse by the margin or more. */
  readonly p: number
  /** One-sided bound of the change, with the sign turned so that more is better. */
  readonly bound: number
  readonly passes: boolean
}

/**
 * The change with the sign turned so that more is better. `margin` is how much worse is still tolerated, > 0; a
 * relative one is a share of the size of the control's value, and its variance is accounted for: treatment −
 * (1 ∓ margin) control, of a control below zero treatment − (1 ± margin) control.
 */
export interface Tolerance {
  readonly direction: Direction
  readonly margin: number
  readonly relative: boolean
}

/** Slack = how far the treatment is on the good side of the margin; the arm is non-inferior when it is positive. */
export const slackOf = (control: Estimate, treatment: Estimate, tolerance: Tolerance): Estimate => {
  const { direction, margin, relative } = tolerance
  const sign = direction === 'up' ? 1 : -1
  const scale = relative ? 1 - sign * Math.sign(control.value) * margin : 1
  return {
    value: sign * (treatment.value - scale * control.value) + (relative ? 0 : margin),
    variance: treatment.variance + scale * scale * control.variance,
    units: control.units + treatment.units,
  }
}

/** Fixed-horizon test: z = slack / SE, one-sided at `alpha`, by Student with `df` degrees of freedom. */
export const nonInferiority = (
  slack: Estimate,
  { margin, alpha, df = Infinity }: { margin: number; alpha: number; df?: number },
): NonInferiority => {
  const standardError = Math.sqrt(slack.variance)
  const z = slack.value / standardError
  const p = studentSurvival(z, df)
  const bound = slack.value - margin - studentQuantile(1 - alpha, df) * standardError
  return { z, p, bound, passes: p <= alpha }
}

export interface AnytimeGuardrail {
  /** Always-valid, of the hypothesis that the arm is worse by the margin or more; null while nothing can be told. */
  readonly p: number | null
  /** The arm is not worse by the margin: shown, at level α over all looks. */
  readonly passes: boolean
  /** The arm is worse by the margin: shown, at level α over all looks. Grounds for the kill switch. */
  readonly breached: boolean
}

export const NOT_SHOWN: AnytimeGuardrail = { p: null, passes: false, breached: false }

/**
 * The same question at every moment, by the one-sided mixture sequence in each direction. Numbers of which no unit's
 * differs from another's leave nothing to doubt; truths do, where none came true yet.
 */
export const anytimeGuardrail = (
  slack: Estimate,
  tuning: Tuning,
  type: 'boolean' | 'number',
): AnytimeGuardrail => {
  const { value, variance } = slack
  if (variance === 0 && type === 'number')
    return { p: null, passes: value >= 0, breached: value < 0 }
  if (!(variance > 0) || !Number.isFinite(variance)) return NOT_SHOWN
  const radius = oneSidedRadius(slack, tuning)
  return {
    p: oneSidedP(slack, tuning),
    passes: value - radius > 0,
    breached: value + radius < 0,
  }
}
