import type { PromptSet } from '../core/language-model.ts'
import type { RolePrompts } from '../core/prompts.ts'
import { invalidField } from '../core/errors.ts'
import { COMPACT } from './compact.ts'
import { createFull, FULL } from './full.ts'
import { FULL_TEMPLATES, withWordings, type Templates, type Wordings } from './wordings.ts'

export { readWordings } from './wordings.ts'

/**
 * The role prompts for a model, in the wording it was made for (`LanguageModel.prompts`). `chosen` holds other wordings
 * by question, and under `set` the name of a set of the configuration they go on top of. The compact set has none: its
 * models were trained on its very words.
 * @throws RefineError invalid_request naming what is wrong below `/prompts`.
 */
export type PromptsFor = (set: PromptSet, chosen?: Wordings) => RolePrompts

/** @throws RefineError invalid_request naming the set of the configuration, and the wording that is wrong. */
export const createPrompts = (configured: Readonly<Record<string, Wordings>>): PromptsFor => {
  const sets = new Map(
    Object.entries(configured).map(([name, wordings]) => [
      name,
      withWordings(FULL_TEMPLATES, wordings, `/prompts/${name}`),
    ]),
  )
  const templatesOf = (name: string | undefined): Templates => {
    const found = name === undefined ? FULL_TEMPLATES : sets.get(name)
    if (found !== undefined) return found
    const known = [...sets.keys()].join(', ') || 'none'
    throw invalidField('/prompts/set', `must be a set of the configuration; there are: ${known}`)
  }
  return (set, { set: name, ...wordings } = {}) => {
    if (name === undefined && Object.keys(wordings).length === 0) {
      return set === 'compact' ? COMPACT : FULL
    }
    const templates = withWordings(templatesOf(name), wordings, '/prompts')
    return set === 'compact' ? COMPACT : createFull(name ?? 'full', templates)
  }
}

/** Without other wordings. */
export const promptsFor: PromptsFor = createPrompts({})
