/** Keys and values in the memory of a device. */
import type { CacheBlock, CacheMemory, TokenCopy } from '../../cache/cache-memory.ts'
import { bytesPerToken, type CacheShape } from '../../cache/cache-shape.ts'
import { writeClearingGraph, writeMovingGraph } from '../../graphs/cache-graphs.ts'
import { makeTensor } from '../session.ts'
import { DeviceSession, type DeviceTensor, type MemoryDevice } from './device-session.ts'
import type { NativeLibrary } from './library.ts'

/** Blocks given back that are kept for the next of their size: a decode step needs the same ones each time. */
const KEPT_BLOCKS = 2

export class DeviceBlock implements CacheBlock {
  readonly rows: number
  readonly stride: number
  readonly #memory: DeviceMemory
  readonly parts: readonly DeviceTensor[]
  #views: { readonly dimensions: string; readonly list: readonly DeviceTensor[] } | undefined

  constructor(memory: DeviceMemory, rows: number, stride: number) {
    const { shape } = memory
    this.#memory = memory
    this.rows = rows
    this.stride = stride
    const dimensions = [rows * shape.heads * stride, shape.headSize]
    const parts: DeviceTensor[] = []
    try {
      while (parts.length < shape.parts) parts.push(memory.tensor(dimensions))
    } catch (thrown) {
      for (const part of parts) memory.drop(part)
      throw thrown
    }
    this.parts = parts
  }

  /** The parts, or as many rows of them from the first on as the dimensions hold; until other ones are asked for. */
  views(dimensions: readonly number[]): readonly DeviceTensor[] {
    const key = dimensions.join()
    if (this.#views?.dimensions === key) return this.#views.list
    this.#dropViews()
    const list = this.parts.map((part) => this.#memory.view(part, dimensions))
    this.#views = { dimensions: key, list }
    return list
  }

  copyFrom(source: CacheBlock, copies: readonly TokenCopy[]): void {
    this.#memory.copy(source as DeviceBlock, this, copies)
  }

  release(): void {
    this.#memory.takeBack(this)
  }

  /** Frees the memory for good. */
  free(): void {
    this.#dropViews()
    for (const part of this.parts) this.#memory.drop(part)
  }

  #dropViews(): void {
    for (const view of this.#views?.list ?? []) this.#memory.drop(view)
    this.#views = undefined
  }
}

export class DeviceMemory implements CacheMemory {
  readonly shape: CacheShape
  readonly #moving: DeviceSession
  readonly #clearing: DeviceSession
  /** All that hold memory. */
  readonly #blocks = new Set<DeviceBlock>()
  /** Those of them that can be given out again; all that is in them is finite. */
  #kept: DeviceBlock[] = []

  constructor(library: NativeLibrary, shape: CacheShape, device: MemoryDevice, threads: number) {
    this.shape = shape
    const { parts, headSize } = shape
    this.#moving = new DeviceSession(library, writeMovingGraph(parts, headSize), device, threads)
    this.#clearing = new DeviceSession(library, writeClearingGraph(headSize), device, threads)
  }

  /** Bytes of all blocks that were not freed. */
  get bytes(): number {
    const tokens = [...this.#blocks].reduce((sum, { rows, stride }) => sum + rows * stride, 0)
    return tokens * bytesPerToken(this.shape)
  }

  allocate(rows: number, stride: number): DeviceBlock {
    const kept = this.#take(rows, stride)
    if (kept !== undefined) return kept
    const block = this.#make(rows, stride)
    const lines = makeTensor(BigInt64Array.of(BigInt(rows * this.shape.heads * stride)), [1])
    // Memory that was never written may hold what is not a number, and that times zero is none either.
    for (const part of block.parts)
      this.#clearing.run({ feeds: { lines }, inputs: [], results: [['zeros', part]], outputs: [] })
    return block
  }

  /** A block that is about to be written all over. */
  allocateUnset(rows: number, stride: number): DeviceBlock {
    return this.#take(rows, stride) ?? this.#make(rows, stride)
  }

  copy(source: DeviceBlock, target: DeviceBlock, copies: readonly TokenCopy[]): void {
    const { heads } = this.shape
    const count = copies.reduce((sum, copy) => sum + copy.count, 0) * heads
    const [from, to] = [new BigInt64Array(count), new BigInt64Array(count)]
    let line = 0
    for (const { fromRow, fromAt, toRow, toAt, count: tokens } of copies)
      for (let head = 0; head < heads; head++) {
        const start = (fromRow * heads + head) * source.stride + fromAt
        const end = (toRow * heads + head) * target.stride + toAt
        for (let token = 0; token < tokens; token++, line++) {
          from[line] = BigInt(start + token)
          to[line] = BigInt(end + token)
        }
      }
    this.#moving.run({
      feeds: { from: makeTensor(from, [count]), to: makeTensor(to, [count, 1]) },
      inputs: [...name('source', source.parts), ...name('target', target.parts)],
      results: name('moved', target.parts),
      outputs: [],
    })
  }

  tensor(dimensions: readonly number[]): DeviceTensor {
    return this.#moving.allocate(dimensions)
  }

  view(tensor: DeviceTensor, dimensions: readonly number[]): DeviceTensor {
    return this.#moving.view(tensor, dimensions)
  }

  drop(tensor: DeviceTensor): void {
    this.#moving.release(tensor)
  }

  takeBack(block: DeviceBlock): void {
    this.#kept.push(block)
    while (this.#kept.length > KEPT_BLOCKS) this.#free(this.#kept.shift()!)
  }

  /** Frees all blocks, wherever they are. */
  close(): void {
    for (const block of this.#blocks) this.#free(block)
    // Sessions hold on to what they used last, and that is memory of the moving one.
    this.#clearing.close()
    this.#moving.close()
  }

  #make(rows: number, stride: number): DeviceBlock {
    const block = new DeviceBlock(this, rows, stride)
    this.#blocks.add(block)
    return block
  }

  #take(rows: number, stride: number): DeviceBlock | undefined {
    const index = this.#kept.findIndex((block) => block.rows === rows && block.stride === stride)
    return index < 0 ? undefined : this.#kept.splice(index, 1)[0]
  }

  #free(block: DeviceBlock): void {
    this.#blocks.delete(block)
    block.free()
  }
}

const name = (kind: string, tensors: readonly DeviceTensor[]): [string, DeviceTensor][] =>
  tensors.map((tensor, part) => [`${kind}.${part}`, tensor])
