/** Chooses the next token of a row from what the graph's token head returned; see `graphs/token-head.ts`. */
import type { SamplingParameters } from './protocol.ts'
import type { Outputs } from './runtime/session.ts'

/** How far down the nucleus of `top_p` is looked for before all logits are sorted. */
const NUCLEUS_LIMIT = 512

export interface Choice {
  readonly token: number
  readonly logProbability: number
}

/** Outputs of the token head for R rows, ready to be read row by row. */
export interface HeadResults {
  readonly drawn: Int32Array
  readonly drawnLogits: Float32Array
  readonly topLogits: Float32Array
  readonly topTokens: Int32Array
  readonly topCount: number
  readonly normaliser: Float32Array
  readonly scaledMass: Float32Array
  /** Present only when `needsLogits` asked for it. */
  readonly logits: Float32Array | undefined
  readonly vocabulary: number
}

export const readHead = (outputs: Outputs, topCount: number, vocabulary: number): HeadResults => ({
  drawn: outputs['drawn'] as Int32Array,
  drawnLogits: outputs['drawn_logit'] as Float32Array,
  topLogits: outputs['top_logits'] as Float32Array,
  topTokens: outputs['top_tokens'] as Int32Array,
  topCount,
  normaliser: outputs['normaliser'] as Float32Array,
  scaledMass: outputs['scaled_mass'] as Float32Array,
  logits: outputs['logits'] as Float32Array | undefined,
  vocabulary,
})

const usesNucleus = ({ temperature, topP, topK }: SamplingParameters): boolean =>
  temperature > 0 && topP < 1 && topK === 0

/** How many of the highest logits a row needs, beside the alternatives it reports. */
export const topCountFor = (sampling: SamplingParameters, vocabulary: number): number => {
  if (sampling.temperature === 0) return 1
  if (sampling.topK > 0) return Math.min(sampling.topK, vocabulary)
  return usesNucleus(sampling) ? Math.min(NUCLEUS_LIMIT, vocabulary) : 1
}

/** Whether a row may need every logit: a nucleus can be wider than the part that is sorted in the graph. */
export const needsLogits = (sampling: SamplingParameters, vocabulary: number): boolean =>
  usesNucleus(sampling) && vocabulary > NUCLEUS_LIMIT

interface Ranking {
  readonly token: (rank: number) => number
  readonly logit: (rank: number) => number
  readonly count: number
}

const rankingOf = (head: HeadResults, row: number, count: number): Ranking => {
  const start = row * head.topCount
  return {
    token: (rank) => head.topTokens[start + rank]!,
    logit: (rank) => head.topLogits[start + rank]!,
    count,
  }
}

const sortAll = (head: HeadResults, logits: Float32Array, row: number): Ranking => {
  const start = row * head.vocabulary
  const order = Int32Array.from({ length: head.vocabulary }, (_, token) => token)
  order.sort((left, right) => logits[start + right]! - logits[start + left]!)
  return {
    token: (rank) => order[rank]!,
    logit: (rank) => logits[start + order[rank]!]!,
    count: head.vocabulary,
  }
}

const massesOf = (ranking: Ranking, temperature: number): Float64Array => {
  const highest = ranking.logit(0)
  return Float64Array.from({ length: ranking.count }, (_, rank) =>
    Math.exp((ranking.logit(rank) - highest) / temperature),
  )
}

/** Fewest ranks that hold the share `topP` of `total`; undefined when the ranking is too short for it. */
const nucleusSize = (masses: Float64Array, topP: number, total: number): number | undefined => {
  let sum = 0
  for (let rank = 0; rank < masses.length; rank++) {
    sum += masses[rank]!
    if (sum >= topP * total) return rank + 1
  }
  return undefined
}

const drawRank = (masses: Float64Array, count: number, uniform: number): number => {
  const kept = masses.subarray(0, count)
  let target = uniform * kept.reduce((sum, mass) => sum + mass, 0)
  for (let rank = 0; rank < count; rank++) {
    target -= kept[rank]!
    if (target < 0) return rank
  }
  return count - 1
}

/** Nucleus sampling (Holtzman et al. 2020, arXiv:1904.09751), after top-k where both are asked for. */
const drawTruncated = (
  head: HeadResults,
  row: number,
  { temperature, topP, topK }: SamplingParameters,
  uniform: number,
): { token: number; logit: number } => {
  let ranking = rankingOf(head, row, topK > 0 ? Math.min(topK, head.topCount) : head.topCount)
  let masses = massesOf(ranking, temperature)
  const sum = masses.reduce((total, mass) => total + mass, 0)
  let count = nucleusSize(masses, topP, topK > 0 ? sum : head.scaledMass[row]!)
  if (count === undefined && topK === 0 && head.logits !== undefined) {
    ranking = sortAll(head, head.logits, row)
    masses = massesOf(ranking, temperature)
    count = nucleusSize(masses, topP, head.scaledMass[row]!)
  }
  const rank = drawRank(masses, count ?? ranking.count, uniform)
  return { token: ranking.token(rank), logit: ranking.logit(rank) }
}

/** `uniform` is the number that the graph drew with; the log-probability is of the unscaled distribution. */
export const chooseToken = (
  head: HeadResults,
  row: number,
  sampling: SamplingParameters,
  uniform: number,
): Choice => {
  const { temperature, topP, topK } = sampling
  const { token, logit } =
    temperature === 0
      ? { token: head.topTokens[row * head.topCount]!, logit: head.topLogits[row * head.topCount]! }
      : topK === 0 && topP === 1
        ? { token: head.drawn[row]!, logit: head.drawnLogits[row]! }
        : drawTruncated(head, row, sampling, uniform)
  return { token, logProbability: logit - head.normaliser[row]! }
}

/** The most likely tokens of a row with their log-probabilities, highest first. */
export const alternativesOf = (head: HeadResults, row: number, count: number): Choice[] => {
  const ranking = rankingOf(head, row, Math.min(count, head.topCount))
  return Array.from({ length: ranking.count }, (_, rank) => ({
    token: ranking.token(rank),
    logProbability: ranking.logit(rank) - head.normaliser[row]!,
  }))
}
