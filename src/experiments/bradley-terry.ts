/** One scale of strength for more than two strategies that met in pairs. */

const ROUNDS = 10_000
const PRECISION = 1e-14

/**
 * Bradley & Terry's model (1952), P(i beats j) = sᵢ / (sᵢ + sⱼ), fitted by minorise–maximise (Hunter, Annals of
 * Statistics 2004): sᵢ ← Wᵢ / Σⱼ nᵢⱼ / (sᵢ + sⱼ). `wins[i][j]` is how often i beat j, a tie counting ½ for both.
 *
 * The strengths sum to 1. An arm that never won gets 0; the maximum exists and is unique when every group of arms lost
 * at least once to the rest, otherwise the strengths are those after 10,000 rounds.
 */
export const bradleyTerry = (wins: readonly (readonly number[])[]): number[] => {
  const count = wins.length
  let strengths = Array.from({ length: count }, () => 1 / count)
  const won = wins.map((row) => row.reduce((sum, value) => sum + value, 0))
  for (let round = 0; round < ROUNDS; round++) {
    const updated = strengths.map((strength, i) => {
      const meetings = strengths.reduce((sum, other, j) => {
        const games = i === j ? 0 : wins[i]![j]! + wins[j]![i]!
        return games === 0 ? sum : sum + games / (strength + other)
      }, 0)
      return meetings === 0 ? strength : won[i]! / meetings
    })
    const total = updated.reduce((sum, strength) => sum + strength, 0)
    const next = updated.map((strength) => strength / total)
    const moved = Math.max(...next.map((strength, i) => Math.abs(strength - strengths[i]!)))
    strengths = next
    if (moved < PRECISION) break
  }
  return strengths
}

/** P(i beats j) of two strengths. */
export const winProbability = (strength: number, other: number): number =>
  strength / (strength + other)

/** Strength on the Elo scale above another one: 400 log₁₀(s / other). */
export const eloAbove = (strength: number, other: number): number =>
  400 * Math.log10(strength / other)
