/** Weights by name, whatever file format they lie in. A format is one file in this folder that implements this. */
import { RefineError } from '../../core/errors.ts'

export interface TensorSource {
  has(name: string): boolean
  /**
   * Values in row-major order as float32, in memory of their own.
   * @throws RefineError model_failed when the tensor is absent, has another shape or cannot be read.
   */
  read(name: string, shape: readonly number[]): Float32Array
  /** Releases the files; the arrays read stay valid. */
  close(): void
}

/** Says which file of a model is wrong and what was expected there. */
export const badModelFile = (file: string, message: string, cause?: unknown): RefineError =>
  new RefineError('model_failed', `${file}: ${message}`, cause === undefined ? {} : { cause })

export const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((product, dimension) => product * dimension, 1)

/** The source under the names of a whole model: checkpoints of a model without its head leave out `model.` in front. */
export const withModelPrefix = (source: TensorSource): TensorSource => {
  if (source.has('model.embed_tokens.weight') || !source.has('embed_tokens.weight')) return source
  const bare = (name: string): string => name.replace(/^model\./, '')
  return {
    has: (name) => source.has(bare(name)),
    read: (name, shape) => source.read(bare(name), shape),
    close: () => source.close(),
  }
}
