/** The chi-square distribution. */
import { upperGamma } from './gamma.ts'

/** P(X > x) with `df` degrees of freedom: Q(df/2, x/2). */
export const chiSquareSurvival = (x: number, df: number): number => upperGamma(df / 2, x / 2)
