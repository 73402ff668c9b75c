/** Asks the reviewer what is wrong with a candidate, and streams what it says. */
import { RefineError } from '../../core/errors.ts'
import type { Critique } from '../../core/prompts.ts'
import type { Events, Refinement } from '../compose.ts'

/** Whether someone has marked a step as wrong since the candidate was reviewed. */
export const isOutdated = (
  { context }: Refinement,
  candidate: number,
  { step, verdict }: Critique,
): boolean => {
  const marked = context.steering.markedStep(candidate)
  return marked !== undefined && (verdict !== 'wrong' || step !== marked)
}

/**
 * Yields `critique.delta` as the reviewer writes and `critique.completed` in the end. A reviewer that fails gives a
 * warning and undefined. Temperature 0: the same candidate is told the same. Where someone has marked a step as wrong,
 * that is the critique and the reviewer is not asked.
 */
export async function* critique(
  refinement: Refinement,
  candidate: number,
  stepScores?: readonly number[],
): Events<Critique | undefined> {
  const step = refinement.context.steering.markedStep(candidate)
  if (step === undefined) return yield* review(refinement, candidate, stepScores)
  const mark = { text: `Step ${step} is wrong.`, step, verdict: 'wrong' } as const
  yield { type: 'critique.completed', candidate, ...mark }
  return mark
}

async function* review(
  { task, context, pool }: Refinement,
  candidate: number,
  stepScores: readonly number[] | undefined,
): Events<Critique | undefined> {
  const prompts = context.prompts.reviewer
  const { messages, maxTokens } = prompts.review(task, pool.text(candidate), stepScores)
  const request = {
    messages,
    samples: 1,
    sampling: { temperature: 0, max_tokens: maxTokens },
    seed: 0,
  }
  let text = ''
  try {
    const chunks = context.models.reviewer.generate(request, { signal: context.signal })
    for await (const chunk of chunks) {
      if (chunk.type === 'failure') throw chunk.error
      if (chunk.type === 'warning') yield chunk
      if (chunk.type !== 'delta' || chunk.text === '') continue
      text += chunk.text
      yield { type: 'critique.delta', candidate, text: chunk.text }
    }
  } catch (thrown) {
    if (!(thrown instanceof RefineError) || context.signal.aborted) throw thrown
    yield { type: 'warning', code: thrown.code, message: thrown.message }
    return undefined
  }
  const found = prompts.readReview(text)
  yield {
    type: 'critique.completed',
    candidate,
    text: found.text,
    ...(found.step === undefined ? {} : { step: found.step }),
    ...(found.verdict === undefined ? {} : { verdict: found.verdict }),
  }
  return found
}
