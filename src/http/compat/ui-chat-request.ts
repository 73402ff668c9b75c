/** The body of `/v1/ui/chat`: what the AI SDK's chat transport sends, and `refine` for ours. */
import { Type, type Static } from 'typebox'
import { invalidField } from '../../core/errors.ts'
import { Sampling, type Message } from '../../core/task.ts'
import { RunRequest } from '../../runs/run-request.ts'
import { chooseRun, ModelName, Refine, unsupported } from './run-choice.ts'

export const ChatId = Type.String({
  minLength: 1,
  maxLength: 256,
  description: 'Chosen by the client; a chat has one active run at most.',
})

/** Every kind of part at once: only text is read, and files are refused. */
const Part = Type.Object({
  type: Type.String(),
  text: Type.Optional(Type.String({ maxLength: 1_000_000 })),
})

const UiMessage = Type.Object(
  {
    id: Type.Optional(Type.String({ maxLength: 256 })),
    role: Type.Enum(['system', 'user', 'assistant']),
    parts: Type.Array(Part, { maxItems: 10_000 }),
    metadata: Type.Optional(Type.Unknown()),
  },
  { $id: 'UiMessage' },
)

export const UiChatRequest = Type.Object(
  {
    id: ChatId,
    messages: Type.Array(UiMessage, { minItems: 1, maxItems: 1000 }),
    trigger: Type.Optional(Type.Enum(['submit-message', 'regenerate-message'])),
    messageId: Type.Optional(Type.String({ maxLength: 256 })),
    model: Type.Optional(ModelName),
    refine: Type.Optional(Refine),
    sampling: Type.Optional(Sampling),
    metadata: RunRequest.properties.metadata,
    on_disconnect: Type.Optional(
      Type.Enum(['continue', 'cancel'], {
        description:
          'What becomes of the run when its reader leaves. `continue` (if absent): the reader may come back for it, and ' +
          'the stop endpoint ends it.',
      }),
    ),
  },
  { additionalProperties: false, $id: 'UiChatRequest' },
)
export type UiChatRequest = Static<typeof UiChatRequest>

const toMessages = ({ messages }: UiChatRequest): Message[] => {
  const conversation = messages.flatMap(({ role, parts }, at): Message[] => {
    const pointer = `/messages/${at}/parts`
    const file = parts.findIndex(({ type }) => type === 'file' && role === 'user')
    if (file >= 0) throw unsupported(`${pointer}/${file}/type`, 'files are not supported')
    const texts = parts.filter(({ type }) => type === 'text').map(({ text = '' }) => text)
    const content = texts.join('')
    if (content === '' && role === 'user') throw invalidField(pointer, 'must hold a text')
    return content === '' ? [] : [{ role, content }]
  })
  if (conversation.at(-1)?.role === 'user') return conversation
  throw invalidField('/messages', 'must end with a message of the user: it is the question')
}

/** @throws RefineError invalid_request or unsupported_capability, naming the field. */
export const toRunRequest = (body: UiChatRequest, known: ReadonlySet<string>): RunRequest => ({
  messages: toMessages(body),
  ...chooseRun({ model: body.model, refine: body.refine }, known),
  ...(body.sampling === undefined ? {} : { sampling: body.sampling }),
  ...(body.metadata === undefined ? {} : { metadata: body.metadata }),
})
