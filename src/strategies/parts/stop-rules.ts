/** Stop rules that are arithmetic (`algorithms.md` 5). */

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** Normal density and distribution; the latter by Abramowitz and Stegun 7.1.26, error below 2e-7. */
const density = (z: number): number => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
const distribution = (z: number): number => {
  const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2)
  const series =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  const half = (1 - series * Math.exp((-z * z) / 2)) / 2
  return z < 0 ? 0.5 - half : 0.5 + half
}

/**
 * E[(v − best)+], what one more draw is expected to gain over the best of the values, if values are normal with their
 * mean and deviation: the reservation value of Pandora's box (Weitzman 1979) asks it to be above the cost of a draw.
 * At least two values.
 */
export const expectedGain = (values: readonly number[]): number => {
  const mean = average(values)
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  const deviation = Math.sqrt(squares / (values.length - 1))
  const best = Math.max(...values)
  if (deviation < 1e-12) return 0
  const z = (mean - best) / deviation
  return (mean - best) * distribution(z) + deviation * density(z)
}

/**
 * What one more round of refinement is expected to gain: (1 − b)·α − b·β, with b the belief that the answer is right, α
 * the rate at which wrong answers are repaired, β the rate at which right ones are broken (VRR-Stop; α is CS and β is
 * 1 − CL of Yang et al. 2024, "Confidence v.s. Critique").
 */
export const markovGain = (belief: number, repair: number, harm: number): number =>
  (1 - belief) * repair - belief * harm
