/**
 * Writes a checkpoint of the llama family as GGUF version 3, for llama.cpp: matrices as Q8_0 (blocks of 32 with a scale)
 * or F16, vectors as F32. Rows of queries and keys are interleaved as its rotation expects.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { Checkpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { toHalf } from '../../src/inference/checkpoint/float-formats.ts'
import type { DecoderShape } from '../../src/inference/checkpoint/model-config.ts'
import type { TensorSource } from '../../src/inference/checkpoint/tensor-source.ts'

const ALIGNMENT = 32
const BLOCK = 32
const TYPES = { F32: 0, F16: 1, Q8_0: 8 } as const
type TensorType = keyof typeof TYPES
const KINDS = { uint32: 4, int32: 5, float32: 6, text: 8, list: 9 } as const
type Value =
  | { readonly uint32: number }
  | { readonly float32: number }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly int32s: readonly number[] }

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
const uint64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
const text = (value: string): Buffer => {
  const bytes = Buffer.from(value, 'utf8')
  return Buffer.concat([uint64(bytes.length), bytes])
}

const encode = (value: Value): Buffer => {
  if ('uint32' in value) return Buffer.concat([uint32(KINDS.uint32), uint32(value.uint32)])
  if ('float32' in value) {
    const bytes = Buffer.alloc(4)
    bytes.writeFloatLE(value.float32)
    return Buffer.concat([uint32(KINDS.float32), bytes])
  }
  if ('text' in value) return Buffer.concat([uint32(KINDS.text), text(value.text)])
  const list = (kind: number, items: readonly Buffer[]): Buffer =>
    Buffer.concat([uint32(KINDS.list), uint32(kind), uint64(items.length), ...items])
  if ('texts' in value) return list(KINDS.text, value.texts.map(text))
  return list(KINDS.int32, value.int32s.map(uint32))
}

const quantise = (values: Float32Array): Uint8Array => {
  const bytes = new Uint8Array((values.length / BLOCK) * (BLOCK + 2))
  const scale = new Float32Array(1)
  for (let start = 0, at = 0; start < values.length; start += BLOCK, at += BLOCK + 2) {
    let largest = 0
    for (let index = 0; index < BLOCK; index++)
      largest = Math.max(largest, Math.abs(values[start + index]!))
    scale[0] = largest / 127
    const [half] = toHalf(scale)
    bytes[at] = half! & 255
    bytes[at + 1] = half! >> 8
    for (let index = 0; index < BLOCK; index++)
      bytes[at + 2 + index] = scale[0] === 0 ? 0 : Math.round(values[start + index]! / scale[0]!)
  }
  return bytes
}

/** Row 2j + p of each head is row p * half + j of ours. */
const interleave = (values: Float32Array, heads: number, headSize: number): Float32Array => {
  const width = values.length / (heads * headSize)
  const result = new Float32Array(values.length)
  const half = headSize / 2
  for (let head = 0; head < heads; head++)
    for (let row = 0; row < headSize; row++) {
      const from = head * headSize + (row % 2) * half + Math.floor(row / 2)
      result.set(values.subarray(from * width, (from + 1) * width), (head * headSize + row) * width)
    }
  return result
}

interface Entry {
  readonly name: string
  readonly shape: readonly number[]
  readonly read: () => Float32Array
}

const layerEntries = (shape: DecoderShape, weights: TensorSource, layer: number): Entry[] => {
  const { hidden, heads, keyValueHeads, headSize, intermediate } = shape
  const entry = (
    name: string,
    source: string,
    dimensions: readonly number[],
    rotated = 0,
  ): Entry => ({
    name: `blk.${layer}.${name}.weight`,
    shape: dimensions,
    read: () => {
      const values = weights.read(`model.layers.${layer}.${source}.weight`, dimensions)
      return rotated === 0 ? values : interleave(values, rotated, headSize)
    },
  })
  const [all, some] = [heads * headSize, keyValueHeads * headSize]
  return [
    entry('attn_norm', 'input_layernorm', [hidden]),
    entry('attn_q', 'self_attn.q_proj', [all, hidden], heads),
    entry('attn_k', 'self_attn.k_proj', [some, hidden], keyValueHeads),
    entry('attn_v', 'self_attn.v_proj', [some, hidden]),
    entry('attn_output', 'self_attn.o_proj', [hidden, all]),
    entry('ffn_norm', 'post_attention_layernorm', [hidden]),
    entry('ffn_gate', 'mlp.gate_proj', [intermediate, hidden]),
    entry('ffn_up', 'mlp.up_proj', [intermediate, hidden]),
    entry('ffn_down', 'mlp.down_proj', [hidden, intermediate]),
  ]
}

