/** What a client may say on the WebSocket of `/v1/responses`. */
import { Type } from 'typebox'
import { invalidField } from '../../core/errors.ts'
import { validate } from '../../core/validation.ts'
import { checkDepth } from '../json-text.ts'
import { ResponsesRequest } from './openai-responses-schema.ts'
import { unsupported, withoutNulls } from './run-choice.ts'

const StreamId = Type.String({ minLength: 1, maxLength: 256, pattern: '^[A-Za-z0-9_.-]+$' })

const Retrieval = Type.Object(
  {
    response_id: Type.String({ minLength: 1, maxLength: 128 }),
    starting_after: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  { additionalProperties: false },
)

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

const toBody = ({ generate, ...fields }: Fields): ResponsesRequest => {
  const { stream: _, ...body } = fields
  if (generate === false) throw unsupported('/generate', 'there is nothing to warm up')
  return validate(ResponsesRequest, body)
}

const read = ({ type, stream_id: lane, ...fields }: Fields): ResponsesMessage => {
  if (lane !== undefined) validate(StreamId, lane, '/stream_id')
  switch (type) {
    case 'response.create':
      return { type, body: toBody(fields) }
    case 'response.retrieve': {
      const { response_id: id, starting_after: after = -1 } = validate(Retrieval, fields)
      return { type, id, after }
    }
    case 'response.steer':
      return { type, id: fields['previous_response_id'], input: fields['input'] }
    default: {
      const known = 'response.create, response.retrieve, response.steer'
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
