/** Grouped-query attention over a shared prefix, a past per row and the new tokens; see `decoder-graph.ts`. */
import type { DecoderShape } from '../checkpoint/model-config.ts'
import {
  pastRank,
  type AttentionInputs,
  type GeneralInputs,
  type RunForm,
} from './attention-inputs.ts'
import { CONTRIB, type GraphBuilder } from './graph-builder.ts'

/** Of the new tokens. */
interface Heads {
  /** [B, K, G * S, H]; in the form for single tokens [1, K, G, 1, H], each a matrix of one line. */
  readonly query: string
  /** [B, K, S, H]; in the form for single tokens [K, 1, 1, H]. */
  readonly key: string
  readonly value: string
}

/** Keys and values that the queries meet. */
interface Source {
  /** As the queries, with a score per token instead of H. */
  readonly scores: (query: string) => string
  /** As the queries, of weights like the scores. */
  readonly attended: (weights: string) => string
}

const SWAP_FIRST = { attributes: { perm: [1, 0, 2, 3] } }
const SWAP_MIDDLE = { attributes: { perm: [0, 2, 1, 3] } }
const ALONG_LAST = { attributes: { axis: -1 } }
const TRANSPOSE_RIGHT = { domain: CONTRIB, attributes: { transB: 1 } }
/** A zero in the shape means no elements, not "as before": the prefix may be empty. */
const LITERAL = { attributes: { allowzero: 1 } }

/** Names of the weights that scale the normalised heads, [H] each. */
export interface HeadNorms {
  readonly query: string
  readonly key: string
}

const splitHeads = (
  builder: GraphBuilder,
  { heads, keyValueHeads, headSize, normEpsilon }: DecoderShape,
  projected: string,
  { rotations, cosines, sines, general }: AttentionInputs,
  norms: HeadNorms | undefined,
): Heads => {
  // A single token's heads are given to the rotation as a batch: that is the order in which they lie already.
  const along = { attributes: { axis: general === undefined ? 0 : 1 } }
  const byHead =
    general === undefined
      ? builder.node('Reshape', [projected, builder.integers([-1, 1, 1, headSize])])
      : builder.node(
          'Transpose',
          [builder.node('Reshape', [projected, general.heads])],
          SWAP_MIDDLE,
        )
  const split = (value: string, ...counts: readonly number[]): string[] =>
    builder.nodes('Split', [value, builder.integers(counts)], counts.length, along)
  const normalise = (queryAndKey: string, { query, key }: HeadNorms): string => {
    const attributes = { axis: -1, epsilon: { float: normEpsilon } }
    const [queries, keys] = split(queryAndKey, heads, keyValueHeads)
    const parts = [
      builder.node('SimplifiedLayerNormalization', [queries!, query], { attributes }),
      builder.node('SimplifiedLayerNormalization', [keys!, key], { attributes }),
    ]
    return builder.node('Concat', parts, along)
  }
  const [queryAndKey, value] = split(byHead, heads + keyValueHeads, keyValueHeads)
  const even = norms === undefined ? queryAndKey! : normalise(queryAndKey!, norms)
  const rotated = builder.node('RotaryEmbedding', [even, rotations, cosines, sines], {
    domain: CONTRIB,
  })
  const [query, key] = split(rotated, heads, keyValueHeads)
  const grouped =
    general === undefined ? [1, keyValueHeads, -1, 1, headSize] : [0, keyValueHeads, -1, headSize]
  const lines = builder.node('Reshape', [query!, builder.integers(grouped)])
  return { query: lines, key: key!, value: value! }
}

const multiply = (builder: GraphBuilder, left: string, right: string): string =>
  builder.node('MatMul', [left, right])

/** WebGPU lacks the operator for products with a transposed matrix, and would leave it to the processor. */
const scoresOf = (
  builder: GraphBuilder,
  form: RunForm,
  query: string,
  key: string,
  rank: 3 | 4,
  mask?: string,
): string => {
  const perm = rank === 3 ? [0, 2, 1] : [0, 1, 3, 2]
  const swap = (matrices: string): string =>
    builder.node('Transpose', [matrices], { attributes: { perm } })
  const scores =
    form === 'webgpu'
      ? swap(multiply(builder, key, swap(query)))
      : builder.node('FusedMatMul', [query, key], TRANSPOSE_RIGHT)
  return mask === undefined ? scores : builder.node('Add', [scores, mask])
}

