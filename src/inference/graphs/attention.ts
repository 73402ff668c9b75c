/** Grouped-query attention over a shared prefix, a past per row and the new tokens; see `decoder-graph.ts`. */
import type { DecoderShape } from '../checkpoint/model-config.ts'
import { CONTRIB, type GraphBuilder } from './graph-builder.ts'
import { rotaryTables } from './rotary.ts'

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
  /** [B, K, S, H] */
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
const ALONG_LAST = { attributes: { axis: -1 } }
const ALONG_FIRST = { attributes: { axis: 0 } }
const TRANSPOSE_RIGHT = { domain: CONTRIB, attributes: { transB: 1 } }
/** A zero in the shape means no elements, not "as before": the prefix may be empty. */
const LITERAL = { attributes: { allowzero: 1 } }

const addRotary = (builder: GraphBuilder, shape: DecoderShape) => {
  const { cosines, sines, dimensions } = rotaryTables(shape)
  return {
    cosines: builder.weight('cosines', cosines, dimensions),
    sines: builder.weight('sines', sines, dimensions),
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
  const pastMask = builder.input('past_mask', 'float32', ['B', 1, 1, 1, 'PAST'])
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
      parts: sizes(prefix, dimension(pastMask, 4), length),
    },
  }
}

/** Names of the weights that scale the normalised heads, [H] each. */
export interface HeadNorms {
  readonly query: string
  readonly key: string
}

/** Normalises each query and key head of [B, heads + K, S, H] by itself. */
const normaliseHeads = (
  builder: GraphBuilder,
  { heads, keyValueHeads, normEpsilon }: DecoderShape,
  queryAndKey: string,
  norms: HeadNorms,
): string => {
  const [query, key] = builder.nodes(
    'Split',
    [queryAndKey, builder.integers([heads, keyValueHeads])],
    2,
    { attributes: { axis: 1 } },
  )
  const attributes = { axis: -1, epsilon: { float: normEpsilon } }
  const normalise = (value: string, scale: string): string =>
    builder.node('SimplifiedLayerNormalization', [value, scale], { attributes })
  const parts = [normalise(query!, norms.query), normalise(key!, norms.key)]
  return builder.node('Concat', parts, { attributes: { axis: 1 } })
}

const splitHeads = (
  builder: GraphBuilder,
  shape: DecoderShape,
  projected: string,
  { positions, cosines, sines, sizes }: AttentionInputs,
  norms: HeadNorms | undefined,
): Heads => {
  const { heads, keyValueHeads, headSize } = shape
  const separate = builder.node('Reshape', [projected, sizes.heads])
  const byHead = builder.node('Transpose', [separate], SWAP_MIDDLE)
  const split = (value: string, first: number, second: number): string[] =>
    builder.nodes('Split', [value, builder.integers([first, second])], 2, {
      attributes: { axis: 1 },
    })
  const [queryAndKey, value] = split(byHead, heads + keyValueHeads, keyValueHeads)
  const even =
    norms === undefined ? queryAndKey! : normaliseHeads(builder, shape, queryAndKey!, norms)
  const rotated = builder.node('RotaryEmbedding', [even, positions, cosines, sines], {
    domain: CONTRIB,
  })
  const [query, key] = split(rotated, heads, keyValueHeads)
  const scaled = builder.node('Mul', [query!, builder.floats([headSize ** -0.5], [])])
  return {
    query: builder.node('Reshape', [scaled, builder.integers([0, keyValueHeads, -1, headSize])]),
    key: key!,
    value: value!,
  }
}

/**
 * [B, K, G * S, n] to [B, K, G * S, 1, n]: the runtime multiplies a single line with a matrix without repacking the
 * matrix, which costs more than the multiplication itself.
 */
const oneByOne = (builder: GraphBuilder, lines: string): string =>
  builder.node('Unsqueeze', [lines, builder.integers([3])])

/** Undoes `oneByOne`. */
const together = (builder: GraphBuilder, lines: string): string =>
  builder.node('Squeeze', [lines, builder.integers([3])])

const addWeights = (
  builder: GraphBuilder,
  { keyValueHeads, headSize }: DecoderShape,
  { query, key }: Heads,
  prefixKey: string,
  pastKey: string,
  { prefixMask, pastMask, causalMask, sizes }: AttentionInputs,
): Weights => {
  const masked = (left: string, right: string, mask: string): string =>
    builder.node('Add', [builder.node('FusedMatMul', [left, right], TRANSPOSE_RIGHT), mask])
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
    together(builder, masked(oneByOne(builder, query), pastKey, pastMask)),
    masked(query, key, causalMask),
  ]
  const weights = builder.node('Softmax', [builder.node('Concat', scores, ALONG_LAST)], ALONG_LAST)
  const parts = builder.nodes('Split', [weights, sizes.parts], 3, ALONG_LAST)
  return { onPrefix: parts[0]!, onPast: parts[1]!, onNew: parts[2]! }
}

/** The attended values of the three parts together, [B, K, G * S, H]. */
const addValues = (
  builder: GraphBuilder,
  { onPrefix, onPast, onNew }: Weights,
  values: { readonly prefix: string; readonly past: string; readonly fresh: string },
  sizes: AttentionInputs['sizes'],
): string => {
  const multiply = (left: string, right: string): string => builder.node('MatMul', [left, right])
  const add = (left: string, right: string): string => builder.node('Add', [left, right])
  const byHead = builder.node('Transpose', [onPrefix], SWAP_FIRST)
  const weightsByHead = builder.node('Reshape', [byHead, sizes.prefixByHead], LITERAL)
  const fromPrefix = builder.node('Reshape', [
    multiply(weightsByHead, values.prefix),
    sizes.valuesByRow,
  ])
  const fromPast = together(builder, multiply(oneByOne(builder, onPast), values.past))
  return add(
    add(fromPast, multiply(onNew, values.fresh)),
    builder.node('Transpose', [fromPrefix], SWAP_FIRST),
  )
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
  const parts = splitHeads(builder, shape, projected, inputs, norms)
  const cached = (part: string) => ({
    prefix: builder.input(`prefix.${layer}.${part}`, 'float32', [K, 'PREFIX', H]),
    past: builder.input(`past.${layer}.${part}`, 'float32', ['B', K, 1, 'PAST', H]),
  })
  const [keys, values] = [cached('key'), cached('value')]
  builder.output(`present.${layer}.key`, parts.key, 'float32', ['B', K, 'S', H])
  builder.output(`present.${layer}.value`, parts.value, 'float32', ['B', K, 'S', H])

  const weights = addWeights(builder, shape, parts, keys.prefix, keys.past, inputs)
  const attended = addValues(builder, weights, { ...values, fresh: parts.value }, inputs.sizes)
  const byHead = builder.node('Reshape', [attended, builder.integers([0, heads, -1, H])])
  return builder.node('Reshape', [
    builder.node('Transpose', [byHead], SWAP_MIDDLE),
    builder.integers([-1, heads * H]),
  ])
}
