/** Runs the decoder graph: puts its inputs together and sorts its outputs. */
import type { DecoderShape } from '../checkpoint/model-config.ts'
import type { CacheBlock, CacheMemory } from '../cache/cache-memory.ts'
import { MASKED } from '../cache/cache-shape.ts'
import type { CachedPrefix } from '../cache/prompt-cache.ts'
import type { PastRows } from '../cache/row-cache.ts'
import { RotaryTable } from '../graphs/rotary.ts'
import type { CacheFeed, Feeds, GraphRuntime } from './graph-runtime.ts'
import { headFeeds, headOutputs, type HeadInputs } from './head-inputs.ts'
import { makeTensor, type Outputs, type Tensor } from './session.ts'
import { windowMasks, type Masks } from './window-masks.ts'

/** One run: B rows of S new tokens, padded on the right. */
export interface DecoderRun {
  readonly rows: number
  readonly length: number
  /** Tokens and their positions in the text, B * S each. */
  readonly tokens: BigInt64Array
  readonly positions: BigInt64Array
  /** Tokens at the front of every row that are in the cache already. */
  readonly prefix?: CachedPrefix
  readonly past?: PastRows
  readonly head: HeadInputs
}

export interface DecoderResults {
  /** Keys and values of the new tokens, [B, K, S, H] per part; to be released by whoever has taken them. */
  readonly present: CacheBlock
  readonly head: Outputs
}

/** Names of the parts of a cache, in the order of `CacheBlock`. */
export const partNames = (kind: string, layers: number): readonly string[] =>
  ['key', 'value'].flatMap((part) =>
    Array.from({ length: layers }, (_, layer) => `${kind}.${layer}.${part}`),
  )

/** A mask over `count` tokens that nobody sees. */
const unseen = (count: number): Float32Array => new Float32Array(count).fill(MASKED)

const maskFeeds = (mark: string, { past, prefix, causal }: Masks): Feeds => ({
  [`${mark}past_mask`]: past,
  ...(prefix && { [`${mark}prefix_mask`]: prefix }),
  ...(causal && { [`${mark}causal_mask`]: causal }),
})

/** Computes what the scheduler asks for. `GraphDecoder` does it with our own graphs, `ExportDecoder` with anyone's. */
export interface Decoder {
  readonly shape: DecoderShape
  /** Where the caches lie that it reads. */
  readonly memory: CacheMemory
  /** Bytes of weights that a run reads. */
  readonly weightBytes: number
  /** Blocks this thread while it computes. */
  run(run: DecoderRun): Promise<DecoderResults>
  /** Gives back all memory. Nothing may be running, and nothing run afterwards. */
  close(): Promise<void>
}

export class GraphDecoder implements Decoder {
  readonly shape: DecoderShape
  readonly #runtime: GraphRuntime
  readonly #labels: number
  readonly #names: Readonly<Record<'prefix' | 'past' | 'present', readonly string[]>>
  /** Stand for caches that are not there. */
  readonly #noPrefix: CacheBlock
  #noPast: CacheBlock
  #singleMask: Tensor | undefined
  readonly #rotary: RotaryTable

  constructor(runtime: GraphRuntime, shape: DecoderShape, labels = 0) {
    this.#runtime = runtime
    this.shape = shape
    this.#labels = labels
    // Queries and keys are both rotated: so half of the scale of their product is each one's.
    this.#rotary = new RotaryTable(shape, shape.headSize ** -0.25)
    const [prefix, past, present] = ['prefix', 'past', 'present'].map((kind) =>
      partNames(kind, shape.layers),
    )
    this.#names = { prefix: prefix!, past: past!, present: present! }
    this.#noPrefix = this.memory.allocate(1, runtime.emptyTokens)
    this.#noPast = this.memory.allocate(1, runtime.emptyTokens)
  }

  get memory(): CacheMemory {
    return this.#runtime.memory
  }

  get weightBytes(): number {
    return this.#runtime.weightBytes
  }

