/** Questions that not every prompt set can ask. */
import { RefineError } from '../../core/errors.ts'
import type { PromptForm, RolePrompts } from '../../core/prompts.ts'
import type { StrategyContext } from '../../core/strategy.ts'
import type { Role } from '../../core/task.ts'

/** @throws RefineError unsupported_capability naming the form, when the set has no words for it. */
export const formIn = <Form extends PromptForm>(
  prompts: RolePrompts,
  form: Form,
): NonNullable<RolePrompts[Form]> => {
  const asked = prompts[form]
  if (asked !== undefined) return asked
  throw new RefineError(
    'unsupported_capability',
    `The prompt set "${prompts.name}" lacks a prompt of the form "${form}".`,
  )
}

/** The form in the set of a role. @throws RefineError unsupported_capability */
export const formOf = <Form extends PromptForm>(
  { prompts }: StrategyContext,
  role: Role,
  form: Form,
): NonNullable<RolePrompts[Form]> => formIn(prompts[role], form)
