import type { PromptSet } from '../core/language-model.ts'
import type { RolePrompts } from '../core/prompts.ts'
import { COMPACT } from './compact.ts'
import { FULL } from './full.ts'

const SETS: Readonly<Record<PromptSet, RolePrompts>> = { compact: COMPACT, full: FULL }

/** The role prompts in the wording a model was made for (`LanguageModel.prompts`). */
export const promptsFor = (set: PromptSet): RolePrompts => SETS[set]
