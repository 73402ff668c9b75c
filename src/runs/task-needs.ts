/** Checks before a run starts whether its models and its strategy can keep what the task holds beside text. */
import { imagesOf } from '../core/conversation.ts'
import { RefineError } from '../core/errors.ts'
import type { LanguageModel } from '../core/language-model.ts'
import { schemaOf } from '../core/response-format.ts'
import type { Task, TaskPart } from '../core/task.ts'

const unsupported = (pointer: string, message: string): RefineError =>
  new RefineError('unsupported_capability', `${pointer} ${message}`, {
    fields: [{ pointer, message }],
  })

/** What the task holds, each with the field that holds it. */
const partsOf = (task: Task): ReadonlyMap<TaskPart, string> => {
  const parts = new Map<TaskPart, string>()
  const image = task.messages.findIndex((message) => imagesOf([message]).length > 0)
  if (image >= 0) parts.set('images', `/messages/${image}/content`)
  const call = task.messages.findIndex(({ role, tool_calls }) => role === 'tool' || tool_calls)
  if (call >= 0) parts.set('tools', `/messages/${call}`)
  if (task.tools !== undefined) parts.set('tools', '/tools')
  if (schemaOf(task.responseFormat) !== undefined) parts.set('response_format', '/response_format')
  return parts
}

const NEEDED = { images: 'images', tools: 'tools', response_format: 'constrained_output' } as const

/** An instruction stands in for constrained output, but not with models that know their own formats only. */
const canKeep = ({ capabilities, prompts }: LanguageModel, part: TaskPart): boolean =>
  capabilities[NEEDED[part]] !== 'none' || (part === 'response_format' && prompts === 'full')

/**
 * `writers` are the models that write candidates.
 * @throws RefineError unsupported_capability naming the field of the request that cannot be kept.
 */
export const checkTask = (
  task: Task,
  strategy: { readonly name: string; readonly loses: readonly TaskPart[] },
  writers: readonly LanguageModel[],
): void => {
  for (const [part, pointer] of partsOf(task)) {
    if (strategy.loses.includes(part)) {
      throw unsupported(
        pointer,
        `cannot be kept by the strategy "${strategy.name}" with its options`,
      )
    }
    const model = writers.find((each) => !canKeep(each, part))
    if (model !== undefined) {
      throw unsupported(
        pointer,
        `needs ${NEEDED[part]}, which the model "${model.id}" does not offer`,
      )
    }
  }
  const mute = writers[0]
  if (task.topLogProbabilities === undefined || mute?.capabilities.log_probabilities !== 'none')
    return
  throw unsupported(
    '/top_logprobs',
    `needs log_probabilities, which the model "${mute.id}" does not offer`,
  )
}
