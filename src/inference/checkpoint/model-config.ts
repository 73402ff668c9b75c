/** What `config.json` and `generation_config.json` say about a model, checked and with the defaults filled in. */
import path from 'node:path'
import { Type, type Static } from 'typebox'
import { readJson, readOptionalJson } from './json-file.ts'
import { badModelFile } from './tensor-source.ts'

/** Shape of a decoder of the llama family. Sizes count elements. */
export interface DecoderShape {
  readonly layers: number
  readonly hidden: number
  readonly heads: number
  /** Key-value heads; each serves `heads / keyValueHeads` query heads. */
  readonly keyValueHeads: number
  readonly headSize: number
  readonly intermediate: number
  readonly vocabulary: number
  readonly normEpsilon: number
  readonly ropeTheta: number
  readonly tiedEmbeddings: boolean
  /** Whether the query, key and value projections add a bias; the output projection never does. */
  readonly attentionBias: boolean
  readonly contextLength: number
}

export interface ModelConfig {
  readonly decoder: DecoderShape
  /** Tokens that end an answer. */
  readonly endTokens: readonly number[]
  readonly sampling: SamplingDefaults
}

/** What the model's makers recommend, where a request says nothing. */
export interface SamplingDefaults {
  readonly temperature: number
  readonly topP: number
  readonly topK: number
}

const Size = Type.Integer({ minimum: 1 })
const TokenIds = Type.Union([
  Type.Integer({ minimum: 0 }),
  Type.Array(Type.Integer({ minimum: 0 })),
  Type.Null(),
])

const Config = Type.Object({
  model_type: Type.String(),
  hidden_size: Size,
  intermediate_size: Size,
  num_hidden_layers: Size,
  num_attention_heads: Size,
  num_key_value_heads: Type.Optional(Size),
  head_dim: Type.Optional(Type.Union([Size, Type.Null()])),
  vocab_size: Size,
  rms_norm_eps: Type.Number({ exclusiveMinimum: 0 }),
  rope_theta: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  rope_scaling: Type.Optional(Type.Unknown()),
  sliding_window: Type.Optional(Type.Unknown()),
  max_position_embeddings: Size,
  tie_word_embeddings: Type.Optional(Type.Boolean()),
  attention_bias: Type.Optional(Type.Boolean()),
  mlp_bias: Type.Optional(Type.Boolean()),
  hidden_act: Type.Optional(Type.String()),
  eos_token_id: Type.Optional(TokenIds),
})
type Config = Static<typeof Config>

const GenerationConfig = Type.Object({
  eos_token_id: Type.Optional(TokenIds),
  do_sample: Type.Optional(Type.Boolean()),
  temperature: Type.Optional(Type.Union([Type.Number({ minimum: 0 }), Type.Null()])),
  top_p: Type.Optional(Type.Union([Type.Number({ exclusiveMinimum: 0, maximum: 1 }), Type.Null()])),
  top_k: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
})
type GenerationConfig = Static<typeof GenerationConfig>

/** What an architecture fixes that its configuration does not say. */
const ARCHITECTURES: Readonly<Record<string, (config: Config) => { attentionBias: boolean }>> = {
  llama: (config) => ({ attentionBias: config.attention_bias ?? false }),
  mistral: () => ({ attentionBias: false }),
}

const refuse = (file: string, config: Config): void => {
  const expected = (field: string, what: string): never => {
    throw badModelFile(file, `${field} must be ${what}: nothing else is supported`)
  }
  if (!Object.hasOwn(ARCHITECTURES, config.model_type))
    expected('model_type', `one of ${Object.keys(ARCHITECTURES).join(', ')}`)
  if ((config.hidden_act ?? 'silu') !== 'silu') expected('hidden_act', 'silu')
  if (config.mlp_bias === true) expected('mlp_bias', 'false')
  if ((config.rope_scaling ?? null) !== null) expected('rope_scaling', 'absent')
  if ((config.sliding_window ?? null) !== null) expected('sliding_window', 'absent')
  const keyValueHeads = config.num_key_value_heads ?? config.num_attention_heads
  if (config.num_attention_heads % keyValueHeads !== 0)
    expected('num_attention_heads', 'a multiple of num_key_value_heads')
  const headSize = config.head_dim ?? config.hidden_size / config.num_attention_heads
  if (!Number.isInteger(headSize) || headSize % 2 !== 0) expected('head_dim', 'an even integer')
}

const decoderShape = (config: Config): DecoderShape => ({
  layers: config.num_hidden_layers,
  hidden: config.hidden_size,
  heads: config.num_attention_heads,
  keyValueHeads: config.num_key_value_heads ?? config.num_attention_heads,
  headSize: config.head_dim ?? config.hidden_size / config.num_attention_heads,
  intermediate: config.intermediate_size,
  vocabulary: config.vocab_size,
  normEpsilon: config.rms_norm_eps,
  ropeTheta: config.rope_theta ?? 10_000,
  tiedEmbeddings: config.tie_word_embeddings ?? false,
  attentionBias: ARCHITECTURES[config.model_type]!(config).attentionBias,
  contextLength: config.max_position_embeddings,
})

const samplingDefaults = (generation: GenerationConfig): SamplingDefaults =>
  generation.do_sample === false
    ? { temperature: 0, topP: 1, topK: 0 }
    : {
        temperature: generation.temperature ?? 1,
        topP: generation.top_p ?? 1,
        topK: generation.top_k ?? 0,
      }

const asList = (ids: Static<typeof TokenIds> | undefined): readonly number[] =>
  ids === undefined || ids === null ? [] : Array.isArray(ids) ? ids : [ids]

/** @throws RefineError model_failed naming the file and the field, also for an architecture we do not know. */
export const readModelConfig = (folder: string): ModelConfig => {
  const config = readJson(folder, 'config.json', Config)
  refuse(path.join(folder, 'config.json'), config)
  const generation = readOptionalJson(folder, 'generation_config.json', GenerationConfig) ?? {}
  const endTokens = new Set([...asList(config.eos_token_id), ...asList(generation.eos_token_id)])
  return {
    decoder: decoderShape(config),
    endTokens: [...endTokens],
    sampling: samplingDefaults(generation),
  }
}
