/** Tools that a model may ask for, in OpenAI's form. They are proposed as candidates and never executed here. */
import { Type, type Static } from 'typebox'
import { canonicalJson } from './canonical-json.ts'

const Name = Type.String({ minLength: 1, maxLength: 128, pattern: '^[a-zA-Z0-9_.:-]+$' })

export const ToolCall = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 256 }),
    type: Type.Literal('function'),
    function: Type.Object(
      {
        name: Name,
        arguments: Type.String({
          maxLength: 1_000_000,
          description: 'JSON, as the model wrote it.',
        }),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)
export type ToolCall = Static<typeof ToolCall>

export const Tool = Type.Object(
  {
    type: Type.Literal('function'),
    function: Type.Object(
      {
        name: Name,
        description: Type.Optional(Type.String({ maxLength: 100_000 })),
        parameters: Type.Optional(
          Type.Record(Type.String(), Type.Unknown(), {
            description: 'JSON Schema of the arguments, an object; none if absent.',
          }),
        ),
        strict: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)
export type Tool = Static<typeof Tool>

export const ToolChoice = Type.Union(
  [
    Type.Enum(['none', 'auto', 'required']),
    Type.Object(
      {
        type: Type.Literal('function'),
        function: Type.Object({ name: Name }, { additionalProperties: false }),
      },
      { additionalProperties: false },
    ),
  ],
  { description: '`auto` if absent: the model decides. `required` or a function: it must call.' },
)
export type ToolChoice = Static<typeof ToolChoice>

/** The value of a JSON text; undefined when it is none. */
export const parseJson = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

/** `name(arguments)`: how a call is voted on and shown to reviewers and judges. Arguments that are no JSON stay as they are. */
export const canonicalCall = ({ function: { name, arguments: given } }: ToolCall): string => {
  const parsed = parseJson(given)
  return `${name}(${parsed === undefined ? given.trim() : canonicalJson(parsed.value)})`
}
