/** Sizes that the keys and values of a model take, and moving them about. */
import type { DecoderShape } from '../checkpoint/model-config.ts'

/**
 * Keys and values of the layers, one array each: first all keys, then all values. Every array has the shape
 * [rows, K, stride, H]: K key-value heads, room for `stride` tokens per row, H numbers per head.
 */
export type CacheParts = readonly Float32Array[]

export interface CacheShape {
  /** Arrays of a cache: two per layer. */
  readonly parts: number
  readonly heads: number
  readonly headSize: number
}

export const cacheShape = ({ layers, keyValueHeads, headSize }: DecoderShape): CacheShape => ({
  parts: 2 * layers,
  heads: keyValueHeads,
  headSize,
})

/** Keys and values of one token in all layers, in bytes. */
export const bytesPerToken = ({ parts, heads, headSize }: CacheShape): number =>
  parts * heads * headSize * Float32Array.BYTES_PER_ELEMENT

export const allocateParts = (
  { parts, heads, headSize }: CacheShape,
  rows: number,
  stride: number,
): CacheParts =>
  Array.from({ length: parts }, () => new Float32Array(rows * heads * headSize * stride))

/** Added to the score of a position that must not be attended to. */
export const MASKED = -1e9

/** Tokens of one row of a cache, from `at` on. */
export interface TokenSpan {
  readonly parts: CacheParts
  readonly stride: number
  readonly row: number
  readonly at: number
}

/** Copies the keys and values of `count` tokens between caches of the same shape. */
export const copyTokens = (
  { heads, headSize }: CacheShape,
  from: TokenSpan,
  to: TokenSpan,
  count: number,
): void => {
  for (const [part, source] of from.parts.entries())
    for (let head = 0; head < heads; head++) {
      const start = ((from.row * heads + head) * from.stride + from.at) * headSize
      const target = ((to.row * heads + head) * to.stride + to.at) * headSize
      to.parts[part]!.set(source.subarray(start, start + count * headSize), target)
    }
}
