/** Sample-ratio mismatch: whether the arms received the shares of units they should have. */
import { chiSquareSurvival } from './distributions/chi-square.ts'
import { logGamma } from './distributions/gamma.ts'

/** Below this p a split is reported as mismatched and no decision is taken (Eppo, GrowthBook). */
export const MISMATCH_BELOW = 0.001

/** Prior weight κ of the intended shares. The published default is 10,000; 100 reacts sooner. */
export const MISMATCH_CONCENTRATION = 100

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** χ² = Σ (O − E)² / E with k − 1 degrees of freedom; for one look. `weights` are relative shares, all > 0. */
export const chiSquareMismatch = (
  counts: readonly number[],
  weights: readonly number[],
): { readonly statistic: number; readonly p: number } => {
  const units = sum(counts)
  if (units === 0) return { statistic: 0, p: 1 }
  const share = units / sum(weights)
  const statistic = sum(
    counts.map((count, arm) => (count - weights[arm]! * share) ** 2 / (weights[arm]! * share)),
  )
  return { statistic, p: chiSquareSurvival(statistic, counts.length - 1) }
}

/**
 * Anytime-valid test of the split (Lindon & Malek, NeurIPS 2022): Bayes factor of Dirichlet(κθ) against θ itself,
 * ln Γ(Σa) − Σ ln Γ(aᵢ) + Σ ln Γ(aᵢ+nᵢ) − ln Γ(Σ(a+n)) − Σ nᵢ ln θᵢ with a = κθ; p = min(1, 1/BF). The factor of all
 * batches is that of their totals, so only counts are needed; the minimum of p over all looks is valid.
 */
export const sequentialMismatch = (
  counts: readonly number[],
  weights: readonly number[],
  concentration = MISMATCH_CONCENTRATION,
): { readonly logBayesFactor: number; readonly p: number } => {
  const total = sum(weights)
  const shares = weights.map((weight) => weight / total)
  const prior = shares.map((share) => share * concentration)
  const logBayesFactor =
    logGamma(concentration) -
    logGamma(concentration + sum(counts)) +
    sum(
      counts.map(
        (count, arm) =>
          logGamma(prior[arm]! + count) - logGamma(prior[arm]!) - count * Math.log(shares[arm]!),
      ),
    )
  return { logBayesFactor, p: Math.min(1, Math.exp(-logBayesFactor)) }
}
