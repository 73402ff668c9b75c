/** What the attention of all layers shares: masks, rotations and sizes. */
import type { DecoderShape } from '../checkpoint/model-config.ts'
import type { GraphBuilder } from './graph-builder.ts'

/**
 * What runs a graph is for. On the processor any, or only those of one new token of one row that shares no prefix: these
 * need a quarter fewer operators, and each costs a run the same however little it computes. On a device any too, in
 * operators that it has.
 */
export type RunForm = 'any' | 'single' | DeviceForm
export type DeviceForm = 'cuda' | 'webgpu'

/** Dimensions of past.N.key, before those of the positions: only the processor wants one more; see `pastSource`. */
export const pastRank = (form: RunForm): 4 | 5 => (form === 'any' || form === 'single' ? 5 : 4)

/** Names of the inputs and of the int64 size vectors that layers share. */
export interface AttentionInputs {
  readonly form: RunForm
  /** Rows of the cosines and sines, one per new token. */
  readonly rotations: string
  readonly pastMask: string
  readonly cosines: string
  readonly sines: string
  /** PAST, S; with a prefix PREFIX before them. */
  readonly parts: string
  /** Undefined in the form for single tokens, which needs none of it. */
  readonly general: GeneralInputs | undefined
}

export interface GeneralInputs {
  readonly prefixMask: string
  readonly causalMask: string
  /** B, S, any, H */
  readonly heads: string
  /** K, B, G * S, PREFIX */
  readonly prefixByRow: string
  /** K, B * G * S, PREFIX */
  readonly prefixByHead: string
  /** K, B, G * S, H */
  readonly valuesByRow: string
}

const ALONG_FIRST = { attributes: { axis: 0 } }

/** The rotation of each new token, and which of them is whose. */
const addRotary = (
  builder: GraphBuilder,
  { headSize }: DecoderShape,
  form: RunForm,
): Pick<AttentionInputs, 'rotations' | 'cosines' | 'sines'> => {
  const [tokens, places] = form === 'single' ? [1, [1]] : ['T', ['B', 'S']]
  const half = headSize / 2
  return {
    rotations: builder.input('rotations', 'int64', places),
    cosines: builder.input('cosines', 'float32', [tokens, half]),
    sines: builder.input('sines', 'float32', [tokens, half]),
  }
}

/** Sizes that are known only when the graph runs, from those of its inputs. */
const sizesOf = (
  builder: GraphBuilder,
  { heads, keyValueHeads, headSize }: DecoderShape,
  ids: string,
  prefixMask: string,
  past: string,
) => {
  const dimension = (value: string, axis: number): string =>
    builder.node('Shape', [value], { attributes: { start: axis, end: axis + 1 } })
  const sizes = (...parts: readonly string[]): string => builder.node('Concat', parts, ALONG_FIRST)
  const [batch, length, prefix] = [dimension(ids, 0), dimension(ids, 1), dimension(prefixMask, 2)]
  const queries = builder.node('Mul', [length, builder.integers([heads / keyValueHeads])])
  const rows = builder.node('Mul', [batch, queries])
  const perHead = builder.integers([keyValueHeads])
  return {
    heads: sizes(batch, length, builder.integers([-1, headSize])),
    prefixByRow: sizes(perHead, batch, queries, prefix),
    prefixByHead: sizes(perHead, rows, prefix),
    valuesByRow: sizes(perHead, batch, queries, builder.integers([headSize])),
    parts: sizes(prefix, past, length),
  }
}

interface Masks {
  readonly pastMask: string
  readonly prefixMask: string
  readonly causalMask: string
}

/** What layers with a window see depends on where a token stands: so these masks have a line for each. */
const addMasks = (builder: GraphBuilder, form: RunForm, of: 'all' | 'window'): Masks => {
  const [mark, lines, line]: [string, number | string, number | string] =
    of === 'all' ? ['', 1, 1] : ['window_', 'WINDOW_LINES', 'WINDOW_LINE']
  const past = pastRank(form) === 5 ? ['B', 1, line, 1, 'PAST'] : (['B', 1, line, 'PAST'] as const)
  return {
    pastMask: builder.input(`${mark}past_mask`, 'float32', past),
    prefixMask: builder.input(`${mark}prefix_mask`, 'float32', [1, lines, 'PREFIX']),
    causalMask: builder.input(`${mark}causal_mask`, 'float32', ['GS', 'S']),
  }
}

const addSinglePast = (builder: GraphBuilder, mark: string): string =>
  builder.input(`${mark}past_mask`, 'float32', [1, 1, 1, 1, 'PAST'])

/** By what a layer sees: everything, or the window of the model, where it has one. */
export interface LayerInputs {
  readonly all: AttentionInputs
  readonly window: AttentionInputs | undefined
}

const singleInputs = (builder: GraphBuilder, shape: DecoderShape): LayerInputs => {
  const rotary = addRotary(builder, shape, 'single')
  const pastMask = addSinglePast(builder, '')
  const past = builder.node('Shape', [pastMask], { attributes: { start: 4, end: 5 } })
  const parts = builder.node('Concat', [past, builder.integers([1])], ALONG_FIRST)
  const all = { form: 'single', pastMask, ...rotary, parts, general: undefined } as const
  return {
    all,
    window: shape.window && { ...all, pastMask: addSinglePast(builder, 'window_') },
  }
}

/** Declares the inputs beside the cache itself and derives the sizes, once for all layers. */
export const addAttentionInputs = (
  builder: GraphBuilder,
  shape: DecoderShape,
  ids: string,
  form: RunForm,
): LayerInputs => {
  if (form === 'single') return singleInputs(builder, shape)
  const rotary = addRotary(builder, shape, form)
  const { pastMask, ...masks } = addMasks(builder, form, 'all')
  const last = { attributes: { start: pastRank(form) - 1, end: pastRank(form) } }
  const past = builder.node('Shape', [pastMask], last)
  const { parts, ...sizes } = sizesOf(builder, shape, ids, masks.prefixMask, past)
  const all = { form, pastMask, ...rotary, parts, general: { ...masks, ...sizes } }
  if (shape.window === undefined) return { all, window: undefined }
  const { pastMask: windowPast, ...windowMasks } = addMasks(builder, form, 'window')
  const general = { ...windowMasks, ...sizes }
  return { all, window: { ...all, pastMask: windowPast, general } }
}
