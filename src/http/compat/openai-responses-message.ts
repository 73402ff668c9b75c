/** What a client may say on the WebSocket of `/v1/responses`. */
import { Type, type TProperties } from 'typebox'
import { invalidField } from '../../core/errors.ts'
import { validate } from '../../core/validation.ts'
import { checkDepth } from '../json-text.ts'
import { withoutNulls } from './null-fields.ts'
import { SteeringInput } from './openai-responses-input.ts'
import { ResponsesRequest } from './openai-responses-schema.ts'
import { unsupported } from './run-choice.ts'

export const StreamId = Type.String({
  minLength: 1,
  maxLength: 256,
  pattern: '^[A-Za-z0-9_.-]+$',
  description: 'The lane: its requests are answered one after the other.',
})

const message = <Name extends string, Properties extends TProperties>(
  type: Name,
  properties: Properties,
) =>
  Type.Object(
    { type: Type.Literal(type), stream_id: Type.Optional(StreamId), ...properties },
    { additionalProperties: false },
  )

const ResponseId = Type.String({ minLength: 1, maxLength: 128 })

/** A field that is null counts as absent. */
export const RESPONSES_CLIENT_MESSAGES = {
  'response.create': message('response.create', {
    ...ResponsesRequest.properties,
    generate: Type.Optional(
      Type.Boolean({ description: 'False is refused: there is nothing to warm up.' }),
    ),
  }),
  'response.retrieve': message('response.retrieve', {
    response_id: ResponseId,
    starting_after: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  'response.steer': message('response.steer', {
    previous_response_id: ResponseId,
    input: SteeringInput,
  }),
}

export type ResponsesMessage =
  | { readonly type: 'response.create'; readonly body: ResponsesRequest }
  /** Ours: the events of a response behind a number, -1 for all of them. */
  | { readonly type: 'response.retrieve'; readonly id: string; readonly after: number }
  | { readonly type: 'response.steer'; readonly id: unknown; readonly input: unknown }

type Fields = Readonly<Record<string, unknown>>

const parse = (text: string): Fields => {
  checkDepth(text)
  let value: unknown
  try {
    value = withoutNulls(JSON.parse(text))
  } catch {
    throw invalidField('', 'The message is not valid JSON')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw invalidField('', 'The message must be an object')
}

const toBody = (fields: Fields): ResponsesRequest => {
  if (fields['generate'] === false) throw unsupported('/generate', 'there is nothing to warm up')
  const {
    type: _type,
    stream_id: _lane,
    stream: _stream,
    generate: _generate,
    ...body
  } = validate(RESPONSES_CLIENT_MESSAGES['response.create'], fields)
  return body
}

const read = (fields: Fields): ResponsesMessage => {
  if (fields['stream_id'] !== undefined) validate(StreamId, fields['stream_id'], '/stream_id')
  switch (fields['type']) {
    case 'response.create':
      return { type: 'response.create', body: toBody(fields) }
    case 'response.retrieve': {
      const known = validate(RESPONSES_CLIENT_MESSAGES['response.retrieve'], fields)
      const { type, response_id: id, starting_after: after = -1 } = known
      return { type, id, after }
    }
    case 'response.steer': // checked when it is taken: its faults have a reply of their own
      return { type: 'response.steer', id: fields['previous_response_id'], input: fields['input'] }
    default: {
      const known = Object.keys(RESPONSES_CLIENT_MESSAGES).join(', ')
      throw invalidField('/type', `must be one of ${known}`)
    }
  }
}

/** A message that may still be wrong, with as much of it as is needed to say to which lane the error belongs. */
export interface ReceivedMessage {
  readonly lane: string | undefined
  /** @throws RefineError invalid_request or unsupported_capability, naming the field. */
  read(): ResponsesMessage
}

/** @throws RefineError invalid_request when the text is no JSON object. */
export const receiveResponsesMessage = (text: string): ReceivedMessage => {
  const fields = parse(text)
  const { stream_id: lane } = fields
  return {
    lane: typeof lane === 'string' ? lane.slice(0, 256) : undefined,
    read: () => read(fields),
  }
}
