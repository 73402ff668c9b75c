/** Votes among the candidates of a run, and the stop rules that only need counts. */
import type { StrategyEvent } from '../../core/event.ts'
import { countVotes, effectiveAnswers, type AnswerWeight } from '../../core/vote.ts'
import type { Pool } from './pool.ts'

/** The votes of the candidates, each with its weight. */
export const tally = (
  pool: Pool,
  candidates: readonly number[],
  weightOf: (candidate: number) => number,
): AnswerWeight[] =>
  countVotes(
    candidates.map((candidate) => ({
      candidate,
      answer: pool.answer(candidate),
      weight: weightOf(candidate),
    })),
  )

/** The weights of voters; one each where nobody has any. */
export const orOneEach = (
  candidates: readonly number[],
  weigh: (candidate: number) => number,
): ((candidate: number) => number) =>
  candidates.some((candidate) => weigh(candidate) > 0) ? weigh : () => 1

/**
 * Counts the votes of the candidates, tells them, and promotes a candidate of the leading answer when that answer
 * outweighs the incumbent's own: its heaviest voter, the first of equals. Candidates without an answer abstain; where nobody
 * has any weight, each has one vote.
 */
export function* vote(
  pool: Pool,
  candidates: readonly number[],
  weigh: (candidate: number) => number,
): Generator<StrategyEvent, AnswerWeight[], void> {
  const weightOf = orOneEach(candidates, weigh)
  const answers = tally(pool, candidates, weightOf)
  yield {
    type: 'vote.updated',
    answers: answers.map((entry) => ({ ...entry, candidates: [...entry.candidates] })),
    effective_answers: effectiveAnswers(answers),
  }
  const leader = answers[0]
  if (leader === undefined || pool.incumbent === undefined) return answers
  const own = pool.answer(pool.incumbent)
  const held = answers.find(({ answer }) => answer === own)?.weight ?? 0
  if (leader.weight <= held) return answers
  const voters = leader.candidates.filter((candidate) => pool.mayLead(candidate))
  if (voters.length === 0) return answers
  const voter = voters.reduce((best, candidate) =>
    weightOf(candidate) > weightOf(best) ? candidate : best,
  )
  yield pool.promote(voter, 'vote', leader.weight)
  return answers
}

/**
 * Probability that the leading answer is the majority, given `a` votes for it and `b` for the next one, under a
 * uniform prior: P = 1 − I_½(a+1, b+1), which for whole numbers is how likely a fair coin shows at most `a` heads in
 * a+b+1 throws.
 * Source: Adaptive-Consistency, Aggarwal et al. 2023, arXiv:2305.11860. `a` and `b` up to about 500.
 */
export const majorityProbability = (a: number, b: number): number => {
  const draws = a + b + 1
  let term = 0.5 ** draws
  let sum = 0
  for (let successes = 0; successes <= a; successes++) {
    sum += term
    term *= (draws - successes) / (successes + 1)
  }
  return Math.min(1, sum)
}
