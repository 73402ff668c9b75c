/** Chooses the next token of a row from what the graph's token head returned; see `graphs/token-head.ts`. */
import type { SamplingParameters } from './protocol.ts'
import type { Outputs } from './runtime/session.ts'

/** How far down the ends of `top_p` and `min_p` are looked for before all logits are sorted. */
const NUCLEUS_LIMIT = 512

export interface TokenLikelihood {
  readonly token: number
  readonly logProbability: number
}

/** A token with the logit that it was chosen by. */
export interface Choice {
  readonly token: number
  readonly logit: number
}

/** What a choice for R rows is made of, ready to be read row by row. */
export interface ChoiceResults {
  readonly drawn: Int32Array
  readonly drawnLogits: Float32Array
  readonly topLogits: Float32Array
  readonly topTokens: Int32Array
  readonly topCount: number
  readonly scaledMass: Float32Array
  /** Present only when `needsLogits` asked for it. */
  readonly logits: Float32Array | undefined
  readonly vocabulary: number
}

/** Outputs of the token head: the choice among the model's own logits, and what makes them log-probabilities. */
export interface HeadResults extends ChoiceResults {
  readonly normaliser: Float32Array
}

export const CHOICE_OUTPUTS = [
  'drawn',
  'drawn_logit',
  'top_logits',
  'top_tokens',
  'scaled_mass',
] as const

export const readChoice = (
  outputs: Outputs,
  topCount: number,
  vocabulary: number,
): ChoiceResults => ({
  drawn: outputs['drawn'] as Int32Array,
  drawnLogits: outputs['drawn_logit'] as Float32Array,
  topLogits: outputs['top_logits'] as Float32Array,
  topTokens: outputs['top_tokens'] as Int32Array,
  topCount,
  scaledMass: outputs['scaled_mass'] as Float32Array,
  logits: outputs['logits'] as Float32Array | undefined,
  vocabulary,
})

export const readHead = (outputs: Outputs, topCount: number, vocabulary: number): HeadResults => ({
  ...readChoice(outputs, topCount, vocabulary),
  normaliser: outputs['normaliser'] as Float32Array,
})

/** Whether what is kept depends on the probabilities, and so may be any number of tokens. */
const isCutByProbability = ({ temperature, topP, topK, minP }: SamplingParameters): boolean =>
  temperature > 0 && topK === 0 && (topP < 1 || minP > 0)

/** How many of the highest logits a row needs, beside the alternatives it reports. */
export const topCountFor = (sampling: SamplingParameters, vocabulary: number): number => {
  if (sampling.temperature === 0) return 1
  if (sampling.topK > 0) return Math.min(sampling.topK, vocabulary)
  return isCutByProbability(sampling) ? Math.min(NUCLEUS_LIMIT, vocabulary) : 1
}

/** Whether a row may need every logit: a nucleus can be wider than the part that is sorted in the graph. */
export const needsLogits = (sampling: SamplingParameters, vocabulary: number): boolean =>
  isCutByProbability(sampling) && vocabulary > NUCLEUS_LIMIT

interface Ranking {
  readonly token: (rank: number) => number
  readonly logit: (rank: number) => number
  readonly count: number
}

const rankingOf = (head: ChoiceResults, row: number, count: number): Ranking => {
  const start = row * head.topCount
  return {
    token: (rank) => head.topTokens[start + rank]!,
    logit: (rank) => head.topLogits[start + rank]!,
    count,
  }
}

const sortAll = (head: ChoiceResults, logits: Float32Array, row: number): Ranking => {
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
  if (topP === 1) return undefined
  let sum = 0
  for (let rank = 0; rank < masses.length; rank++) {
    sum += masses[rank]!
    if (sum >= topP * total) return rank + 1
  }
  return undefined
}

/** How many ranks are kept; undefined: all, or more than the ranking has. */
const keptSize = (
  masses: Float64Array,
  { topP, minP }: SamplingParameters,
  total: number,
): number | undefined => {
  const nucleus = nucleusSize(masses, topP, total)
  // Masses are relative to the highest, which is 1.
  const likely = minP === 0 ? -1 : masses.findIndex((mass) => mass < minP)
  return likely < 0 ? nucleus : Math.min(likely, nucleus ?? likely)
}

/** Never a rank without mass: that may be a token which is not allowed. */
const drawRank = (masses: Float64Array, count: number, uniform: number): number => {
  const kept = masses.subarray(0, count)
  let target = uniform * kept.reduce((sum, mass) => sum + mass, 0)
  for (let rank = 0; rank < count; rank++) {
    target -= kept[rank]!
    if (target < 0) return rank
  }
  return Math.max(
    0,
    kept.findLastIndex((mass) => mass > 0),
  )
}

/**
 * Nucleus sampling (Holtzman et al. 2020, arXiv:1904.09751), after top-k where both are asked for, and min-p (Nguyen et
 * al. 2024, arXiv:2407.01082), both after the temperature.
 */
const drawTruncated = (
  head: ChoiceResults,
  row: number,
  sampling: SamplingParameters,
  uniform: number,
): Choice => {
  const { temperature, topK } = sampling
  let ranking = rankingOf(head, row, topK > 0 ? Math.min(topK, head.topCount) : head.topCount)
  let masses = massesOf(ranking, temperature)
  const sum = masses.reduce((total, mass) => total + mass, 0)
  let count = keptSize(masses, sampling, topK > 0 ? sum : head.scaledMass[row]!)
  if (count === undefined && topK === 0 && head.logits !== undefined) {
    ranking = sortAll(head, head.logits, row)
    masses = massesOf(ranking, temperature)
    count = keptSize(masses, sampling, head.scaledMass[row]!)
  }
  const rank = drawRank(masses, count ?? ranking.count, uniform)
  return { token: ranking.token(rank), logit: ranking.logit(rank) }
}

/** `uniform` is the number that the graph drew with. */
export const chooseToken = (
  head: ChoiceResults,
  row: number,
  sampling: SamplingParameters,
  uniform: number,
): Choice => {
  const { temperature, topP, topK, minP } = sampling
  if (temperature === 0) {
    const likeliest = rankingOf(head, row, 1)
    return { token: likeliest.token(0), logit: likeliest.logit(0) }
  }
  return topK === 0 && topP === 1 && minP === 0
    ? { token: head.drawn[row]!, logit: head.drawnLogits[row]! }
    : drawTruncated(head, row, sampling, uniform)
}

/** The most likely tokens of a row with their log-probabilities, highest first. */
export const alternativesOf = (
  head: HeadResults,
  row: number,
  count: number,
): TokenLikelihood[] => {
  const ranking = rankingOf(head, row, Math.min(count, head.topCount))
  return Array.from({ length: ranking.count }, (_, rank) => ({
    token: ranking.token(rank),
    logProbability: ranking.logit(rank) - head.normaliser[row]!,
  }))
}
