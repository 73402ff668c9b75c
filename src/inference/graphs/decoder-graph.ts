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
 *   prefix.N.key [K, H, PREFIX], prefix.N.value [K, PREFIX, H], prefix_mask [1, 1, PREFIX]
 *   past.N.key [B, K, H, PAST], past.N.value [B, K, PAST, H], past_mask [B, 1, 1, PAST]
 *   causal_mask [G * S, S]
 * Masks are added to the scores: 0 lets a position through, a large negative number does not. Keys are stored
 * transposed, as the multiplication wants them.
 * Outputs: present.N.key [B, K, H, S], present.N.value [B, K, S, H] and those of the token head.
 */
import type { DecoderShape } from '../checkpoint/model-config.ts'
import type { TensorSource } from '../checkpoint/tensor-source.ts'
import { addAttention, addAttentionInputs, type AttentionInputs } from './attention.ts'
import { CONTRIB, GraphBuilder, type OnnxModel } from './graph-builder.ts'
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
    this.#weights = weights
    this.#format = format
  }

  write(): OnnxModel {
    const { layers, hidden, vocabulary } = this.#shape
    const builder = this.#builder
    const ids = builder.input('input_ids', 'int64', ['B', 'S'])
    const embedding = builder.weight(
      'embedding',
      this.#weights.read('model.embed_tokens.weight', [vocabulary, hidden]),
      [vocabulary, hidden],
    )
    const tokens = builder.node('Reshape', [ids, builder.integers([-1])])
    const attention = addAttentionInputs(builder, this.#shape, ids)
    let stream: Stream = {
      residual: builder.node('Gather', [embedding, tokens]),
      update: undefined,
    }
    for (let layer = 0; layer < layers; layer++) stream = this.#layer(layer, stream, attention)
    const { normed } = this.#norm('model.norm', stream)
    addTokenHead(builder, normed, this.#headWeight(embedding), vocabulary)
    return builder.build()
  }

  #layer(layer: number, stream: Stream, attention: AttentionInputs): Stream {
    const name = `model.layers.${layer}`
    const before = this.#norm(`${name}.input_layernorm`, stream)
    const projected = this.#queryKeyValue(`${name}.self_attn`, before.normed)
    const attended = addAttention(this.#builder, this.#shape, layer, projected, attention)
    const { hidden, heads, headSize } = this.#shape
    const output = this.#linear(attended, [[`${name}.self_attn.o_proj`, hidden]], heads * headSize)
    const between = this.#norm(`${name}.post_attention_layernorm`, {
      residual: before.residual,
      update: output,
    })
    return { residual: between.residual, update: this.#feedForward(name, between.normed) }
  }

  #queryKeyValue(name: string, input: string): string {
    const { hidden, heads, keyValueHeads, headSize, attentionBias } = this.#shape
    const parts: [string, number][] = [
      [`${name}.q_proj`, heads * headSize],
      [`${name}.k_proj`, keyValueHeads * headSize],
      [`${name}.v_proj`, keyValueHeads * headSize],
    ]
    return this.#linear(input, parts, hidden, attentionBias)
  }

  #feedForward(name: string, input: string): string {
    const { hidden, intermediate } = this.#shape
    const builder = this.#builder
    const parts: [string, number][] = [
      [`${name}.mlp.gate_proj`, intermediate],
      [`${name}.mlp.up_proj`, intermediate],
    ]
    const [gate, up] = builder.nodes('Split', [this.#linear(input, parts, hidden)], 2, {
      attributes: { axis: 1 },
    })
    // With alpha 1 this is x * sigmoid(x), llama's SiLU, in one node.
    const activated = builder.node('QuickGelu', [gate!], {
      domain: CONTRIB,
      attributes: { alpha: { float: 1 } },
    })
    const product = builder.node('Mul', [activated, up!])
    return this.#linear(product, [[`${name}.mlp.down_proj`, hidden]], intermediate)
  }

  /** Projections of one input as a single multiplication; rows of the weights are outputs. */
  #linear(
    input: string,
    parts: readonly (readonly [name: string, outputs: number])[],
    inputs: number,
    bias = false,
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

  #headWeight(embedding: string): string {
    const { vocabulary, hidden, tiedEmbeddings } = this.#shape
    if (tiedEmbeddings && !this.#weights.has('lm_head.weight')) return embedding
    const shape = [vocabulary, hidden]
    return this.#builder.weight('lm_head', this.#weights.read('lm_head.weight', shape), shape)
  }
}

/** @throws RefineError model_failed when a weight is absent or has another shape than the configuration says. */
export const writeDecoderGraph = (
  shape: DecoderShape,
  weights: TensorSource,
  format: WeightFormat,
): OnnxModel => new DecoderWriter(shape, weights, format).write()
