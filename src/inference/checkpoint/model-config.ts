/** What `config.json` and `generation_config.json` say about a model, checked and with the defaults filled in. */
import { Type, type Static } from 'typebox'
import { describeFields, findErrors } from '../../core/validation.ts'
import {
  asList,
  samplingDefaults,
  suppressionOf,
  TokenIds,
  type GenerationConfig,
  type SamplingDefaults,
} from './generation-config.ts'
import type { Bans } from '../bans.ts'
import { readRotary, RotaryParameters, type Refuse, type Rotary } from './rotary-config.ts'
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
  readonly rotary: Rotary
  readonly tiedEmbeddings: boolean
  /** Which projections add a bias. */
  readonly biases: {
    readonly queryKeyValue: boolean
    readonly attentionOutput: boolean
    readonly feedForward: boolean
  }
  /** Whether each head of the queries and keys is normalised before the rotation. */
  readonly queryKeyNorm: boolean
  readonly window: AttentionWindow | undefined
  /** Tokens of a text, at most. */
  readonly contextLength: number
}

/** Layers that see no more than the last tokens. */
export interface AttentionWindow {
  /** So many, with the one that sees them. */
  readonly size: number
  /** For each layer, whether it is one of them. */
  readonly layers: readonly boolean[]
}

/** What the checkpoint computes of its last hidden states. `none`: nothing, they are the result. */
export type Head =
  /** The distinct `suppressed` ones are never sampled; some others are left. */
  | { readonly type: 'tokens'; readonly suppressed: readonly number[] }
  /** One vector of label scores for each position wanted, or for the end of the text. */
  | { readonly type: 'labels'; readonly of: 'tokens' | 'sequence'; readonly labels: number }
  | { readonly type: 'none' }

export interface ModelConfig {
  readonly decoder: DecoderShape
  readonly head: Head
  /** Tokens that end an answer. */
  readonly endTokens: readonly number[]
  /** Where tokens are not sampled that otherwise are. */
  readonly bans: Bans | undefined
  readonly sampling: SamplingDefaults
}

/** Tokens that a model with this head never samples. */
export const suppressedBy = (head: Head): readonly number[] =>
  head.type === 'tokens' ? head.suppressed : []

const Size = Type.Integer({ minimum: 1 })
const MaybeSize = Type.Optional(Type.Union([Size, Type.Null()]))
const Scaling = Type.Optional(Type.Union([RotaryParameters, Type.Null()]))

export const Config = Type.Object({
  model_type: Type.String(),
  architectures: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  hidden_size: Size,
  intermediate_size: Size,
  num_hidden_layers: Size,
  num_attention_heads: Size,
  num_key_value_heads: MaybeSize,
  head_dim: MaybeSize,
  vocab_size: Size,
  rms_norm_eps: Type.Number({ exclusiveMinimum: 0 }),
  rope_theta: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  rope_scaling: Scaling,
  rope_parameters: Scaling,
  partial_rotary_factor: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
  original_max_position_embeddings: MaybeSize,
  sliding_window: MaybeSize,
  use_sliding_window: Type.Optional(Type.Boolean()),
  max_window_layers: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
  layer_types: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  max_position_embeddings: Size,
  tie_word_embeddings: Type.Optional(Type.Boolean()),
  attention_bias: Type.Optional(Type.Boolean()),
  mlp_bias: Type.Optional(Type.Boolean()),
  hidden_act: Type.Optional(Type.String()),
  quantization_config: Type.Optional(Type.Unknown()),
  eos_token_id: Type.Optional(TokenIds),
  num_labels: Type.Optional(Size),
  id2label: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
})
export type Config = Static<typeof Config>

interface Architecture {
  readonly biases: DecoderShape['biases']
  readonly queryKeyNorm: boolean
  readonly window: AttentionWindow | undefined
}

const biases = (queryKeyValue = false, attentionOutput = false, feedForward = false) => ({
  queryKeyValue,
  attentionOutput,
  feedForward,
})

/** One in all layers. */
const windowOf = ({ sliding_window: size, num_hidden_layers: count }: Config) =>
  size ? { size, layers: Array.from({ length: count }, () => true) } : undefined