/** All rows meet the shared prefix in one multiplication per head. */
const prefixSource = (
  builder: GraphBuilder,
  { keyValueHeads, headSize }: DecoderShape,
  key: string,
  value: string,
  { prefixMask, prefixByRow, prefixByHead, valuesByRow }: GeneralInputs,
  form: RunForm,
): Source => {
  const swap = (lines: string): string => builder.node('Transpose', [lines], SWAP_FIRST)
  const reshape = (lines: string, sizes: string): string =>
    builder.node('Reshape', [lines, sizes], LITERAL)
  return {
    scores: (query) => {
      const sizes = builder.integers([keyValueHeads, -1, headSize])
      const scores = scoresOf(
        builder,
        form,
        builder.node('Reshape', [swap(query), sizes]),
        key,
        3,
        prefixMask,
      )
      return swap(reshape(scores, prefixByRow))
    },
    attended: (weights) => {
      const byHead = reshape(swap(weights), prefixByHead)
      return swap(builder.node('Reshape', [multiply(builder, byHead, value), valuesByRow]))
    },
  }
}

/**
 * On the processor the runtime multiplies a single line with a matrix without repacking the matrix, which costs more than
 * the multiplication itself: so each line is a matrix of its own there.
 */
const pastSource = (
  builder: GraphBuilder,
  key: string,
  value: string,
  { form, pastMask }: AttentionInputs,
): Source => {
  const axis = builder.integers([3])
  const apart = (lines: string): string =>
    form === 'any' ? builder.node('Unsqueeze', [lines, axis]) : lines
  const together = (lines: string): string =>
    form === 'any' ? builder.node('Squeeze', [lines, axis]) : lines
  return {
    scores: (query) => together(scoresOf(builder, form, apart(query), key, 4, pastMask)),
    attended: (weights) => together(multiply(builder, apart(weights), value)),
  }
}

/**
 * A single token sees itself, without a mask. Its scores are computed by heads that share a key all the same, as in the
 * other form: line by line the sum would be another in its last digit.
 */
const newSource = (
  builder: GraphBuilder,
  { keyValueHeads, headSize }: DecoderShape,
  { key, value }: Heads,
  { form, general }: AttentionInputs,
): Source => ({
  scores: (query) => {
    if (general !== undefined) return scoresOf(builder, form, query, key, 4, general.causalMask)
    const reshape = (lines: string, ...sizes: readonly number[]): string =>
      builder.node('Reshape', [lines, builder.integers(sizes)])
    const lines = reshape(query, keyValueHeads, 1, -1, headSize)
    const scores = scoresOf(builder, form, lines, key, 4)
    return reshape(scores, 1, keyValueHeads, -1, 1, 1)
  },
  attended: (weights) => multiply(builder, weights, value),
})

/** One softmax over all sources; returns the sum of what each attends to. */
const attend = (
  builder: GraphBuilder,
  query: string,
  sources: readonly Source[],
  sizes: string,
): string => {
  const scores = sources.map((source) => source.scores(query))
  const weights = builder.node('Softmax', [builder.node('Concat', scores, ALONG_LAST)], ALONG_LAST)
  const parts = builder.nodes('Split', [weights, sizes], sources.length, ALONG_LAST)
  return sources
    .map((source, index) => source.attended(parts[index]!))
    .reduce((sum, part) => builder.node('Add', [sum, part]))
}

/** Takes the projections [B * S, (heads + 2 K) * H] of a layer; returns the attended values [B * S, heads * H]. */
export const addAttention = (
  builder: GraphBuilder,
  shape: DecoderShape,
  layer: number,
  projected: string,
  inputs: AttentionInputs,
  norms?: HeadNorms,
): string => {
  const { heads, keyValueHeads: K, headSize: H } = shape
  const { form, general } = inputs
  const fresh = splitHeads(builder, shape, projected, inputs, norms)
  const cached = (kind: string, dimensions: readonly (string | number)[]): [string, string] => [
    builder.input(`${kind}.${layer}.key`, 'float32', dimensions),
    builder.input(`${kind}.${layer}.value`, 'float32', dimensions),
  ]
  const present = general === undefined ? [K, 1, 1, H] : ['B', K, 'S', H]
  builder.output(`present.${layer}.key`, fresh.key, 'float32', present)
  builder.output(`present.${layer}.value`, fresh.value, 'float32', present)

  const pastHeads = pastRank(form) === 5 ? ['B', K, 1] : ['B', K]
  const past = pastSource(builder, ...cached('past', [...pastHeads, 'PAST', H]), inputs)
  const sources = [past, newSource(builder, shape, fresh, inputs)]
  if (general !== undefined) {
    const prefix = cached('prefix', [K, 'PREFIX', H])
    sources.unshift(prefixSource(builder, shape, ...prefix, general, form))
  }
  const attended = attend(builder, fresh.query, sources, inputs.parts)
  const flat = builder.integers([-1, heads * H])
  if (general === undefined) return builder.node('Reshape', [attended, flat])
  const byHead = builder.node('Reshape', [attended, builder.integers([0, heads, -1, H])])
  return builder.node('Reshape', [builder.node('Transpose', [byHead], SWAP_MIDDLE), flat])
}
