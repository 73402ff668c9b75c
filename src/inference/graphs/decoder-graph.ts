/**
 * The graph of a llama-family decoder, in a form that never copies the cache: it reads cached keys and values as inputs
 * and returns only those of the new tokens.
 *
 * A run takes B rows of S new tokens. Every row attends to three parts, in one softmax: a *prefix* that is stored once
 * and shared by all rows (a prompt with many samples, or the earlier chunks of a prompt), a *past* of its own, and its
 * new tokens up to each one (causal, so rows of unequal length are padded on the right). Each part may be empty.
 *
 * Inputs, float32 unless noted; G = heads / key-value heads, K = key-value heads, H = head size:
 *   input_ids, position_ids  int64 [B, S]
 *   prefix.N.key, prefix.N.value [K, PREFIX, H], prefix_mask [1, 1, PREFIX]
 *   past.N.key, past.N.value [B, K, 1, PAST, H], past_mask [B, 1, 1, 1, PAST]
 *   causal_mask [G * S, S]
 * Masks are added to the scores: 0 lets a position through, a large negative number does not.
 * Outputs: present.N.key, present.N.value [B, K, S, H], hidden [B * S, hidden] (normalised, only fetched for embeddings)
 * and those of the head (`token-head.ts`, `label-head.ts`), for the positions that the input `rows` int64 [R] names: an
 * index into the B * S new tokens each; one may be named several times.
 */
import { toHalf } from '../checkpoint/float-formats.ts'
import type { DecoderShape, Head } from '../checkpoint/model-config.ts'
import { withModelPrefix, type TensorSource } from '../checkpoint/tensor-source.ts'
import {
  addAttention,
  addAttentionInputs,
  type AttentionInputs,
  type HeadNorms,
} from './attention.ts'
import { CONTRIB, GraphBuilder, type OnnxModel } from './graph-builder.ts'
import { addLabelHead } from './label-head.ts'
import { addLinear, type WeightFormat } from './linear.ts'
import { addTokenHead } from './token-head.ts'

/** A hidden state before its residual connection is added. */
interface Stream {
  readonly residual: string
  readonly update: string | undefined
}

class DecoderWriter {
  readonly #builder = new GraphBuilder()
  readonly #shape: DecoderShape
  readonly #weights: TensorSource
  readonly #format: WeightFormat

  constructor(shape: DecoderShape, weights: TensorSource, format: WeightFormat) {
    this.#shape = shape
    this.#weights = withModelPrefix(weights)
    this.#format = format
  }

  write(head: Head): OnnxModel {
    const { layers, hidden } = this.#shape
    const builder = this.#builder
    const ids = builder.input('input_ids', 'int64', ['B', 'S'])
    const { table, embedded } = this.#embed(ids)
    const attention = addAttentionInputs(builder, this.#shape, ids)
    let stream: Stream = { residual: embedded, update: undefined }
    for (let layer = 0; layer < layers; layer++) stream = this.#layer(layer, stream, attention)
    const { normed } = this.#norm('model.norm', stream)
    builder.output('hidden', normed, 'float32', ['T', hidden])
    this.#addHead(head, normed, table)
    return builder.build()
  }

  /** Embeddings are held as they are computed with, but never in fewer than 16 bits: their table is looked up only. */
  #embed(ids: string): { readonly table: Float32Array; readonly embedded: string } {
    const { vocabulary, hidden } = this.#shape
    const builder = this.#builder
    const dimensions = [vocabulary, hidden]
    const table = this.#weights.read('model.embed_tokens.weight', dimensions)
    const tokens = builder.node('Reshape', [ids, builder.integers([-1])])
    if (this.#format === 'fp32') {
      const weight = builder.weight('embedding', table, dimensions)
      return { table, embedded: builder.node('Gather', [weight, tokens]) }
    }
    const halves = builder.node('Gather', [
      builder.weight('embedding', toHalf(table), dimensions),
      tokens,
    ])
    return { table, embedded: builder.cast(halves, 'float32') }
  }

  #addHead(head: Head, normed: string, table: Float32Array): void {
    if (head.type === 'none') return
    const { vocabulary, hidden } = this.#shape
    const builder = this.#builder
    const wanted = builder.node('Gather', [normed, builder.input('rows', 'int64', ['R'])])
    if (head.type === 'labels') {
      addLabelHead(builder, this.#weights, wanted, hidden, head.labels)
      return
    }
    const own = this.#weights.has('lm_head.weight') || !this.#shape.tiedEmbeddings
    const weight = own ? this.#weights.read('lm_head.weight', [vocabulary, hidden]) : table
    // A tied table in full width is stored once.
    const name = !own && this.#format === 'fp32' ? 'embedding' : 'lm_head'
    addTokenHead(builder, this.#addLogits(name, wanted, weight), vocabulary)
  }

  #addLogits(name: string, input: string, weight: Float32Array): string {
    const { hidden } = this.#shape
    const builder = this.#builder
    if (name === 'embedding')
      return builder.node('Gemm', [input, name], { attributes: { transB: 1 } })
    // The last layer decides between tokens that are close: four bits are too few for it.
    const format = this.#format === 'int4' ? 'int8' : this.#format
    return addLinear(builder, format, { name, input, inputs: hidden, weight, bias: undefined })
  }

