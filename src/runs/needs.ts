/** Checks before a run starts whether its models can do what the options of its strategy ask of them. */
import { RefineError } from '../core/errors.ts'
import type { LanguageModel } from '../core/language-model.ts'
import type { Needs } from '../core/strategy.ts'
import type { Parts, PromptsByRole, RoleModels } from './plan.ts'

/** Runs a look-up and tells under which field of the request it failed. */
export const under = <Value>(pointer: string, lookUp: () => Value): Value => {
  try {
    return lookUp()
  } catch (cause) {
    if (!(cause instanceof RefineError) || cause.fields.length > 0) throw cause
    throw new RefineError(cause.code, cause.message, {
      fields: [{ pointer, message: cause.message }],
      cause,
    })
  }
}

const unsupported = (message: string): RefineError =>
  new RefineError('unsupported_capability', message)

/**
 * The models that the options name, by id.
 * @throws RefineError invalid_request, unknown_model, unsupported_capability, each naming the field.
 */
export const meetNeeds = (
  strategy: string,
  needs: Needs,
  models: RoleModels,
  prompts: PromptsByRole,
  parts: Parts,
): ReadonlyMap<string, LanguageModel> => {
  const { generator } = models
  for (const capability of needs.capabilities ?? []) {
    if (generator.capabilities[capability] !== 'none') continue
    throw unsupported(
      `With these options the strategy "${strategy}" needs ${capability}, which the model "${generator.id}" does not offer.`,
    )
  }
  for (const { role, form } of needs.prompts ?? []) {
    if (prompts[role][form] !== undefined) continue
    throw unsupported(
      `The strategy "${strategy}" needs a prompt of the form "${form}", which the prompt set "${prompts[role].name}" of the model "${models[role].id}" lacks.`,
    )
  }
  if (needs.sandbox === true && parts.sandbox === undefined) {
    throw unsupported(
      `With these options the strategy "${strategy}" needs a server with a sandbox.`,
    )
  }
  const scorers = parts.scorers(models, prompts)
  for (const name of needs.scorers ?? []) under('/options/scorer', () => scorers.scorer(name))
  return new Map(
    (needs.models ?? []).map(({ id, pointer }) => [id, under(pointer, () => parts.models.get(id))]),
  )
}
