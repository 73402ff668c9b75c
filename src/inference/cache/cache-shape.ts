/** Sizes that the keys and values of a model take. */
import type { DecoderShape } from '../checkpoint/model-config.ts'

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

/** Added to the score of a position that must not be attended to. */
export const MASKED = -1e9
