/** What a model lacks and a run can make up for: a form is asked for in words, images are named in place of shown. */
import { contentText, imagesOf, withoutImages, type Message } from '../core/conversation.ts'
import type { Constraint, GenerationRequest, LanguageModel } from '../core/language-model.ts'

type FormConstraint = Extract<Constraint, { readonly type: 'json_schema' }>

/** The form, where the model cannot be held to it and has to be asked for it in words. */
const askedForm = (
  { capabilities }: LanguageModel,
  constraint: Constraint | undefined,
): FormConstraint | undefined =>
  constraint?.type === 'json_schema' && capabilities.constrained_output === 'none'
    ? constraint
    : undefined

const instructionFor = ({ schema }: FormConstraint): string => {
  const wanted = 'Reply with one JSON value and nothing else: no explanation, no code fence.'
  return Object.keys(schema).length === 0
    ? `${wanted} It must be an object.`
    : `${wanted} It must be valid under this JSON Schema:\n${JSON.stringify(schema)}`
}

/** The instruction is the end of the system message. */
const instructed = (messages: readonly Message[], form: FormConstraint): readonly Message[] => {
  const instruction = instructionFor(form)
  const [first, ...rest] = messages
  if (first?.role !== 'system') return [{ role: 'system', content: instruction }, ...messages]
  return [{ role: 'system', content: `${contentText(first)}\n\n${instruction}` }, ...rest]
}

const readable = ({ capabilities }: LanguageModel, messages: readonly Message[]) =>
  capabilities.images === 'none' ? withoutImages(messages) : messages

/** The conversation as the model gets it. */
export const promptFor = (
  model: LanguageModel,
  messages: readonly Message[],
  constraint: Constraint | undefined,
): readonly Message[] => {
  const shown = readable(model, messages)
  const form = askedForm(model, constraint)
  return form === undefined ? shown : instructed(shown, form)
}

const adapt = (model: LanguageModel, request: GenerationRequest): GenerationRequest => {
  const { constraint, ...rest } = request
  const adapted = { ...rest, messages: promptFor(model, request.messages, constraint) }
  return askedForm(model, constraint) === undefined && constraint !== undefined
    ? { ...adapted, constraint }
    : adapted
}

/** The same model, told in words what it lacks. Whether an answer has its form is checked elsewhere, whoever wrote it. */
export const adaptModel = (model: LanguageModel): LanguageModel => ({
  ...model,
  countTokens: (messages, tools) => model.countTokens(readable(model, messages), tools),
  ...(model.prepareCount !== undefined && {
    prepareCount: (messages, tools) => model.prepareCount!(readable(model, messages), tools),
  }),
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
    ...(askedForm(writer, constraint) !== undefined
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
