/** The parts of a model's tokenizer files that are looked at here; the rest is the tokenizer library's. */
import { Type, type Static } from 'typebox'

const Decoder = Type.Object({
  type: Type.String(),
  decoders: Type.Optional(Type.Array(Type.Object({ type: Type.String() }))),
})

const AddedToken = Type.Object({
  id: Type.Integer(),
  content: Type.String(),
  special: Type.Boolean(),
  /** Whether it takes the white space before it, and behind it. */
  lstrip: Type.Optional(Type.Boolean()),
  rstrip: Type.Optional(Type.Boolean()),
  /** Found in the normalised text. */
  normalized: Type.Optional(Type.Boolean()),
})
export type AddedToken = Static<typeof AddedToken>

/** Ids by token; or tokens with the logarithm of their likelihood, in the order of their ids. */
const Vocabulary = Type.Union([
  Type.Record(Type.String(), Type.Integer()),
  Type.Array(Type.Tuple([Type.String(), Type.Number()])),
])

/** `tokenizer.json` */
export const TokenizerFile = Type.Object({
  added_tokens: Type.Optional(Type.Array(AddedToken)),
  decoder: Type.Union([Decoder, Type.Null()]),
  model: Type.Object({ vocab: Vocabulary }),
})
type Fields = Readonly<Record<string, unknown>>
export type TokenizerFile = Static<typeof TokenizerFile> & { readonly model: Fields } & Fields

const Special = Type.Optional(
  Type.Union([Type.String(), Type.Object({ content: Type.String() }), Type.Null()]),
)

/** `tokenizer_config.json` */
export const TokenizerConfig = Type.Object({
  chat_template: Type.Optional(
    Type.Union([
      Type.String(),
      Type.Array(Type.Object({ name: Type.String(), template: Type.String() })),
    ]),
  ),
  bos_token: Special,
  eos_token: Special,
})
export type TokenizerConfig = Static<typeof TokenizerConfig>