  async run(run: DecoderRun): Promise<DecoderResults> {
    const { rows, length, prefix } = run
    const isSingle = rows === 1 && length === 1 && prefix === undefined && this.#runtime.hasSingle
    const past = this.#past(run.past, rows)
    const shared = isSingle ? undefined : this.#prefix(prefix)
    const causal = isSingle ? undefined : this.#causalMask(length)
    const feeds: Feeds = {
      input_ids: makeTensor(run.tokens, [rows, length]),
      ...this.#maskFeeds(run, { past: past.mask, prefix: shared?.mask, causal }),
      ...this.#rotaryFeeds(run, isSingle),
      ...this.#headFeeds(run.head),
    }
    const { present, outputs } = await this.#runtime.run(isSingle ? 'single' : 'any', {
      feeds,
      caches: shared === undefined ? [past.cache] : [past.cache, shared.cache],
      present: { names: this.#names.present, rows, length },
      outputs: headOutputs(run, this.shape, this.#labels),
    })
    return { present, head: outputs }
  }

  close(): Promise<void> {
    return this.#runtime.close()
  }

  #maskFeeds(run: DecoderRun, masks: Masks): Feeds {
    const all = maskFeeds('', masks)
    if (this.shape.window === undefined) return all
    return { ...all, ...maskFeeds('window_', windowMasks(run, this.shape, masks)) }
  }

  #rotaryFeeds({ rows, length, positions }: DecoderRun, isSingle: boolean): Feeds {
    const { cosines, sines } = this.#rotary.rows(positions)
    const size = [positions.length, this.shape.headSize / 2]
    const order = BigInt64Array.from(positions, (_, token) => BigInt(token))
    return {
      rotations: makeTensor(order, isSingle ? [1] : [rows, length]),
      cosines: makeTensor(cosines, size),
      sines: makeTensor(sines, size),
    }
  }

  #prefix(prefix: CachedPrefix | undefined): { mask: Tensor; cache: CacheFeed } {
    const { heads, headSize } = this.memory.shape
    const isThere = prefix !== undefined && prefix.length > 0
    const block = isThere ? prefix.cache.block : this.#noPrefix
    const tokens = block.stride
    const mask = isThere ? prefix.cache.mask(prefix.length) : unseen(tokens)
    return {
      mask: makeTensor(mask, [1, 1, tokens]),
      cache: { names: this.#names.prefix, block, dimensions: [heads, tokens, headSize] },
    }
  }

  #past(past: PastRows | undefined, rows: number): { mask: Tensor; cache: CacheFeed } {
    const { heads, headSize } = this.memory.shape
    const block = past?.block ?? this.#emptyRows(rows)
    const tokens = block.stride
    const mask = past?.mask ?? unseen(rows * tokens)
    const lines = this.#runtime.pastRank === 5 ? [1] : []
    return {
      mask: makeTensor(mask, [rows, ...lines, 1, 1, tokens]),
      cache: {
        names: this.#names.past,
        block,
        dimensions: [rows, heads, ...lines, tokens, headSize],
      },
    }
  }

  #emptyRows(rows: number): CacheBlock {
    if (this.#noPast.rows >= rows) return this.#noPast
    this.#noPast.release()
    this.#noPast = this.memory.allocate(rows, this.#runtime.emptyTokens)
    return this.#noPast
  }

  /** What the graph's own head takes: one that scores labels has no temperature. */
  #headFeeds(wanted: HeadInputs): Feeds {
    const feeds = Object.entries(headFeeds(wanted))
    return Object.fromEntries(feeds.filter(([name]) => this.#runtime.inputNames.has(name)))
  }

  /** [G * S, S]: a token sees itself and those before it. */
  #causalMask(length: number): Tensor {
    if (length === 1 && this.#singleMask !== undefined) return this.#singleMask
    const lines = (this.shape.heads / this.shape.keyValueHeads) * length
    const mask = new Float32Array(lines * length)
    for (let line = 0; line < lines; line++)
      mask.fill(MASKED, line * length + (line % length) + 1, (line + 1) * length)
    const tensor = makeTensor(mask, [lines, length])
    if (length === 1) this.#singleMask = tensor
    return tensor
  }
}
