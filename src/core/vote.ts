/** Votes over canonical answers. Pure arithmetic: strategies, gates and the evaluation all use it. */

export interface Ballot {
  readonly candidate: number
  /** Canonical answer, or undefined when the candidate has none and abstains. */
  readonly answer: string | undefined
  /** Not negative. */
  readonly weight: number
}

export interface AnswerWeight {
  readonly answer: string
  readonly weight: number
  /** In order of the ballots. */
  readonly candidates: readonly number[]
}

/** The answers by falling weight; ties keep the order of first appearance. */
export const countVotes = (ballots: readonly Ballot[]): AnswerWeight[] => {
  const answers = new Map<string, { answer: string; weight: number; candidates: number[] }>()
  for (const { candidate, answer, weight } of ballots) {
    if (answer === undefined) continue
    const entry = answers.get(answer) ?? { answer, weight: 0, candidates: [] }
    entry.weight += weight
    entry.candidates.push(candidate)
    answers.set(answer, entry)
  }
  return [...answers.values()].toSorted((left, right) => right.weight - left.weight)
}

/** Entropy in nats of the weights as a distribution; 0 when there is no weight at all. */
export const voteEntropy = (answers: readonly AnswerWeight[]): number => {
  const total = answers.reduce((sum, { weight }) => sum + weight, 0)
  if (total <= 0) return 0
  return answers.reduce((entropy, { weight }) => {
    const share = weight / total
    return share > 0 ? entropy - share * Math.log(share) : entropy
  }, 0)
}

/** exp(H): 1 when all agree, k when k answers have equal weight. */
export const effectiveAnswers = (answers: readonly AnswerWeight[]): number =>
  Math.exp(voteEntropy(answers))
