/** How routes describe what they answer: one media type per form, and problems for everything that goes wrong. */
import { Type, type TSchema } from 'typebox'
import { Problem } from './problem.ts'

const media = (type: string, schema: TSchema) => ({ [type]: { schema } })

export const jsonResponse = (description: string, schema: TSchema) => ({
  description,
  content: media('application/json', schema),
})

const EventStream = Type.Unsafe<string>({
  type: 'string',
  description: 'Server-sent events.',
  contentMediaType: 'application/json',
  contentSchema: { $ref: '#/components/schemas/RunEvent' },
})

const ChunkStream = Type.String({
  description: 'Server-sent events without names: chunks as OpenAI sends them, then `[DONE]`.',
})

export const streamResponse = (description: string) => ({
  description,
  content: media('text/event-stream', EventStream),
})

const jsonOrStream = (stream: TSchema) => (description: string, schema: TSchema) => ({
  description,
  content: {
    ...media('application/json', schema),
    ...media('text/event-stream', stream),
  },
})

export const jsonOrEventsResponse = jsonOrStream(EventStream)
export const jsonOrChunksResponse = jsonOrStream(ChunkStream)

const problem = (description: string) => ({
  description,
  content: media('application/problem+json', Problem),
})

export const PROBLEM_RESPONSES = {
  '4xx': problem('The request is at fault; `errors` names the fields.'),
  '5xx': problem('The server or a model is at fault.'),
}

/** The shape of every list; `first_id` and `last_id` are null for an empty one. */
export const listOf = (entry: TSchema, name: string) =>
  Type.Object(
    {
      object: Type.Literal('list'),
      data: Type.Array(entry),
      first_id: Type.Union([Type.String(), Type.Null()]),
      last_id: Type.Union([Type.String(), Type.Null()]),
      has_more: Type.Boolean(),
    },
    { $id: name },
  )

export const toList = <Entry>(
  data: readonly Entry[],
  idOf: (entry: Entry) => string,
  hasMore = false,
) => {
  const [first, last] = [data[0], data.at(-1)]
  return {
    object: 'list' as const,
    data,
    first_id: first === undefined ? null : idOf(first),
    last_id: last === undefined ? null : idOf(last),
    has_more: hasMore,
  }
}
