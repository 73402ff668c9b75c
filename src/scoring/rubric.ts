/**
 * A judge with a rubric: one grade per criterion, so that a user sees what a score is made of. The score is their mean.
 *
 * Source: the aspects by which Self-Refine's feedback scores (Madaan et al. 2023, arXiv:2303.17651: five for acronyms, ten
 * for dialogues, added up). Deviations: the mean instead of the sum, so that rubrics of any length have one range; a reply
 * that cannot be read is asked for once more.
 */
import type { LanguageModel } from '../core/language-model.ts'
import type { RolePrompts } from '../core/prompts.ts'
import { CRITERIA, type Score, type Scorer } from '../core/scorer.ts'
import { RefineError } from '../core/errors.ts'
import { askForVerdict } from './reply.ts'

export const canGrade = (prompts: RolePrompts): boolean =>
  prompts.judgeRubric !== undefined && prompts.readRubric !== undefined

const graded = (criteria: readonly string[], grades: readonly number[]): Score => ({
  score: grades.reduce((sum, grade) => sum + grade, 0) / grades.length,
  aspects: criteria.map((aspect, at) => ({ aspect, score: grades[at]! })),
})

/** Range [0, 9]; one call per score, two when the first reply cannot be read. */
export const createRubric = (
  model: LanguageModel,
  prompts: RolePrompts,
  criteria: readonly string[] = CRITERIA,
): Scorer => ({
  name: 'rubric',
  range: [0, 9],
  score: async (task, { text }, options): Promise<Score> => {
    const prompt = prompts.judgeRubric?.(task, text, criteria)
    if (prompt === undefined) {
      throw new RefineError('scorer_unavailable', `${model.id} has no prompt for a rubric.`)
    }
    const read = (reply: string) => prompts.readRubric?.(reply, criteria.length)
    const { value } = await askForVerdict(model, prompt, read, options)
    if (value !== undefined) return graded(criteria, value)
    const message = `The judge gave no readable grade for each of the ${criteria.length} criteria.`
    return { score: null, warning: { code: 'judge_unreadable', message } }
  },
})
