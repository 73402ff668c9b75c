/**
 * PDR's workspace (Madaan et al. 2025, arXiv:2510.01123): the answers of a round are distilled into notes of bounded
 * length, and those who write the next round see these alone. It is made anew each round.
 */
import type { RoleCost, TaskSize } from '../../core/strategy.ts'
import { withoutThinking } from '../../core/thinking.ts'
import type { Events, Refinement } from '../compose.ts'
import { roleInput } from './cost.ts'
import { formOf } from './forms.ts'
import { question } from './question.ts'
import { FRAME_TOKENS } from './synthesis.ts'

/** Written by the refiner; undefined when it failed or wrote nothing, and the answers are shown themselves. */
export async function* distil(
  refinement: Refinement,
  candidates: readonly number[],
  maxTokens: number,
): Events<string | undefined> {
  const { context, pool, task } = refinement
  const texts = candidates.map((candidate) => withoutThinking(pool.text(candidate)))
  const prompt = formOf(context, 'refiner', 'distil')(task, texts, maxTokens)
  const reply = yield* question(refinement, 'refiner', prompt)
  if (reply === undefined || reply === '') return undefined
  yield { type: 'workspace.completed', candidates: [...candidates], text: reply }
  return reply
}

/** One workspace out of `drafts` answers. */
export const distilCost = (size: TaskSize, drafts: number, maxTokens: number): RoleCost => ({
  role: 'refiner',
  calls: 1,
  inputTokens: roleInput(size, drafts) + drafts * FRAME_TOKENS,
  outputTokens: maxTokens,
})
