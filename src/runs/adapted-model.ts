/** What a model lacks and a run can make up for: a form is asked for in words, images are named in place of shown. */
import { contentText, imagesOf, withoutImages, type Message } from '../core/conversation.ts'
import type { Constraint, GenerationRequest, LanguageModel } from '../core/language-model.ts'

const instructionFor = (constraint: Constraint): string | undefined => {
  if (constraint.type !== 'json_schema') return undefined
  const { schema } = constraint
  const wanted = 'Reply with one JSON value and nothing else: no explanation, no code fence.'
  return Object.keys(schema).length === 0
    ? `${wanted} It must be an object.`
    : `${wanted} It must be valid under this JSON Schema:\n${JSON.stringify(schema)}`
}

/** The conversation with what the constraint says as the end of its system message. */
export const instructed = (
  messages: readonly Message[],
  constraint: Constraint,
): readonly Message[] => {
  const instruction = instructionFor(constraint)
  if (instruction === undefined) return messages
  const [first, ...rest] = messages
  if (first?.role !== 'system') return [{ role: 'system', content: instruction }, ...messages]
  return [{ role: 'system', content: `${contentText(first)}\n\n${instruction}` }, ...rest]
}

const readable = ({ capabilities }: LanguageModel, messages: readonly Message[]) =>
  capabilities.images === 'none' ? withoutImages(messages) : messages

const adapt = (model: LanguageModel, request: GenerationRequest): GenerationRequest => {
  const { constraint, ...rest } = request
  const messages = readable(model, request.messages)
  if (constraint?.type !== 'json_schema' || model.capabilities.constrained_output !== 'none') {
    return { ...request, messages }
  }
  return { ...rest, messages: instructed(messages, constraint) }
}

/** The same model, told in words what it lacks. Whether an answer has its form is checked elsewhere, whoever wrote it. */
export const adaptModel = (model: LanguageModel): LanguageModel => ({
  ...model,
  countTokens: (messages, tools) => model.countTokens(readable(model, messages), tools),
  generate: (request, options) => model.generate(adapt(model, request), options),
})

/** What the caller should know of it, one sentence each. */
export const adaptations = (
  messages: readonly Message[],
  constraint: Constraint | undefined,
  writer: LanguageModel,
  readers: readonly LanguageModel[],
): { readonly code: string; readonly message: string }[] => {
  const blind = readers.find(({ capabilities }) => capabilities.images === 'none')
  return [
    ...(constraint !== undefined && writer.capabilities.constrained_output === 'none'
      ? [
          {
            code: 'emulated_response_format',
            message: `"${writer.id}" is asked for the form in words and may miss it.`,
          },
        ]
      : []),
    ...(blind !== undefined && imagesOf(messages).length > 0
      ? [{ code: 'hidden_images', message: `"${blind.id}" reviews and judges without the images.` }]
      : []),
  ]
}