/** The first layers see everything, where the configuration does not name the kind of each. */
const qwenWindow = (config: Config, refuse: Refuse): AttentionWindow | undefined => {
  const window = config.use_sliding_window === true ? windowOf(config) : undefined
  if (window === undefined) return undefined
  const { layer_types: types, max_window_layers: full } = config
  if (!types) return { ...window, layers: window.layers.map((_, at) => at >= (full ?? 28)) }
  const known = types.every((type) => type === 'sliding_attention' || type === 'full_attention')
  if (!known || types.length !== window.layers.length)
    refuse('layer_types', 'full_attention or sliding_attention for each layer')
  return { ...window, layers: types.map((type) => type === 'sliding_attention') }
}

/** What an architecture fixes that its configuration does not say. SmolLM2 is a llama. */
const ARCHITECTURES: Readonly<Record<string, (config: Config, refuse: Refuse) => Architecture>> = {
  llama: (config) => ({
    biases: biases(config.attention_bias, config.attention_bias, config.mlp_bias),
    queryKeyNorm: false,
    window: windowOf(config),
  }),
  mistral: (config) => ({ biases: biases(), queryKeyNorm: false, window: windowOf(config) }),
  qwen2: (config, refuse) => ({
    biases: biases(true),
    queryKeyNorm: false,
    window: qwenWindow(config, refuse),
  }),
  qwen3: (config, refuse) => ({
    biases: biases(config.attention_bias, config.attention_bias),
    queryKeyNorm: true,
    window: qwenWindow(config, refuse),
  }),
}

const decoderShape = (config: Config, refuse: Refuse): DecoderShape => {
  const architecture = Object.hasOwn(ARCHITECTURES, config.model_type)
    ? ARCHITECTURES[config.model_type]!(config, refuse)
    : refuse('model_type', `one of ${Object.keys(ARCHITECTURES).join(', ')}`)
  if ((config.hidden_act ?? 'silu') !== 'silu') refuse('hidden_act', 'silu')
  if ((config.quantization_config ?? null) !== null)
    refuse('quantization_config', 'absent, and the weights F32, F16 or BF16')
  const heads = config.num_attention_heads
  const keyValueHeads = config.num_key_value_heads ?? heads
  if (heads % keyValueHeads !== 0)
    refuse('num_attention_heads', 'a multiple of num_key_value_heads')
  const headSize = config.head_dim ?? config.hidden_size / heads
  if (!Number.isInteger(headSize) || headSize % 2 !== 0) refuse('head_dim', 'an even integer')
  const contextLength = config.max_position_embeddings
  const { window, ...fixed } = architecture
  return {
    layers: config.num_hidden_layers,
    hidden: config.hidden_size,
    heads,
    keyValueHeads,
    headSize,
    intermediate: config.intermediate_size,
    vocabulary: config.vocab_size,
    normEpsilon: config.rms_norm_eps,
    rotary: readRotary(config, refuse),
    tiedEmbeddings: config.tie_word_embeddings ?? false,
    ...fixed,
    // One that no text outgrows changes nothing.
    window: window && window.size < contextLength ? window : undefined,
    contextLength,
  }
}

const headOf = (
  { architectures, num_labels, id2label }: Config,
  suppressed: readonly number[],
): Head => {
  const [name = ''] = architectures ?? []
  const labels = num_labels ?? (id2label === undefined ? 2 : Object.keys(id2label).length)
  if (/For(TokenClassification|ProcessRewardModel)$/.test(name))
    return { type: 'labels', of: 'tokens', labels }
  if (name.endsWith('ForSequenceClassification')) return { type: 'labels', of: 'sequence', labels }
  if (name.endsWith('ForRewardModel')) return { type: 'labels', of: 'sequence', labels: 1 }
  return name.endsWith('Model') ? { type: 'none' } : { type: 'tokens', suppressed }
}

/**
 * Reads what `config.json` holds, or what was made of other metadata in its form.
 * @param file named by errors
 * @throws RefineError model_failed naming the file and the field, also for an architecture we do not know.
 */
export const parseModelConfig = (
  file: string,
  value: unknown,
  generation: GenerationConfig = {},
): ModelConfig => {
  const fields = findErrors(Config, value)
  if (fields.length > 0) throw badModelFile(file, describeFields(fields, 'the file'))
  const config = value as Config
  const refuse: Refuse = (field, expected) => {
    throw badModelFile(file, `${field} must be ${expected}: nothing else is supported`)
  }
  const endTokens = [...asList(config.eos_token_id), ...asList(generation.eos_token_id)]
  const { suppressed, bans } = suppressionOf(file, generation, config.vocab_size, endTokens)
  return {
    decoder: decoderShape(config, refuse),
    head: headOf(config, suppressed),
    endTokens: [...new Set(endTokens)],
    bans,
    sampling: samplingDefaults(generation),
  }
}
