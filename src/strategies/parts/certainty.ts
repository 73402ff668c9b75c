/** How certain a vote of one ballot each is. */
import { countVotes } from '../../core/vote.ts'
import type { Pool } from './pool.ts'

/** ln(votes of the first / votes of the second answer): infinite where all agree, 0 where nobody has an answer. */
export const certaintyOf = (pool: Pool, candidates: readonly number[]): number => {
  const votes = countVotes(
    candidates.map((candidate) => ({ candidate, answer: pool.answer(candidate), weight: 1 })),
  )
  const [first = 0, second = 0] = votes.map(({ weight }) => weight)
  return first === 0 ? 0 : Math.log(first / second)
}
