/** Minimum Bayes risk among the candidates of a run: the one most like the others. */
import type { StrategyEvent } from '../../core/event.ts'
import type { Pool } from './pool.ts'
import { consensusOf, type SimilarityName } from './similarity.ts'

/** Scores every candidate by its mean similarity to the others, and promotes the best. */
export function* consent(
  pool: Pool,
  candidates: readonly number[],
  similarity: SimilarityName,
): Generator<StrategyEvent, void, void> {
  const texts = candidates.map((candidate) => pool.text(candidate))
  const scores = consensusOf(texts, similarity)
  for (const [at, candidate] of candidates.entries()) {
    yield {
      type: 'candidate.scored',
      candidate,
      scorer: 'consensus',
      score: scores[at]!,
      range: [0, 1],
    }
  }
  yield* pool.promoteBest('consensus', candidates)
}
