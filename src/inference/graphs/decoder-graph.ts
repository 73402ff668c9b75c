/**
 * The graph of a llama-family decoder, in a form that never copies the cache: it reads cached keys and values as inputs
 * and returns only those of the new tokens.
 *
 * A run takes B rows of S new tokens. Every row attends to three parts, in one softmax: a *prefix* that is stored once
 * and shared by all rows (a prompt with many samples, or the earlier chunks of a prompt), a *past* of its own, and its
 * new tokens up to each one (causal, so rows of unequal length are padded on the right). Each part may be empty.
 *
 * The form `single` is for one new token of one row without a prefix (B = S = 1): it lacks the inputs of prefix and
 * causal mask, and its rotations are [1].
 *
 * Inputs, float32 unless noted; G = heads / key-value heads, K = key-value heads, H = head size:
 *   input_ids int64 [B, S], rotations int64 [B, S]: which line of cosines, sines [B * S, H / 2] is whose (`rotary.ts`)
 *   prefix.N.key, prefix.N.value [K, PREFIX, H], prefix_mask [1, 1, PREFIX], causal_mask [G * S, S]
 *   past.N.key, past.N.value [B, K, 1, PAST, H], past_mask [B, 1, 1, 1, PAST]; for a device one axis of 1 less
 * Masks are added to the scores: 0 lets a position through, a large negative number does not. Layers with a window have masks
 * of their own (window_…), which may have a line for each new token: see `runtime/window-masks.ts`.
 * Outputs: present.N.key, present.N.value [B, K, S, H], hidden [B * S, hidden] (normalised, only fetched for embeddings)
 * and those of the head (`token-head.ts`, `label-head.ts`), for the positions that the input `rows` int64 [R] names: an
 * index into the B * S new tokens each; one may be named several times.
 */
import { toHalf } from '../checkpoint/float-formats.ts'
import type { DecoderShape, Head } from '../checkpoint/model-config.ts'
import { withModelPrefix, type TensorSource } from '../checkpoint/tensor-source.ts'
import { addAttention, type HeadNorms } from './attention.ts'
import { addAttentionInputs, type LayerInputs, type RunForm } from './attention-inputs.ts'
import { CONTRIB, GraphBuilder, type OnnxModel } from './graph-builder.ts'
import { addLabelHead } from './label-head.ts'
import { addLinear, type WeightFormat } from './linear.ts'
import { PreparedWeights } from './prepared-weights.ts'
import { addTokenHead } from './token-head.ts'

