/** Scores a candidate; a scorer that fails costs the score, never the run. */
import { RefineError } from '../../core/errors.ts'
import type { Score, Scorer } from '../../core/scorer.ts'
import type { StopReason, StrategyEvent } from '../../core/event.ts'
import type { Events, Refinement } from '../compose.ts'

/** Turns a failure of the scorer into a missing score; aborts and a spent budget pass through. */
const attempt = async (
  { task, context, pool }: Refinement,
  scorer: Scorer,
  candidate: number,
): Promise<Score> => {
  try {
    return await scorer.score(task, pool.draft(candidate), { signal: context.signal })
  } catch (thrown) {
    if (!(thrown instanceof RefineError) || context.signal.aborted) throw thrown
    return { score: null, warning: { code: thrown.code, message: thrown.message } }
  }
}

/** Yields the warning, if any, and `candidate.scored`; returns the score. */
export async function* score(
  refinement: Refinement,
  scorer: Scorer,
  candidate: number,
): Events<number | null> {
  const { score: value, steps, aspects, warning } = await attempt(refinement, scorer, candidate)
  if (warning !== undefined) yield { type: 'warning', ...warning }
  yield {
    type: 'candidate.scored',
    candidate,
    scorer: scorer.name,
    score: value,
    range: [...scorer.range],
    ...(steps === undefined ? {} : { steps: [...steps] }),
    ...(aspects === undefined ? {} : { aspects: [...aspects] }),
  }
  return value
}

/** Scorers that ask no model, where the generator tells what it thought of its words. */
const FREE: readonly string[] = ['likelihood', 'self-certainty', 'token-confidence', 'execution']

/** Calls that a scored draft takes when all goes well. */
export const callsPerDraft = ({ name }: Pick<Scorer, 'name'>): number =>
  FREE.includes(name) ? 1 : 2

/** Promotes by score, and stops at the threshold. */
export const selectByScore = (refinement: Refinement, scorer: Scorer, threshold?: number) =>
  function* (event: StrategyEvent): Generator<StrategyEvent, StopReason | undefined, void> {
    if (event.type !== 'candidate.scored' || event.scorer !== scorer.name) return undefined
    yield* refinement.pool.promoteBest(scorer.name)
    const best = refinement.pool.score(refinement.pool.incumbent!, scorer.name) ?? -Infinity
    return threshold !== undefined && best >= threshold ? 'threshold' : undefined
  }
