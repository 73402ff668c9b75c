/**
 * Outcome reward: how likely the whole solution is right, in [0, 1], as MAgICoRe's `o` (there: InternLM2-reward through
 * a sigmoid). A model with a head for whole answers gives its score; one that scores steps gives the score of the last one, the final answer read after the whole
 * solution, which is the outcome a Math-Shepherd verifier estimates there; any other model gives its judge's expected
 * digit over nine.
 */
import type { LanguageModel } from '../core/language-model.ts'
import type { RolePrompts } from '../core/prompts.ts'
import type { Score, Scorer } from '../core/scorer.ts'
import { createJudge } from './judge.ts'
import { createProcessReward, hasNativeSteps, type StepMemo } from './process-reward.ts'

/** By the head that was trained for it, on the question as the user asked it. */
const trained = (
  model: LanguageModel,
  scoreOutcome: NonNullable<LanguageModel['scoreOutcome']>,
): Scorer => ({
  name: 'outcome-reward',
  range: [0, 1],
  score: async ({ messages }, { text }, options): Promise<Score> => {
    const { score } = await scoreOutcome({ messages, text }, options)
    if (Number.isFinite(score)) return { score }
    const message = `${model.id} gave no number.`
    return { score: null, warning: { code: 'outcome_unreadable', message } }
  },
})

/** Range [0, 1]; one call per score where steps are scored natively, else those of the judge. */
export const createOutcomeReward = (
  model: LanguageModel,
  prompts: RolePrompts,
  memo?: StepMemo,
): Scorer => {
  if (model.scoreOutcome !== undefined) return trained(model, model.scoreOutcome.bind(model))
  const native = hasNativeSteps(model)
  const inner = native
    ? createProcessReward(model, prompts, 'last', memo)
    : createJudge(model, prompts)
  return {
    name: 'outcome-reward',
    range: [0, 1],
    score: async (task, draft, options): Promise<Score> => {
      const { score, warning } = await inner.score(task, draft, options)
      const outcome = score === null || native ? score : score / inner.range[1]
      return warning === undefined ? { score: outcome } : { score: outcome, warning }
    },
  }
}