const entriesOf = (shape: DecoderShape, weights: TensorSource): Entry[] => {
  const { hidden, vocabulary, layers, tiedEmbeddings } = shape
  const plain = (name: string, source: string, dimensions: readonly number[]): Entry => ({
    name,
    shape: dimensions,
    read: () => weights.read(source, dimensions),
  })
  const own = !tiedEmbeddings || weights.has('lm_head.weight')
  return [
    plain('token_embd.weight', 'model.embed_tokens.weight', [vocabulary, hidden]),
    plain('output_norm.weight', 'model.norm.weight', [hidden]),
    ...(own ? [plain('output.weight', 'lm_head.weight', [vocabulary, hidden])] : []),
    ...Array.from({ length: layers }, (_, layer) => layerEntries(shape, weights, layer)).flat(),
  ]
}

const vocabularyOf = (checkpoint: Checkpoint, size: number): Record<string, Value> => {
  const { model, added_tokens: added = [] } = checkpoint.tokenizer()
  const tokens = Array.from({ length: size }, (_, id) => `[UNUSED${id}]`)
  const kinds = Array.from({ length: size }, () => 5)
  for (const [token, id] of Object.entries(model.vocab)) {
    tokens[id] = token
    kinds[id] = 1
  }
  for (const { id, content } of added) {
    tokens[id] = content
    kinds[id] = 3
  }
  const merges = (model['merges'] ?? []) as readonly (string | readonly string[])[]
  return {
    'tokenizer.ggml.model': { text: 'gpt2' },
    'tokenizer.ggml.pre': { text: 'gpt-2' },
    'tokenizer.ggml.tokens': { texts: tokens },
    'tokenizer.ggml.token_type': { int32s: kinds },
    'tokenizer.ggml.merges': {
      texts: merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' '))),
    },
    'tokenizer.ggml.bos_token_id': { uint32: 0 },
    'tokenizer.ggml.eos_token_id': { uint32: 0 },
  }
}

const metadataOf = (shape: DecoderShape, checkpoint: Checkpoint): Record<string, Value> => ({
  'general.architecture': { text: 'llama' },
  'llama.context_length': { uint32: shape.contextLength },
  'llama.embedding_length': { uint32: shape.hidden },
  'llama.block_count': { uint32: shape.layers },
  'llama.feed_forward_length': { uint32: shape.intermediate },
  'llama.attention.head_count': { uint32: shape.heads },
  'llama.attention.head_count_kv': { uint32: shape.keyValueHeads },
  'llama.attention.key_length': { uint32: shape.headSize },
  'llama.attention.value_length': { uint32: shape.headSize },
  'llama.attention.layer_norm_rms_epsilon': { float32: shape.normEpsilon },
  'llama.rope.freq_base': { float32: shape.rotary.theta },
  'llama.rope.dimension_count': { uint32: shape.headSize },
  'llama.vocab_size': { uint32: shape.vocabulary },
  ...vocabularyOf(checkpoint, shape.vocabulary),
})

const typeOf = (shape: readonly number[], matrices: TensorType): TensorType => {
  if (shape.length === 1) return 'F32'
  return matrices === 'Q8_0' && shape[1]! % BLOCK !== 0 ? 'F16' : matrices
}

const bytesOf = (values: Float32Array, type: TensorType): Uint8Array => {
  if (type === 'Q8_0') return quantise(values)
  const data = type === 'F16' ? toHalf(values) : values
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

const sizeIn = (shape: readonly number[], type: TensorType): number => {
  const count = shape.reduce((product, dimension) => product * dimension, 1)
  if (type === 'Q8_0') return (count / BLOCK) * (BLOCK + 2)
  return count * (type === 'F16' ? 2 : 4)
}

const padding = (size: number): number => (ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT

export const writeGguf = (file: string, checkpoint: Checkpoint, matrices: 'F16' | 'Q8_0'): void => {
  const { decoder: shape } = checkpoint.config()
  const weights = checkpoint.weights()
  const descriptor = openSync(file, 'w')
  try {
    const entries = entriesOf(shape, weights)
    const metadata = Object.entries(metadataOf(shape, checkpoint))
    const pieces = [Buffer.from('GGUF'), uint32(3), uint64(entries.length), uint64(metadata.length)]
    for (const [key, value] of metadata) pieces.push(text(key), encode(value))
    let offset = 0
    for (const { name, shape: dimensions } of entries) {
      const type = typeOf(dimensions, matrices)
      pieces.push(text(name), uint32(dimensions.length))
      pieces.push(...dimensions.toReversed().map(uint64), uint32(TYPES[type]), uint64(offset))
      const size = sizeIn(dimensions, type)
      offset += size + padding(size)
    }
    const header = Buffer.concat(pieces)
    writeSync(descriptor, header)
    writeSync(descriptor, Buffer.alloc(padding(header.length)))
    for (const { shape: dimensions, read } of entries) {
      const bytes = bytesOf(read(), typeOf(dimensions, matrices))
      writeSync(descriptor, bytes)
      writeSync(descriptor, Buffer.alloc(padding(bytes.byteLength)))
    }
  } finally {
    closeSync(descriptor)
    weights.close()
  }
}
