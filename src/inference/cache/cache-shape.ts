/** Sizes that the keys and values of a model take. Keys are stored transposed: see `graphs/decoder-graph.ts`. */
import type { DecoderShape } from '../checkpoint/model-config.ts'

export interface CacheShape {
  readonly layers: number
  readonly heads: number
  readonly headSize: number
}

export const cacheShape = (shape: DecoderShape): CacheShape => ({
  layers: shape.layers,
  heads: shape.keyValueHeads,
  headSize: shape.headSize,
})

/** Keys and values of one token in all layers, in bytes. */
export const bytesPerToken = ({ layers, heads, headSize }: CacheShape): number =>
  layers * heads * headSize * 2 * Float32Array.BYTES_PER_ELEMENT

/** Keys [B, K, H, S] and values [B, K, S, H] of each layer, as a run of the decoder returns them. */
export interface Present {
  readonly keys: readonly Float32Array[]
  readonly values: readonly Float32Array[]
  /** New tokens per row, S. */
  readonly length: number
}

/** Added to the score of a position that must not be attended to. */
export const MASKED = -1e9

/** A stretch of tokens in arrays of one per layer: keys [rows, K, H, stride] and values [rows, K, stride, H]. */
export interface TokenSpan {
  readonly keys: readonly Float32Array[]
  readonly values: readonly Float32Array[]
  readonly stride: number
  readonly row: number
  /** First token of the stretch. */
  readonly at: number
}

/** Copies the keys and values of `count` tokens; the arrays may hold different numbers of tokens per row. */
export const copyTokens = (
  { layers, heads, headSize }: CacheShape,
  from: TokenSpan,
  to: TokenSpan,
  count: number,
): void => {
  const lines = heads * headSize
  for (let layer = 0; layer < layers; layer++) {
    const [keys, values] = [from.keys[layer]!, from.values[layer]!]
    for (let line = 0; line < lines; line++) {
      const start = (from.row * lines + line) * from.stride + from.at
      const target = (to.row * lines + line) * to.stride + to.at
      to.keys[layer]!.set(keys.subarray(start, start + count), target)
    }
    for (let head = 0; head < heads; head++) {
      const start = ((from.row * heads + head) * from.stride + from.at) * headSize
      const target = ((to.row * heads + head) * to.stride + to.at) * headSize
      to.values[layer]!.set(values.subarray(start, start + count * headSize), target)
    }
  }
}
