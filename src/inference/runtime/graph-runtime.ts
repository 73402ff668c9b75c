/** What runs a decoder graph: `process-runtime.ts` in the memory of the processor, `native/device-runtime.ts` on a device. */
import type { CacheBlock, CacheMemory } from '../cache/cache-memory.ts'
import type { ChosenDevice } from './choose-device.ts'
import type { Outputs, Tensor } from './session.ts'

export type Feeds = Readonly<Record<string, Tensor>>

/** A cache that the graph reads: an input per part, of these dimensions. */
export interface CacheFeed {
  readonly names: readonly string[]
  readonly block: CacheBlock
  readonly dimensions: readonly number[]
}

/** An output that comes to the processor. */
export interface WantedOutput {
  readonly name: string
  readonly type: 'float32' | 'int32'
  readonly dimensions: readonly number[]
}

export interface GraphRun {
  readonly feeds: Feeds
  readonly caches: readonly CacheFeed[]
  /** Outputs with the keys and values of the new tokens, [rows, K, length, H] per part. */
  readonly present: {
    readonly names: readonly string[]
    readonly rows: number
    readonly length: number
  }
  readonly outputs: readonly WantedOutput[]
}

export interface GraphResults {
  /** To be released by whoever has taken what it holds. */
  readonly present: CacheBlock
  readonly outputs: Outputs
}

export interface GraphRuntime {
  readonly memory: CacheMemory
  readonly chosen: ChosenDevice
  /** Bytes of weights that a run reads. */
  readonly weightBytes: number
  /** Of the form `any`. */
  readonly inputNames: ReadonlySet<string>
  /** Whether there is a graph of the form `single` too. */
  readonly hasSingle: boolean
  /** Dimensions of a past, as `pastRank` has them. */
  readonly pastRank: 4 | 5
  /**
   * Tokens that stand for no cache at all. Several operators of the WebGPU provider end the process on a tensor without
   * elements; a token that is masked changes no result.
   */
  readonly emptyTokens: 0 | 1
  /** Blocks this thread while it computes. */
  run(form: 'any' | 'single', run: GraphRun): Promise<GraphResults>
  close(): Promise<void>
}
