/** What the answer's text must be, in OpenAI's form. Wire data, hence snake_case. */
import { Type, type Static } from 'typebox'
import type { Constraint } from './language-model.ts'

export const ResponseFormat = Type.Object(
  {
    type: Type.Enum(['text', 'json_object', 'json_schema']),
    json_schema: Type.Optional(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-zA-Z0-9_-]+$' }),
          description: Type.Optional(Type.String({ maxLength: 100_000 })),
          schema: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
          strict: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
        },
        { additionalProperties: false },
      ),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Drafts and rewrites are made to fit; an answer that fits goes before every one that does not. `json_schema` ' +
      'with the type of that name only.',
  },
)
export type ResponseFormat = Static<typeof ResponseFormat>

const ANY_OBJECT = { type: 'object' }

/** The JSON Schema of the answer; undefined when it may be any text. */
export const schemaOf = (
  format: ResponseFormat | undefined,
): Readonly<Record<string, unknown>> | undefined => {
  if (format === undefined || format.type === 'text') return undefined
  return format.json_schema?.schema ?? ANY_OBJECT
}

/** What samples are held to; undefined when they may be any text. */
export const constraintOf = (format: ResponseFormat | undefined): Constraint | undefined => {
  const schema = schemaOf(format)
  if (schema === undefined) return undefined
  // The port's word for "any JSON object" is the empty schema.
  return { type: 'json_schema', schema: schema === ANY_OBJECT ? {} : schema }
}
