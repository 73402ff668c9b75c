/** Compares two candidates; a comparison that fails decides nothing, and never costs the run. */
import { RefineError } from '../../core/errors.ts'
import type { Comparator, Comparison } from '../../core/scorer.ts'
import type { Events, Refinement } from '../compose.ts'

/** Who won in both orders. */
export async function* compare(
  { task, context, pool }: Refinement,
  comparator: Comparator,
  left: number,
  right: number,
  seed?: number,
): Events<Comparison['winner']> {
  const numbers = { left, right, tie: null }
  const drafts = [pool.draft(left), pool.draft(right)] as const
  try {
    const options = { signal: context.signal, ...(seed === undefined ? {} : { seed }) }
    const { winner, orders } = await comparator.compare(task, ...drafts, options)
    yield {
      type: 'comparison.completed',
      candidates: [left, right],
      winner: numbers[winner],
      orders: orders.map((order) => ({
        first: numbers[order.first],
        winner: numbers[order.winner],
      })),
    }
    return winner
  } catch (thrown) {
    if (!(thrown instanceof RefineError) || context.signal.aborted) throw thrown
    yield { type: 'warning', code: thrown.code, message: thrown.message }
    return 'tie'
  }
}
