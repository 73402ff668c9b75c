/** What a client may say on a socket. Each type has a schema of its own, so that an error is about that type only. */
import { Type, type Static, type TSchema } from 'typebox'
import { invalidField } from '../core/errors.ts'
import { validate } from '../core/validation.ts'
import { Steering } from '../core/steering.ts'
import { RunRequest } from '../runs/run-request.ts'
import { readSteering } from '../runs/steering.ts'
import { checkDepth } from './json-text.ts'
import { FeedbackBody } from './routes/feedback.ts'

export const StreamId = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: '^[A-Za-z0-9_.:-]+$',
  description: 'Chosen by the client; every event of the stream carries it.',
})
const RunId = Type.String({ minLength: 1, maxLength: 128 })

const message = <Name extends string, Properties extends Record<string, TSchema>>(
  type: Name,
  properties: Properties,
) => Type.Object({ type: Type.Literal(type), ...properties }, { additionalProperties: false })

export const CLIENT_MESSAGES = {
  'run.create': message('run.create', { stream_id: StreamId, run: RunRequest }),
  'run.subscribe': message('run.subscribe', {
    stream_id: StreamId,
    run_id: RunId,
    after: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  'run.unsubscribe': message('run.unsubscribe', { stream_id: StreamId }),
  'run.cancel': message('run.cancel', { stream_id: Type.Optional(StreamId), run_id: RunId }),
  'run.steer': message('run.steer', {
    stream_id: Type.Optional(StreamId),
    run_id: RunId,
    steering: Steering,
  }),
  'feedback.create': message('feedback.create', {
    stream_id: Type.Optional(StreamId),
    run_id: RunId,
    feedback: FeedbackBody,
    idempotency_key: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: 'The same key and feedback again give what was kept, and count once.',
      }),
    ),
  }),
  ping: message('ping', { stream_id: Type.Optional(StreamId) }),
}

export type ClientMessage = Static<(typeof CLIENT_MESSAGES)[keyof typeof CLIENT_MESSAGES]>

const parse = (text: string): unknown => {
  checkDepth(text)
  try {
    return JSON.parse(text)
  } catch {
    throw invalidField('', 'The message is not valid JSON')
  }
}

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined

type MessageType = keyof typeof CLIENT_MESSAGES

/** A message that may still be wrong, with as much of it as is needed to say what the error belongs to. */
export interface ReceivedMessage {
  /** Undefined for one that there is not. */
  readonly type: MessageType | undefined
  readonly streamId: string | undefined
  /** @throws RefineError invalid_request, naming the fields at fault. */
  read(): ClientMessage
}

/** @throws RefineError invalid_request when the text is not JSON. */
export const receiveMessage = (text: string): ReceivedMessage => {
  const value = parse(text)
  const streamId = fieldOf(value, 'stream_id')
  const told = fieldOf(value, 'type')
  const type =
    typeof told === 'string' && Object.hasOwn(CLIENT_MESSAGES, told)
      ? (told as MessageType)
      : undefined
  return {
    type,
    streamId: typeof streamId === 'string' ? streamId.slice(0, 128) : undefined,
    read: () => {
      if (type === undefined) {
        throw invalidField('/type', `must be one of ${Object.keys(CLIENT_MESSAGES).join(', ')}`)
      }
      // The union of all actions would only say that none fits.
      if (type === 'run.steer') readSteering(fieldOf(value, 'steering'), '/steering')
      return validate(CLIENT_MESSAGES[type], value)
    },
  }
}
