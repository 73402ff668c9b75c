/** Grouped-query attention over a shared prefix, a past per row and the new tokens; see `decoder-graph.ts`. */
import type { DecoderShape } from '../checkpoint/model-config.ts'
import { CONTRIB, type GraphBuilder } from './graph-builder.ts'

/** Names of the inputs and of the int64 size vectors that all layers share. */
export interface AttentionInputs {
  readonly positions: string
  readonly prefixMask: string
  readonly pastMask: string
  readonly causalMask: string
  readonly cosines: string
  readonly sines: string
  readonly sizes: {
    /** B, S, any, H */
    readonly heads: string
    /** K, B, G * S, PREFIX */
    readonly prefixByRow: string
    /** K, B * G * S, PREFIX */
    readonly prefixByHead: string
    /** K, B, G * S, H */
    readonly valuesByRow: string
    /** PREFIX, PAST, S */
    readonly parts: string
  }
}

interface Heads {
  /** [B, K, G * S, H], already scaled. */
  readonly query: string
  /** [B, K, H, S] */
  readonly key: string
  /** [B, K, S, H] */
  readonly value: string
}

interface Weights {
  readonly onPrefix: string
  readonly onPast: string
  readonly onNew: string
}

const SWAP_FIRST = { attributes: { perm: [1, 0, 2, 3] } }
const SWAP_MIDDLE = { attributes: { perm: [0, 2, 1, 3] } }
const SWAP_LAST = { attributes: { perm: [0, 1, 3, 2] } }
const ALONG_LAST = { attributes: { axis: -1 } }
const ALONG_FIRST = { attributes: { axis: 0 } }
/** A zero in the shape means no elements, not "as before": the prefix may be empty. */
const LITERAL = { attributes: { allowzero: 1 } }

/** Cosines and sines of the rotary embedding, one row per position (Su et al. 2021, arXiv:2104.09864). */
const addRotary = (builder: GraphBuilder, shape: DecoderShape) => {
  const { headSize, ropeTheta, contextLength } = shape
  const half = headSize / 2
  const angles = Float64Array.from({ length: contextLength * half }, (_, index) => {
    const position = Math.floor(index / half)
    return position * ropeTheta ** ((-2 * (index % half)) / headSize)
  })
  const dimensions = [contextLength, half]
  return {
    cosines: builder.weight('cosines', Float32Array.from(angles, Math.cos), dimensions),
    sines: builder.weight('sines', Float32Array.from(angles, Math.sin), dimensions),
  }
}

/** Declares the inputs beside the cache itself and derives the sizes, once for all layers. */
export const addAttentionInputs = (
  builder: GraphBuilder,
  shape: DecoderShape,
  ids: string,
): AttentionInputs => {
  const { heads, keyValueHeads, headSize } = shape
  const prefixMask = builder.input('prefix_mask', 'float32', [1, 1, 'PREFIX'])
  const pastMask = builder.input('past_mask', 'float32', ['B', 1, 1, 'PAST'])
  const causalMask = builder.input('causal_mask', 'float32', ['GS', 'S'])
  const dimension = (value: string, axis: number): string =>
    builder.node('Shape', [value], { attributes: { start: axis, end: axis + 1 } })
  const sizes = (...parts: readonly string[]): string => builder.node('Concat', parts, ALONG_FIRST)
  const [batch, length, prefix] = [dimension(ids, 0), dimension(ids, 1), dimension(prefixMask, 2)]
  const queries = builder.node('Mul', [length, builder.integers([heads / keyValueHeads])])
  const rows = builder.node('Mul', [batch, queries])
  const perHead = builder.integers([keyValueHeads])
  return {
    positions: builder.input('position_ids', 'int64', ['B', 'S']),
    prefixMask,
    pastMask,
    causalMask,
    ...addRotary(builder, shape),
    sizes: {
      heads: sizes(batch, length, builder.integers([-1, headSize])),
      prefixByRow: sizes(perHead, batch, queries, prefix),
      prefixByHead: sizes(perHead, rows, prefix),
      valuesByRow: sizes(perHead, batch, queries, builder.integers([headSize])),
      parts: sizes(prefix, dimension(pastMask, 3), length),
    },
  }
}