  #layer(layer: number, stream: Stream, attention: AttentionInputs): Stream {
    const name = `model.layers.${layer}`
    const before = this.#norm(`${name}.input_layernorm`, stream)
    const projected = this.#queryKeyValue(`${name}.self_attn`, before.normed)
    const norms = this.#headNorms(`${name}.self_attn`)
    const attended = addAttention(this.#builder, this.#shape, layer, projected, attention, norms)
    const { hidden, heads, headSize, biases } = this.#shape
    const output = this.#linear(
      attended,
      [[`${name}.self_attn.o_proj`, hidden]],
      heads * headSize,
      biases.attentionOutput,
    )
    const between = this.#norm(`${name}.post_attention_layernorm`, {
      residual: before.residual,
      update: output,
    })
    return { residual: between.residual, update: this.#feedForward(name, between.normed) }
  }

  #queryKeyValue(name: string, input: string): string {
    const { hidden, heads, keyValueHeads, headSize, biases } = this.#shape
    const parts: [string, number][] = [
      [`${name}.q_proj`, heads * headSize],
      [`${name}.k_proj`, keyValueHeads * headSize],
      [`${name}.v_proj`, keyValueHeads * headSize],
    ]
    return this.#linear(input, parts, hidden, biases.queryKeyValue)
  }

  #headNorms(name: string): HeadNorms | undefined {
    const { queryKeyNorm, headSize } = this.#shape
    if (!queryKeyNorm) return undefined
    const scale = (part: string): string => {
      const weight = this.#weights.read(`${name}.${part}_norm.weight`, [headSize])
      return this.#builder.weight(`${name}.${part}_norm`, weight, [headSize])
    }
    return { query: scale('q'), key: scale('k') }
  }

  #feedForward(name: string, input: string): string {
    const { hidden, intermediate, biases } = this.#shape
    const builder = this.#builder
    const bias = biases.feedForward
    const parts: [string, number][] = [
      [`${name}.mlp.gate_proj`, intermediate],
      [`${name}.mlp.up_proj`, intermediate],
    ]
    const [gate, up] = builder.nodes('Split', [this.#linear(input, parts, hidden, bias)], 2, {
      attributes: { axis: 1 },
    })
    // With alpha 1 this is x * sigmoid(x), llama's SiLU, in one node.
    const activated = builder.node('QuickGelu', [gate!], {
      domain: CONTRIB,
      attributes: { alpha: { float: 1 } },
    })
    const product = builder.node('Mul', [activated, up!])
    return this.#linear(product, [[`${name}.mlp.down_proj`, hidden]], intermediate, bias)
  }

  /** Projections of one input as a single multiplication; rows of the weights are outputs. */
  #linear(
    input: string,
    parts: readonly (readonly [name: string, outputs: number])[],
    inputs: number,
    bias: boolean,
  ): string {
    const read = (suffix: string, width: number): Float32Array => {
      const total = parts.reduce((sum, [, outputs]) => sum + outputs, 0)
      const all = new Float32Array(total * width)
      let at = 0
      for (const [name, outputs] of parts) {
        const shape = suffix === 'bias' ? [outputs] : [outputs, inputs]
        all.set(this.#weights.read(`${name}.${suffix}`, shape), at)
        at += outputs * width
      }
      return all
    }
    return addLinear(this.#builder, this.#format, {
      name: parts.map(([name]) => name).join('+'),
      input,
      inputs,
      weight: read('weight', inputs),
      bias: bias ? read('bias', 1) : undefined,
    })
  }

  #norm(name: string, { residual, update }: Stream): { normed: string; residual: string } {
    const { hidden, normEpsilon } = this.#shape
    const builder = this.#builder
    const scale = builder.weight(name, this.#weights.read(`${name}.weight`, [hidden]), [hidden])
    const epsilon = { epsilon: { float: normEpsilon } }
    if (update === undefined) {
      const normed = builder.node('SimplifiedLayerNormalization', [residual, scale], {
        attributes: { axis: -1, ...epsilon },
      })
      return { normed, residual }
    }
    const outputs = builder.nodes(
      'SkipSimplifiedLayerNormalization',
      [residual, update, scale],
      4,
      { domain: CONTRIB, attributes: epsilon, omit: [1, 2] },
    )
    return { normed: outputs[0]!, residual: outputs[3]! }
  }
}

/** @throws RefineError model_failed when a weight is absent or has another shape than the configuration says. */
export const writeDecoderGraph = (
  shape: DecoderShape,
  weights: TensorSource,
  format: WeightFormat,
  head: Head = { type: 'tokens' },
): OnnxModel => new DecoderWriter(shape, weights, format).write(head)
