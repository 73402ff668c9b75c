/** Keys and values in arrays of this process. */
import { makeTensor, type Tensor } from '../runtime/session.ts'
import type { CacheBlock, CacheMemory, TokenCopy } from './cache-memory.ts'
import type { CacheShape } from './cache-shape.ts'

export class ProcessBlock implements CacheBlock {
  readonly rows: number
  readonly stride: number
  readonly parts: readonly Float32Array[]
  readonly #shape: CacheShape
  #tensors: { readonly dimensions: string; readonly list: readonly Tensor[] } | undefined

  constructor(
    shape: CacheShape,
    rows: number,
    stride: number,
    parts: readonly Float32Array[] = Array.from(
      { length: shape.parts },
      () => new Float32Array(rows * shape.heads * shape.headSize * stride),
    ),
  ) {
    this.#shape = shape
    this.rows = rows
    this.stride = stride
    this.parts = parts
  }

  /** Views of the parts, or of as many rows from the first on as the dimensions hold. */
  tensors(dimensions: readonly number[]): readonly Tensor[] {
    const key = dimensions.join()
    if (this.#tensors?.dimensions !== key) {
      const size = dimensions.reduce((product, dimension) => product * dimension, 1)
      const list = this.parts.map((data) => makeTensor(data.subarray(0, size), dimensions))
      this.#tensors = { dimensions: key, list }
    }
    return this.#tensors.list
  }

  copyFrom(source: CacheBlock, copies: readonly TokenCopy[]): void {
    const { heads, headSize } = this.#shape
    for (const [part, values] of (source as ProcessBlock).parts.entries())
      for (const { fromRow, fromAt, toRow, toAt, count } of copies)
        for (let head = 0; head < heads; head++) {
          const start = ((fromRow * heads + head) * source.stride + fromAt) * headSize
          const target = ((toRow * heads + head) * this.stride + toAt) * headSize
          this.parts[part]!.set(values.subarray(start, start + count * headSize), target)
        }
  }

  release(): void {
    this.#tensors = undefined
  }
}

export class ProcessMemory implements CacheMemory {
  readonly shape: CacheShape

  constructor(shape: CacheShape) {
    this.shape = shape
  }

  allocate(rows: number, stride: number): ProcessBlock {
    return new ProcessBlock(this.shape, rows, stride)
  }
}
