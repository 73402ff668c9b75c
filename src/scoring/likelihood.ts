/**
 * Self-likelihood: how likely the generator finds the draft (the signal of "sharpening", Huang et al. 2024). Free when
 * the draft carries its log-probability.
 */
import { RefineError } from '../core/errors.ts'
import type { CallOptions, LanguageModel } from '../core/language-model.ts'
import type { RolePrompts } from '../core/prompts.ts'
import type { Draft, Scorer } from '../core/scorer.ts'
import type { Task } from '../core/task.ts'

/** Log-probabilities have no lower end; ranges on the wire are finite, so lower values count as this one. */
export const LOWEST_LIKELIHOOD = -1_000_000

const measure = async (
  model: LanguageModel,
  prompts: RolePrompts,
  task: Task,
  draft: Draft,
  options: CallOptions,
): Promise<{ readonly logProbability: number; readonly tokens: number }> => {
  const { logProbability, tokens = 0 } = draft
  if (logProbability !== undefined) return { logProbability, tokens }
  if (model.scoreText === undefined) {
    throw new RefineError(
      'scorer_unavailable',
      `Model ${model.id} tells no log-probabilities of this draft and cannot score a text.`,
    )
  }
  return model.scoreText({ messages: prompts.solve(task), text: draft.text }, options)
}

/**
 * Range [-1e6, 0], natural logarithm: the sum over the tokens (which favours short drafts), or with `perToken` their
 * mean. At most one call per score.
 */
export const createLikelihood = (
  model: LanguageModel,
  prompts: RolePrompts,
  perToken = false,
): Scorer => ({
  name: 'likelihood',
  range: [LOWEST_LIKELIHOOD, 0],
  score: async (task, draft, options) => {
    const { logProbability, tokens } = await measure(model, prompts, task, draft, options)
    const value = perToken ? logProbability / Math.max(1, tokens) : logProbability
    if (Number.isNaN(value)) {
      const message = 'The model gave no number for the likelihood of the draft.'
      return { score: null, warning: { code: 'likelihood_unreadable', message } }
    }
    return { score: Math.min(0, Math.max(LOWEST_LIKELIHOOD, value)) }
  },
})
