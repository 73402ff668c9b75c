/**
 * Writes what exporters usually make of a checkpoint: `input_ids`, `attention_mask` and `past_key_values.*` in, logits
 * of every position and the whole grown cache out, attention by GroupQueryAttention.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { DecoderShape } from '../../src/inference/checkpoint/model-config.ts'
import type { TensorSource } from '../../src/inference/checkpoint/tensor-source.ts'
import {
  CONTRIB,
  ELEMENT_TYPE,
  GraphBuilder,
  type OnnxModel,
} from '../../src/inference/graphs/graph-builder.ts'
import { addLinear } from '../../src/inference/graphs/linear.ts'
import { RotaryTable } from '../../src/inference/graphs/rotary.ts'

type Format = 'fp32' | 'int8'

/** Values that all layers use. */
interface Shared {
  readonly lengths: string
  readonly total: string
  /** B, S, any */
  readonly byRow: string
  readonly cosines: string
  readonly sines: string
}

class StockWriter {
  readonly #builder = new GraphBuilder()
  readonly #shape: DecoderShape
  readonly #weights: TensorSource
  readonly #format: Format

  constructor(shape: DecoderShape, weights: TensorSource, format: Format) {
    this.#shape = shape
    this.#weights = weights
    this.#format = format
  }

  write(): OnnxModel {
    const { layers, hidden, vocabulary, tiedEmbeddings } = this.#shape
    const builder = this.#builder
    const ids = builder.input('input_ids', 'int64', ['batch_size', 'sequence_length'])
    const shared = this.#shared(ids)
    const table = this.#weights.read('model.embed_tokens.weight', [vocabulary, hidden])
    const embedding = builder.weight('embedding', table, [vocabulary, hidden])
    const tokens = builder.node('Reshape', [ids, builder.integers([-1])])
    let residual = builder.node('Gather', [embedding, tokens])
    for (let layer = 0; layer < layers; layer++) residual = this.#layer(layer, residual, shared)
    const normed = this.#norm('model.norm', residual)
    const own = !tiedEmbeddings || this.#weights.has('lm_head.weight')
    const head = (): Float32Array =>
      own ? this.#weights.read('lm_head.weight', [vocabulary, hidden]) : table
    const logits = addLinear(builder, this.#format, {
      name: 'lm_head',
      input: normed,
      inputs: hidden,
      outputs: vocabulary,
      weight: head,
      bias: undefined,
    })
    const shaped = builder.node('Reshape', [logits, shared.byRow])
    builder.output('logits', shaped, 'float32', ['batch_size', 'sequence_length', vocabulary])
    return builder.build()
  }

  #shared(ids: string): Shared {
    const builder = this.#builder
    const mask = builder.input('attention_mask', 'int64', ['batch_size', 'total_sequence_length'])
    const toInt32 = { attributes: { to: ELEMENT_TYPE.int32 } }
    const seen = builder.node('ReduceSum', [mask, builder.integers([1])], {
      attributes: { keepdims: 0 },
    })
    const last = builder.node('Sub', [seen, builder.integers([1])])
    const width = builder.node('Shape', [mask], { attributes: { start: 1, end: 2 } })
    const { contextLength, headSize } = this.#shape
    const positions = BigInt64Array.from({ length: contextLength }, (_, at) => BigInt(at))
    const { cosines, sines } = new RotaryTable(this.#shape).rows(positions)
    const dimensions = [contextLength, headSize / 2]
    const scalar = builder.node('Squeeze', [builder.node('Cast', [width], toInt32)])
    return {
      lengths: builder.node('Cast', [last], toInt32),
      total: scalar,
      byRow: builder.node('Concat', [builder.node('Shape', [ids]), builder.integers([-1])], {
        attributes: { axis: 0 },
      }),
      cosines: builder.weight('cosines', cosines, dimensions),
      sines: builder.weight('sines', sines, dimensions),
    }
  }

  #layer(layer: number, residual: string, shared: Shared): string {
    const { hidden, heads, headSize, intermediate } = this.#shape
    const name = `model.layers.${layer}`
    const builder = this.#builder
    const attended = this.#attention(layer, this.#norm(`${name}.input_layernorm`, residual), shared)
    const output = this.#linear(`${name}.self_attn.o_proj`, attended, heads * headSize, hidden)
    const between = builder.node('Add', [residual, output])
    const normed = this.#norm(`${name}.post_attention_layernorm`, between)
    const gate = this.#linear(`${name}.mlp.gate_proj`, normed, hidden, intermediate)
    const up = this.#linear(`${name}.mlp.up_proj`, normed, hidden, intermediate)
    const activated = builder.node('Mul', [gate, builder.node('Sigmoid', [gate])])
    const product = builder.node('Mul', [activated, up])
    const down = this.#linear(`${name}.mlp.down_proj`, product, intermediate, hidden)
    return builder.node('Add', [between, down])
  }

  #attention(layer: number, input: string, shared: Shared): string {
    const { hidden, heads, keyValueHeads, headSize } = this.#shape
    const builder = this.#builder
    const name = `model.layers.${layer}.self_attn`
    const projected = (part: string, count: number): string => {
      const flat = this.#linear(`${name}.${part}`, input, hidden, count * headSize)
      return builder.node('Reshape', [flat, shared.byRow])
    }
    const cache = ['batch_size', keyValueHeads, 'past_sequence_length', headSize]
    const [attended, key, value] = builder.nodes(
      'GroupQueryAttention',
      [
        projected('q_proj', heads),
        projected('k_proj', keyValueHeads),
        projected('v_proj', keyValueHeads),
        builder.input(`past_key_values.${layer}.key`, 'float32', cache),
        builder.input(`past_key_values.${layer}.value`, 'float32', cache),
        shared.lengths,
        shared.total,
        shared.cosines,
        shared.sines,
      ],
      3,
      {
        domain: CONTRIB,
        attributes: { num_heads: heads, kv_num_heads: keyValueHeads, do_rotary: 1 },
      },
    )
    const grown = ['batch_size', keyValueHeads, 'total_sequence_length', headSize]
    builder.output(`present.${layer}.key`, key!, 'float32', grown)
    builder.output(`present.${layer}.value`, value!, 'float32', grown)
    return builder.node('Reshape', [attended!, builder.integers([-1, heads * headSize])])
  }

  #linear(name: string, input: string, inputs: number, outputs: number): string {
    const weight = (): Float32Array => this.#weights.read(`${name}.weight`, [outputs, inputs])
    const linear = { name, input, inputs, outputs, weight, bias: undefined }
    return addLinear(this.#builder, this.#format, linear)
  }

  #norm(name: string, input: string): string {
    const { hidden, normEpsilon } = this.#shape
    const scale = this.#builder.weight(name, this.#weights.read(`${name}.weight`, [hidden]), [
      hidden,
    ])
    return this.#builder.node('SimplifiedLayerNormalization', [input, scale], {
      attributes: { axis: -1, epsilon: { float: normEpsilon } },
    })
  }
}

/** A folder as exporters leave it, with each weight in a file of its own beside the graph. */
export const writeStockExport = async (
  folder: string,
  shape: DecoderShape,
  weights: TensorSource,
  format: Format,
): Promise<void> => {
  const { bytes, externalData } = new StockWriter(shape, weights, format).write()
  const home = path.join(folder, 'onnx')
  await mkdir(home, { recursive: true })
  for (const { path: name, data } of externalData) await writeFile(path.join(home, name), data)
  await writeFile(path.join(home, 'model.onnx'), bytes)
  const config = {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    hidden_size: shape.hidden,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.keyValueHeads,
    head_dim: shape.headSize,
    vocab_size: shape.vocabulary,
    max_position_embeddings: shape.contextLength,
    bos_token_id: 0,
    eos_token_id: null,
  }
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config))
}
