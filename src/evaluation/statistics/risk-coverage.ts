/**
 * Risk and coverage of answering only above a threshold (El-Yaniv and Wiener 2010, selective classification): what share
 * of the questions is answered, and how much of that is wrong.
 */
import { groupBy } from '../grouping.ts'
import { wilson, type Interval } from './interval.ts'

/** One answered question: its score, null where there is none, and its loss in [0, 1], 0 for right. */
export interface Scored {
  readonly score: number | null
  readonly loss: number
  /** Answers to the same question have the same; a question of its own where it is left out. */
  readonly question?: string
}

export interface RiskPoint {
  /** Answers with this score and above are given. */
  readonly threshold: number
  readonly accepted: number
  /** Share of all questions; those without a score are never answered. */
  readonly coverage: number
  /** Mean loss of the answers that are given. */
  readonly risk: number
  /** Wilson, 95 %; of the share that is wrong, where losses are 0 and 1. */
  readonly interval: Interval
}

/** A point for each score there is, from the highest on: coverage rises. */
export const riskCoverage = (answers: readonly Scored[]): RiskPoint[] => {
  const known = answers
    .filter((answer): answer is Scored & { score: number } => answer.score !== null)
    .toSorted((left, right) => right.score - left.score)
  const points: RiskPoint[] = []
  let loss = 0
  for (const [at, answer] of known.entries()) {
    loss += answer.loss
    if (known[at + 1]?.score === answer.score) continue
    const accepted = at + 1
    points.push({
      threshold: answer.score,
      accepted,
      coverage: accepted / answers.length,
      risk: loss / accepted,
      interval: wilson(loss, accepted),
    })
  }
  return points
}

/** The point of the lowest threshold whose risk, or the upper end of its interval, is at most the target. */
export const lowestThreshold = (
  points: readonly RiskPoint[],
  target: number,
  by: 'risk' | 'upper' = 'risk',
): RiskPoint | undefined =>
  points.findLast(({ risk, interval }) => (by === 'risk' ? risk : interval.high) <= target)

export interface HeldOut {
  readonly answers: number
  readonly coverage: number
  /** Null where nothing was answered. */
  readonly risk: number | null
}

/** Every other question: an answer tells of the others to its question, so that they stay together. */
const halvesOf = (answers: readonly Scored[]): readonly (readonly Scored[])[] => {
  const questions = groupBy(answers, ({ question }) => question ?? Symbol('its own'))
  const halves: [Scored[], Scored[]] = [[], []]
  for (const [at, group] of [...questions.values()].entries()) halves[at % 2]!.push(...group)
  return halves
}

/**
 * What a threshold chosen so does on answers it was not chosen on: on each half of the questions by that of the other
 * half. Undefined where one half allows none.
 */
export const heldOut = (answers: readonly Scored[], target: number): HeldOut | undefined => {
  const halves = halvesOf(answers)
  const thresholds = halves.map((half) => lowestThreshold(riskCoverage(half), target)?.threshold)
  if (thresholds.includes(undefined)) return undefined
  const accepted = halves.flatMap((half, at) =>
    half.filter(({ score }) => score !== null && score >= thresholds[1 - at]!),
  )
  const loss = accepted.reduce((sum, answer) => sum + answer.loss, 0)
  return {
    answers: answers.length,
    coverage: accepted.length / Math.max(1, answers.length),
    risk: accepted.length === 0 ? null : loss / accepted.length,
  }
}
