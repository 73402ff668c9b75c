/** The configuration that a GGUF file's metadata amount to, in the form of `config.json`. */
import { badModelFile } from '../tensor-source.ts'
import type { Config } from '../model-config.ts'
import type { Header, MetadataValue } from './header.ts'

/** Architectures by GGUF's names, which count Mistral among the llamas. */
const MODEL_TYPES: Readonly<Record<string, string>> = {
  llama: 'llama',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
}

/** Ends of a turn that some files do not name as the end of text. */
const TURN_ENDS = ['<|im_end|>', '<|eot_id|>']

/** Metadata by key, checked for their type where they are used. */
export class MetadataReader {
  readonly path: string
  readonly header: Header

  constructor(path: string, header: Header) {
    this.path = path
    this.header = header
  }

  number(key: string): number | undefined {
    return this.#typed(key, 'a number', (value) => typeof value === 'number')
  }

  text(key: string): string | undefined {
    return this.#typed(key, 'a text', (value) => typeof value === 'string')
  }

  flag(key: string): boolean | undefined {
    return this.#typed(key, 'true or false', (value) => typeof value === 'boolean')
  }

  texts(key: string): readonly string[] | undefined {
    return this.#list(key, 'string')
  }

  numbers(key: string): readonly number[] | undefined {
    return this.#list(key, 'number')
  }

  /** @throws RefineError model_failed naming the key. */
  needed<Value>(key: string, value: Value | undefined): Value {
    if (value === undefined) throw this.expected(key, 'in the metadata')
    return value
  }

  expected(key: string, what: string): Error {
    return badModelFile(this.path, `expected ${key} ${what}`)
  }

  #list<Item>(key: string, type: 'string' | 'number'): readonly Item[] | undefined {
    const isList = (value: MetadataValue): boolean =>
      Array.isArray(value) && value.every((item) => typeof item === type)
    return this.#typed(key, `a list of ${type}s`, isList)
  }

  #typed<Value>(
    key: string,
    what: string,
    matches: (value: MetadataValue) => boolean,
  ): Value | undefined {
    const value = this.header.metadata.get(key)
    if (value === undefined) return undefined
    if (!matches(value)) throw this.expected(key, `to be ${what}`)
    return value as Value
  }
}

/** What stretches positions in ways we do not follow, with the value at which it does nothing. */
const NEUTRAL = {
  'scaling.attn_factor': 1,
  'scaling.yarn_attn_factor': 1,
  'scaling.yarn_ext_factor': 1,
  'scaling.yarn_log_multiplier': 0,
} as const

const refuseUnfollowed = (
  reader: MetadataReader,
  field: (name: string) => string,
  headSize: number,
): void => {
  for (const [name, neutral] of Object.entries({ ...NEUTRAL, dimension_count: headSize })) {
    const key = field(`rope.${name}`)
    if ((reader.number(key) ?? neutral) !== neutral)
      throw reader.expected(key, `to be ${neutral}: nothing else is supported`)
  }
}

const rotaryParameters = (
  reader: MetadataReader,
  field: (name: string) => string,
  divisors: readonly number[] | undefined,
): object => {
  const number = (name: string): number | undefined => reader.number(field(`rope.${name}`))
  // Older files have another name for it; 0 means none.
  const factor = (number('scaling.factor') ?? number('scale_linear')) || undefined
  const stated = reader.text(field('rope.scaling.type'))
  // A factor alone is linear, as llama.cpp reads it.
  const type = stated ?? (factor === undefined ? 'none' : 'linear')
  const given = {
    rope_theta: number('freq_base'),
    factor,
    original_max_position_embeddings: number('scaling.original_context_length'),
    beta_fast: number('scaling.yarn_beta_fast'),
    beta_slow: number('scaling.yarn_beta_slow'),
  }
  const known = Object.entries(given).filter(([, value]) => value !== undefined)
  const shared = Object.fromEntries(known)
  if (divisors === undefined) return { ...shared, rope_type: type === 'none' ? 'default' : type }
  if (type !== 'none')
    throw reader.expected(field('rope.scaling.type'), 'to be none beside rope_freqs.weight')
  return { ...shared, rope_type: 'divisors', divisors }
}

/** @throws RefineError model_failed unless the file holds a whole model of a kind we know, which is told in our words. */
const modelTypeOf = (reader: MetadataReader, architecture: string): string => {
  const modelType = MODEL_TYPES[architecture]
  if (modelType === undefined)
    throw reader.expected(
      'general.architecture',
      `to be one of ${Object.keys(MODEL_TYPES).join(', ')}, found ${architecture}`,
    )
  if ((reader.number('split.count') ?? 1) > 1)
    throw reader.expected('the whole model', 'in one file: split files are not supported')
  const experts = `${architecture}.expert_count`
  if ((reader.number(experts) ?? 0) > 0)
    throw reader.expected(experts, 'to be 0: mixtures of experts are not supported')
  return modelType
}

const endTokens = (reader: MetadataReader): number[] => {
  const tokens = reader.texts('tokenizer.ggml.tokens') ?? []
  const named = ['eos', 'eot'].map((kind) => reader.number(`tokenizer.ggml.${kind}_token_id`))
  const known = TURN_ENDS.map((text) => tokens.indexOf(text)).filter((id) => id >= 0)
  return [...named.filter((id) => id !== undefined), ...known]
}

/**
 * @param divisors the tensor `rope_freqs.weight`, where there is one
 * @throws RefineError model_failed naming the file and the metadata at fault.
 */
export const configOf = (
  reader: MetadataReader,
  divisors: readonly number[] | undefined,
): Config => {
  const architecture = reader.needed('general.architecture', reader.text('general.architecture'))
  const modelType = modelTypeOf(reader, architecture)
  const field = (name: string): string => `${architecture}.${name}`
  const size = (name: string): number => reader.needed(field(name), reader.number(field(name)))
  const { tensors } = reader.header
  const embedding = tensors.get('token_embd.weight')
  const hidden = size('embedding_length')
  const headSize = reader.number(field('attention.key_length'))
  refuseUnfollowed(reader, field, headSize ?? hidden / size('attention.head_count'))
  return {
    model_type: modelType,
    hidden_size: hidden,
    intermediate_size: size('feed_forward_length'),
    num_hidden_layers: size('block_count'),
    num_attention_heads: size('attention.head_count'),
    num_key_value_heads: reader.number(field('attention.head_count_kv')) ?? null,
    head_dim: headSize ?? null,
    vocab_size: reader.needed('token_embd.weight', embedding?.shape[0]),
    rms_norm_eps: size('attention.layer_norm_rms_epsilon'),
    rope_parameters: rotaryParameters(reader, field, divisors),
    max_position_embeddings: size('context_length'),
    sliding_window: reader.number(field('attention.sliding_window')) ?? null,
    tie_word_embeddings: !tensors.has('output.weight'),
    attention_bias: tensors.has('blk.0.attn_q.bias'),
    mlp_bias: tensors.has('blk.0.ffn_gate.bias'),
    eos_token_id: endTokens(reader),
  }
}
