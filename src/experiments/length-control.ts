/** The win rate a judge would give if both answers were equally long. */
import { criticalNormal, type Interval } from './analysis.ts'

export interface MeasuredDuel {
  /** 1 when A won, 0 when B won, ½ when undecided. */
  readonly score: number
  /** Length of A's answer minus that of B's, in any unit. */
  readonly lengthDifference: number
}

export interface LengthControlled {
  readonly winRate: number
  readonly interval: Interval
  /** Log-odds per unit of tanh(length difference / its deviation): > 0 when the judge prefers long answers. */
  readonly lengthEffect: number
}

const ROUNDS = 50
/** A weak pull of both coefficients to zero, so that separated data have a finite fit. */
const RIDGE = 1e-6

const logistic = (x: number): number => 1 / (1 + Math.exp(-x))

interface Fit {
  readonly intercept: number
  readonly slope: number
}

interface Normal {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly gradient: readonly [number, number]
}

/** Curvature (a, b; b, c) and gradient of the penalised log-likelihood at the fit. */
const normalEquations = (
  points: readonly { readonly score: number; readonly x: number }[],
  { intercept, slope }: Fit,
): Normal => {
  let a = RIDGE
  let b = 0
  let c = RIDGE
  let atIntercept = -RIDGE * intercept
  let atSlope = -RIDGE * slope
  for (const { score, x } of points) {
    const p = logistic(intercept + slope * x)
    const weight = p * (1 - p)
    a += weight
    b += weight * x
    c += weight * x * x
    atIntercept += score - p
    atSlope += (score - p) * x
  }
  return { a, b, c, gradient: [atIntercept, atSlope] }
}

/**
 * Length-controlled win rate (Dubois et al., COLM 2024, without its term for the prompt's difficulty, which needs many
 * models): logit P(A wins) = θ + φ tanh(Δ / sd(Δ)), read at Δ = 0, that is logistic(θ). Fitted by Newton's method; the
 * interval is Wald's on the log-odds.
 */
export const lengthControlledWinRate = (
  duels: readonly MeasuredDuel[],
  alpha: number,
): LengthControlled => {
  const squares = duels.reduce((sum, { lengthDifference }) => sum + lengthDifference ** 2, 0)
  const mean = duels.reduce((sum, duel) => sum + duel.lengthDifference, 0) / duels.length
  const deviation = Math.sqrt(Math.max(0, squares / duels.length - mean * mean)) || 1
  const points = duels.map(({ score, lengthDifference }) => ({
    score,
    x: Math.tanh(lengthDifference / deviation),
  }))
  let fit: Fit = { intercept: 0, slope: 0 }
  let normal = normalEquations(points, fit)
  for (let round = 0; round < ROUNDS; round++) {
    const { a, b, c, gradient } = normal
    const determinant = a * c - b * b
    const limit = (step: number): number => Math.max(-2, Math.min(2, step))
    const intercept = limit((c * gradient[0] - b * gradient[1]) / determinant)
    const slope = limit((a * gradient[1] - b * gradient[0]) / determinant)
    fit = { intercept: fit.intercept + intercept, slope: fit.slope + slope }
    normal = normalEquations(points, fit)
    if (Math.abs(intercept) + Math.abs(slope) < 1e-12) break
  }
  const error = Math.sqrt(normal.c / (normal.a * normal.c - normal.b * normal.b))
  const radius = criticalNormal(alpha) * error
  return {
    winRate: logistic(fit.intercept),
    interval: [logistic(fit.intercept - radius), logistic(fit.intercept + radius)],
    lengthEffect: fit.slope,
  }
}
