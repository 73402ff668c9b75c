/** What a server says on a socket beside the events of runs. */
import { Type } from 'typebox'
import { RUN_STATUSES } from '../core/run-state.ts'
import { OpenAiError } from './problem.ts'
import { Feedback } from './routes/feedback.ts'
import { CLIENT_MESSAGES, StreamId } from './websocket-message.ts'

const OfStream = { stream_id: Type.Optional(StreamId) }

const FieldsAtFault = Type.Object({
  errors: Type.Array(Type.Object({ pointer: Type.String(), message: Type.String() })),
})

const Fault = {
  status: Type.Integer({ description: 'The HTTP status of the same error.' }),
  error: Type.Intersect([OpenAiError, FieldsAtFault]),
}

export const SERVER_MESSAGES = {
  error: Type.Object(
    { type: Type.Literal('error'), ...OfStream, ...Fault },
    {
      description:
        'With a `stream_id` that stream has ended, or never began; without one a message could not be understood. The ' +
        'socket stays open.',
    },
  ),
  'message.refused': Type.Object(
    {
      type: Type.Literal('message.refused'),
      refused: Type.Enum(Object.keys(CLIENT_MESSAGES), {
        description: 'Type of the message, whose `stream_id` is repeated.',
      }),
      ...OfStream,
      ...Fault,
    },
    {
      description:
        'The message changed nothing; a stream of the same `stream_id` goes on. Of `run.create` and `run.subscribe` when ' +
        'that `stream_id` is in use.',
    },
  ),
  'feedback.created': Type.Object({
    type: Type.Literal('feedback.created'),
    ...OfStream,
    feedback: Feedback,
  }),
  'run.unsubscribed': Type.Object(
    { type: Type.Literal('run.unsubscribed'), stream_id: StreamId },
    { description: 'No more events of the stream come; the run goes on.' },
  ),
  'run.steer.accepted': Type.Object({
    type: Type.Literal('run.steer.accepted'),
    ...OfStream,
    run_id: Type.String(),
    status: Type.Enum([...RUN_STATUSES]),
    last_sequence: Type.Integer({ minimum: 0 }),
  }),
  'session.expiring': Type.Object(
    { type: Type.Literal('session.expiring'), seconds: Type.Number() },
    { description: 'The socket is closed then; open another and take the streams up there.' },
  ),
  pong: Type.Object({ type: Type.Literal('pong'), ...OfStream }),
}
