/** Where keys and values lie: in the memory of the processor (`process-memory.ts`) or of a device (`runtime/native`). */
import type { CacheShape } from './cache-shape.ts'

/** `count` tokens of one row of a block, from `fromAt` on, and where they go in another. */
export interface TokenCopy {
  readonly fromRow: number
  readonly fromAt: number
  readonly toRow: number
  readonly toAt: number
  readonly count: number
}

/**
 * Keys and values of the layers, first all keys, then all values. Each of these parts has the shape [rows, K, stride, H]:
 * K key-value heads, room for `stride` tokens per row, H numbers per head. What was never written is finite.
 */
export interface CacheBlock {
  readonly rows: number
  readonly stride: number
  /** `source` is of the same memory and another block, but for copies within one that do not overlap. */
  copyFrom(source: CacheBlock, copies: readonly TokenCopy[]): void
  /** Gives the memory back; the block must not be used afterwards. */
  release(): void
}

export interface CacheMemory {
  readonly shape: CacheShape
  /** @throws RefineError model_failed when a device has no room left. */
  allocate(rows: number, stride: number): CacheBlock
}