const splitHeads = (
  builder: GraphBuilder,
  { heads, keyValueHeads, headSize }: DecoderShape,
  projected: string,
  { positions, cosines, sines, sizes }: AttentionInputs,
): Heads => {
  const separate = builder.node('Reshape', [projected, sizes.heads])
  const byHead = builder.node('Transpose', [separate], SWAP_MIDDLE)
  const split = (value: string, first: number, second: number): string[] =>
    builder.nodes('Split', [value, builder.integers([first, second])], 2, {
      attributes: { axis: 1 },
    })
  const [queryAndKey, value] = split(byHead, heads + keyValueHeads, keyValueHeads)
  const rotated = builder.node('RotaryEmbedding', [queryAndKey!, positions, cosines, sines], {
    domain: CONTRIB,
  })
  const [query, key] = split(rotated, heads, keyValueHeads)
  const scaled = builder.node('Mul', [query!, builder.floats([headSize ** -0.5], [])])
  return {
    query: builder.node('Reshape', [scaled, builder.integers([0, keyValueHeads, -1, headSize])]),
    key: builder.node('Transpose', [key!], SWAP_LAST),
    value: value!,
  }
}

const addWeights = (
  builder: GraphBuilder,
  { keyValueHeads, headSize }: DecoderShape,
  { query, key }: Heads,
  prefixKey: string,
  pastKey: string,
  { prefixMask, pastMask, causalMask, sizes }: AttentionInputs,
): Weights => {
  const masked = (left: string, right: string, mask: string): string =>
    builder.node('Add', [builder.node('MatMul', [left, right]), mask])
  // All rows meet the shared prefix in one multiplication per head.
  const queryByHead = builder.node('Reshape', [
    builder.node('Transpose', [query], SWAP_FIRST),
    builder.integers([keyValueHeads, -1, headSize]),
  ])
  const prefixScores = builder.node(
    'Reshape',
    [masked(queryByHead, prefixKey, prefixMask), sizes.prefixByRow],
    LITERAL,
  )
  const scores = [
    builder.node('Transpose', [prefixScores], SWAP_FIRST),
    masked(query, pastKey, pastMask),
    masked(query, key, causalMask),
  ]
  const weights = builder.node('Softmax', [builder.node('Concat', scores, ALONG_LAST)], ALONG_LAST)
  const parts = builder.nodes('Split', [weights, sizes.parts], 3, ALONG_LAST)
  return { onPrefix: parts[0]!, onPast: parts[1]!, onNew: parts[2]! }
}

/** Takes the projections [B * S, (heads + 2 K) * H] of a layer; returns the attended values [B * S, heads * H]. */
export const addAttention = (
  builder: GraphBuilder,
  shape: DecoderShape,
  layer: number,
  projected: string,
  inputs: AttentionInputs,
): string => {
  const { heads, keyValueHeads: K, headSize: H } = shape
  const { sizes } = inputs
  const parts = splitHeads(builder, shape, projected, inputs)
  const prefixKey = builder.input(`prefix.${layer}.key`, 'float32', [K, H, 'PREFIX'])
  const prefixValue = builder.input(`prefix.${layer}.value`, 'float32', [K, 'PREFIX', H])
  const pastKey = builder.input(`past.${layer}.key`, 'float32', ['B', K, H, 'PAST'])
  const pastValue = builder.input(`past.${layer}.value`, 'float32', ['B', K, 'PAST', H])
  builder.output(`present.${layer}.key`, parts.key, 'float32', ['B', K, H, 'S'])
  builder.output(`present.${layer}.value`, parts.value, 'float32', ['B', K, 'S', H])

  const weights = addWeights(builder, shape, parts, prefixKey, pastKey, inputs)
  const multiply = (left: string, right: string): string => builder.node('MatMul', [left, right])
  const add = (left: string, right: string): string => builder.node('Add', [left, right])
  const prefixWeights = builder.node('Transpose', [weights.onPrefix], SWAP_FIRST)
  const weightsByHead = builder.node('Reshape', [prefixWeights, sizes.prefixByHead], LITERAL)
  const fromPrefix = builder.node('Reshape', [
    multiply(weightsByHead, prefixValue),
    sizes.valuesByRow,
  ])
  const own = add(multiply(weights.onPast, pastValue), multiply(weights.onNew, parts.value))
  const attended = builder.node('Reshape', [
    add(own, builder.node('Transpose', [fromPrefix], SWAP_FIRST)),
    builder.integers([0, heads, -1, H]),
  ])
  return builder.node('Reshape', [
    builder.node('Transpose', [attended], SWAP_MIDDLE),
    builder.integers([-1, heads * H]),
  ])
}