/** What decides on a graph beside the weights. */
export interface DecoderPlan {
  readonly shape: DecoderShape
  readonly format: WeightFormat
  /** One that draws tokens when absent. */
  readonly head?: Head
  /** Where several graphs of one checkpoint find what an earlier one made. */
  readonly prepared?: PreparedWeights
}

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
  readonly #form: RunForm
  readonly #prepared: PreparedWeights

  constructor(
    { shape, format, prepared = new PreparedWeights() }: DecoderPlan,
    weights: TensorSource,
    form: RunForm,
  ) {
    this.#shape = shape
    this.#weights = withModelPrefix(weights)
    this.#format = format
    this.#form = form
    this.#prepared = prepared
  }

  write(head: Head): OnnxModel {
    const { layers, hidden } = this.#shape
    const builder = this.#builder
    const ids = builder.input('input_ids', 'int64', ['B', 'S'])
    const embedded = this.#embed(ids)
    const attention = addAttentionInputs(builder, this.#shape, ids, this.#form)
    let stream: Stream = { residual: embedded, update: undefined }
    for (let layer = 0; layer < layers; layer++) stream = this.#layer(layer, stream, attention)
    const { normed } = this.#norm('model.norm', stream)
    builder.output('hidden', normed, 'float32', ['T', hidden])
    this.#addHead(head, normed)
    return builder.build()
  }

  /** Embeddings are held as they are computed with, but never in fewer than 16 bits: their table is looked up only. */
  #embed(ids: string): string {
    const { vocabulary, hidden } = this.#shape
    const builder = this.#builder
    const isFull = this.#format === 'fp32'
    const table = this.#prepared.take('embedding', () => {
      const values = this.#readEmbedding()
      return isFull ? values : toHalf(values)
    })
    const weight = builder.weight('embedding', table, [vocabulary, hidden])
    const tokens = builder.node('Reshape', [ids, builder.integers([-1])])
    const embedded = builder.node('Gather', [weight, tokens])
    return isFull ? embedded : builder.cast(embedded, 'float32')
  }

  #readEmbedding(): Float32Array {
    const { vocabulary, hidden } = this.#shape
    return this.#weights.read('model.embed_tokens.weight', [vocabulary, hidden])
  }

  #addHead(head: Head, normed: string): void {
    if (head.type === 'none') return
    const { vocabulary, hidden } = this.#shape
    const builder = this.#builder
    const wanted = builder.node('Gather', [normed, builder.input('rows', 'int64', ['R'])])
    if (head.type === 'labels')
      return addLabelHead(builder, this.#weights, wanted, hidden, head.labels)
    const own = this.#weights.has('lm_head.weight') || !this.#shape.tiedEmbeddings
    const weight = (): Float32Array =>
      own ? this.#weights.read('lm_head.weight', [vocabulary, hidden]) : this.#readEmbedding()
    // A tied table in full width is stored once.
    const name = !own && this.#format === 'fp32' ? 'embedding' : 'lm_head'
    addTokenHead(builder, this.#addLogits(name, wanted, weight), vocabulary, head.suppressed)
  }

  #addLogits(name: string, input: string, weight: () => Float32Array): string {
    const { hidden, vocabulary } = this.#shape
    const builder = this.#builder
    if (name === 'embedding')
      return builder.node('Gemm', [input, name], { attributes: { transB: 1 } })
    // The last layer decides between tokens that are close: four bits are too few for it.
    const format = this.#format === 'int4' ? 'int8' : this.#format
    const size = { inputs: hidden, outputs: vocabulary }
    const linear = { name, input, ...size, weight, bias: undefined }
    return addLinear(builder, format, linear, this.#prepared)
  }

  #layer(layer: number, stream: Stream, attention: LayerInputs): Stream {
    const name = `model.layers.${layer}`
    const before = this.#norm(`${name}.input_layernorm`, stream)
    const projected = this.#queryKeyValue(`${name}.self_attn`, before.normed)
    const norms = this.#headNorms(`${name}.self_attn`)
    const { hidden, heads, headSize, biases, window } = this.#shape
    const inputs = (window?.layers[layer] && attention.window) || attention.all
    const attended = addAttention(this.#builder, this.#shape, layer, projected, inputs, norms)
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
    const scale = (part: string): string => this.#vector(`${name}.${part}_norm`, headSize)
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
    const total = parts.reduce((sum, [, outputs]) => sum + outputs, 0)
    const read = (suffix: string, width: number): Float32Array => {
      const all = new Float32Array(total * width)
      let at = 0
      for (const [name, outputs] of parts) {
        const shape = suffix === 'bias' ? [outputs] : [outputs, inputs]
        all.set(this.#weights.read(`${name}.${suffix}`, shape), at)
        at += outputs * width
      }
      return all
    }
    const linear = {
      name: parts.map(([name]) => name).join('+'),
      input,
      inputs,
      outputs: total,
      weight: () => read('weight', inputs),
      bias: bias ? () => read('bias', 1) : undefined,
    }
    return addLinear(this.#builder, this.#format, linear, this.#prepared)
  }

  /** A scale per element, under the name of what it belongs to. */
  #vector(name: string, length: number): string {
    const values = this.#prepared.take(name, () => this.#weights.read(`${name}.weight`, [length]))
    return this.#builder.weight(name, values, [length])
  }

  #norm(name: string, { residual, update }: Stream): { normed: string; residual: string } {
    const { hidden, normEpsilon } = this.#shape
    const builder = this.#builder
    const scale = this.#vector(name, hidden)
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
  plan: DecoderPlan,
  weights: TensorSource,
  form: RunForm = 'any',
): OnnxModel =>
  new DecoderWriter(plan, weights, form).write(plan.head ?? { type: 'tokens', suppressed: [] })
