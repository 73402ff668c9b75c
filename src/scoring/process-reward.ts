/**
 * Process reward: how likely each step is right (Lightman et al. 2023; Wang et al. 2024, Math-Shepherd). Native where
 * the model scores steps in one pass; otherwise a language model acts as the critic and names the numbers.
 */
import { RefineError } from '../core/errors.ts'
import type { CallOptions, LanguageModel } from '../core/language-model.ts'
import type { RolePrompts } from '../core/prompts.ts'
import type { Aggregate, Score, Scorer } from '../core/scorer.ts'
import type { Task } from '../core/task.ts'
import { askForVerdict } from './reply.ts'

/** From this probability on a step is right enough to count for nothing in `clipped`. */
const CLIP = 0.5

/**
 * In [0, 1]; the list must not be empty. `clipped` orders as the bounded sum of "On Designing Effective RL Reward at
 * Training Time" (Gao et al. 2024, arXiv:2410.15115) does, Σ min(p − ½, 0): right steps, however often they are
 * repeated, gain nothing. Here it is its exponential, 1 where no step is below ½.
 */
export const aggregateSteps = (steps: readonly number[], aggregate: Aggregate): number => {
  switch (aggregate) {
    case 'product':
      return steps.reduce((product, step) => product * step, 1)
    case 'min':
      return Math.min(...steps)
    case 'last':
      return steps.at(-1)!
    case 'mean':
      return steps.reduce((sum, step) => sum + step, 0) / steps.length
    case 'clipped':
      return Math.exp(steps.reduce((sum, step) => sum + Math.min(step - CLIP, 0), 0))
  }
}

export const hasNativeSteps = (model: LanguageModel): boolean =>
  model.capabilities.step_scores === 'native' && model.scoreSteps !== undefined

const SAMPLE_TASK: Task = { messages: [{ role: 'user', content: 'x' }], sampling: {} }

/** Whether the model can score steps, by itself or as a critic. */
export const canScoreSteps = (model: LanguageModel, prompts: RolePrompts): boolean =>
  hasNativeSteps(model) || prompts.verifyVerdict(SAMPLE_TASK, ['x']) !== undefined

const unreadable = (code: string, message: string): Score => ({
  score: null,
  warning: { code, message },
})

const criticise = async (
  model: LanguageModel,
  prompts: RolePrompts,
  task: Task,
  steps: readonly string[],
  options: CallOptions,
): Promise<readonly number[] | undefined> => {
  const prompt = prompts.verifyVerdict(task, steps)
  if (prompt === undefined) {
    throw new RefineError(
      'scorer_unavailable',
      `Model ${model.id} can neither score steps nor act as a critic of steps.`,
    )
  }
  const read = (text: string) => prompts.readStepVerdict(text, steps.length)
  return (await askForVerdict(model, prompt, read, options)).value
}

/**
 * Step scores that one model gave or is giving, by task and draft: the outcome and the process reward share one pass,
 * also when they are asked for side by side.
 */
export type StepMemo = WeakMap<Task, Map<string, Promise<readonly number[]>>>

const scoreNatively = async (
  model: LanguageModel,
  prompts: RolePrompts,
  task: Task,
  steps: readonly string[],
  options: CallOptions,
  memo: StepMemo,
): Promise<readonly number[]> => {
  const known = memo.get(task) ?? new Map<string, Promise<readonly number[]>>()
  memo.set(task, known)
  const key = steps.join('\n')
  const pass =
    known.get(key) ??
    model.scoreSteps!({ messages: prompts.verify(task), steps }, options).then(
      (scored) => scored.steps,
    )
  known.set(key, pass)
  try {
    return await pass
  } catch (thrown) {
    known.delete(key) // a failure says nothing about the next attempt
    throw thrown
  }
}

/** Range [0, 1]; one call per score, two when a critic's first reply cannot be read. */
export const createProcessReward = (
  model: LanguageModel,
  prompts: RolePrompts,
  aggregate: Aggregate = 'product',
  memo: StepMemo = new WeakMap(),
): Scorer => ({
  name: 'process-reward',
  range: [0, 1],
  score: async (task, draft, options) => {
    const texts = prompts.splitSteps(draft.text)
    if (texts.length === 0) return unreadable('no_steps', 'There are no steps to score.')
    const steps = hasNativeSteps(model)
      ? await scoreNatively(model, prompts, task, texts, options, memo)
      : await criticise(model, prompts, task, texts, options)
    if (steps === undefined || steps.length !== texts.length) {
      return unreadable(
        'steps_unreadable',
        `There is no readable score for each of the ${texts.length} steps.`,
      )
    }
    return { score: aggregateSteps(steps, aggregate), steps }
  },
})
