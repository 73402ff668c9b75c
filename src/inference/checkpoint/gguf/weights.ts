/** Weights of a GGUF file under the names, and in the row order, of the checkpoint that it was made from. */
import { BinaryFile } from '../binary-file.ts'
import { badModelFile, type TensorSource } from '../tensor-source.ts'
import type { DecoderShape } from '../model-config.ts'
import type { Header, TensorEntry } from './header.ts'

const FIXED_NAMES: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
}

const LAYER_NAMES: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
}

const NAME = /^(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)$/

/** The name in a GGUF file; undefined for a tensor that has none there. */
const ggufName = (name: string): string | undefined => {
  const [, layer, part, kind] = NAME.exec(name) ?? []
  if (part === undefined) return undefined
  const known = layer === undefined ? FIXED_NAMES[part] : LAYER_NAMES[part]
  if (known === undefined) return undefined
  return layer === undefined ? `${known}.${kind}` : `blk.${layer}.${known}.${kind}`
}

/** Which parts of a layer a bias of the configuration belongs to. */
const BIASED: Readonly<Record<keyof DecoderShape['biases'], RegExp>> = {
  queryKeyValue: /^self_attn\.[qkv]_proj$/,
  attentionOutput: /^self_attn\.o_proj$/,
  feedForward: /^mlp\./,
}

const namesOf = ({ layers, biases, queryKeyNorm }: DecoderShape): Set<string> => {
  const names = ['rope_freqs.weight', ...Object.values(FIXED_NAMES).map((name) => `${name}.weight`)]
  const biased = Object.entries(BIASED).filter(([kind]) => biases[kind as keyof typeof BIASED])
  for (const [part, name] of Object.entries(LAYER_NAMES)) {
    if (!queryKeyNorm && part.endsWith('_norm')) continue
    const kinds = biased.some(([, parts]) => parts.test(part)) ? ['weight', 'bias'] : ['weight']
    for (let layer = 0; layer < layers; layer++)
      names.push(...kinds.map((kind) => `blk.${layer}.${name}.${kind}`))
  }
  return new Set(names)
}

/** A file brings no tensor in vain: to compute without one is to compute another model. @throws RefineError model_failed naming it */
export const refuseUnknown = (path: string, { tensors }: Header, shape: DecoderShape): void => {
  const known = namesOf(shape)
  for (const name of tensors.keys())
    if (!known.has(name))
      throw badModelFile(path, `has a tensor ${name}, which nothing is known to do with`)
}

/**
 * Files of the llama architecture hold the rows of each query and key head with the two halves of the rotary pairs
 * interleaved; this brings the halves apart again. `values` has `heads` times equally many rows.
 */
export const separateHalves = (values: Float32Array, heads: number, rows: number): Float32Array => {
  const width = values.length / rows
  const headSize = rows / heads
  const result = new Float32Array(values.length)
  for (let row = 0; row < rows; row++) {
    const inHead = row % headSize
    const source =
      row - inHead + (inHead % (headSize / 2)) * 2 + Math.floor((2 * inHead) / headSize)
    result.set(values.subarray(source * width, (source + 1) * width), row * width)
  }
  return result
}

/** Heads of the projections whose rows are interleaved; undefined where none are. */
export interface Interleaved {
  readonly heads: number
  readonly keyValueHeads: number
}

export class GgufSource implements TensorSource {
  readonly #file: BinaryFile
  readonly #tensors: Header['tensors']
  readonly #interleaved: Interleaved | undefined

  constructor(path: string, { tensors }: Header, interleaved: Interleaved | undefined) {
    this.#file = new BinaryFile(path, 'GGUF')
    this.#tensors = tensors
    this.#interleaved = interleaved
  }

  has(name: string): boolean {
    const known = ggufName(name)
    return known !== undefined && this.#tensors.has(known)
  }

  read(name: string, shape: readonly number[]): Float32Array {
    const known = ggufName(name) ?? name
    const entry = this.#tensors.get(known)
    if (entry === undefined)
      throw badModelFile(
        this.#file.path,
        `expected a tensor ${known} of shape [${shape.join(', ')}]`,
      )
    if (entry.shape.join() !== shape.join())
      throw badModelFile(
        this.#file.path,
        `${known} has shape [${entry.shape.join(', ')}], expected [${shape.join(', ')}]`,
      )
    return this.#inOrder(
      name,
      entry,
      entry.format.decode(this.#file.read(entry.offset, entry.bytes)),
    )
  }

  close(): void {
    this.#file.close()
  }

  #inOrder(name: string, { shape }: TensorEntry, values: Float32Array): Float32Array {
    if (this.#interleaved === undefined) return values
    const { heads, keyValueHeads } = this.#interleaved
    if (name.includes('.q_proj.')) return separateHalves(values, heads, shape[0]!)
    if (name.includes('.k_proj.')) return separateHalves(values, keyValueHeads, shape[0]!)
    return values
  }
}
