/** What `generation_config.json` says: how to sample where a request says nothing, and what is not to be sampled. */
import path from 'node:path'
import { Type, type Static } from 'typebox'
import { Bans } from '../bans.ts'
import { badModelFile } from './tensor-source.ts'

/** What the model's makers recommend, where a request says nothing. */
export interface SamplingDefaults {
  readonly temperature: number
  readonly topP: number
  readonly topK: number
}

export const GENERATION_FILE = 'generation_config.json'

const Token = Type.Integer({ minimum: 0 })
const Tokens = Type.Optional(Type.Union([Type.Array(Token), Type.Null()]))

export const TokenIds = Type.Union([Token, Type.Array(Token), Type.Null()])

export const GenerationConfig = Type.Object({
  eos_token_id: Type.Optional(TokenIds),
  suppress_tokens: Tokens,
  begin_suppress_tokens: Tokens,
  bad_words_ids: Type.Optional(
    Type.Union([Type.Array(Type.Array(Token, { minItems: 1 })), Type.Null()]),
  ),
  do_sample: Type.Optional(Type.Boolean()),
  temperature: Type.Optional(Type.Union([Type.Number({ minimum: 0 }), Type.Null()])),
  top_p: Type.Optional(Type.Union([Type.Number({ exclusiveMinimum: 0, maximum: 1 }), Type.Null()])),
  top_k: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
})
export type GenerationConfig = Static<typeof GenerationConfig>

export const samplingDefaults = (generation: GenerationConfig): SamplingDefaults =>
  generation.do_sample === false
    ? { temperature: 0, topP: 1, topK: 0 }
    : {
        temperature: generation.temperature ?? 1,
        topP: generation.top_p ?? 1,
        topK: generation.top_k ?? 0,
      }

export const asList = (ids: Static<typeof TokenIds> | undefined): readonly number[] =>
  ids === undefined || ids === null ? [] : Array.isArray(ids) ? ids : [ids]

interface Suppression {
  /** Distinct tokens that are never sampled. */
  readonly suppressed: readonly number[]
  readonly bans: Bans | undefined
}

/**
 * As transformers has it: a bad word of one token is never sampled, unless it ends an answer.
 * @param file the configuration beside it
 * @throws RefineError model_failed when one is no token of the vocabulary, or none is left.
 */
export const suppressionOf = (
  file: string,
  { suppress_tokens, begin_suppress_tokens, bad_words_ids }: GenerationConfig,
  vocabulary: number,
  endTokens: readonly number[],
): Suppression => {
  const known = (field: string, tokens: readonly number[]): readonly number[] => {
    const refuse = (expected: string): never => {
      const generation = path.join(path.dirname(file), GENERATION_FILE)
      throw badModelFile(generation, `${field} must be ${expected}`)
    }
    const unknown = tokens.find((token) => token >= vocabulary)
    if (unknown !== undefined)
      refuse(`tokens of the vocabulary, below ${vocabulary}, and ${unknown} is none`)
    return new Set(tokens).size === vocabulary ? refuse('fewer than all tokens') : tokens
  }
  const words = (bad_words_ids ?? []).filter(
    ([first, ...rest]) => rest.length > 0 || !endTokens.includes(first!),
  )
  const suppressed = known('suppress_tokens', suppress_tokens ?? [])
  const single = words.flatMap((word) => (word.length === 1 ? word : []))
  for (const word of words) known('bad_words_ids', word)
  const never = [...new Set(known('bad_words_ids', [...suppressed, ...single]))]
  const atStart = begin_suppress_tokens ?? []
  known('begin_suppress_tokens', [...never, ...atStart])
  const sequences = words.filter(({ length }) => length > 1)
  const isEmpty = atStart.length === 0 && sequences.length === 0
  return {
    suppressed: never,
    bans: isEmpty ? undefined : new Bans({ atStart, sequences, vocabulary, never }),
  }
}
