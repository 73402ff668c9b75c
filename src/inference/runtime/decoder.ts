/** Runs the decoder graph: puts its inputs together and sorts its outputs. */
import type { DecoderShape } from '../checkpoint/model-config.ts'
import { cacheShape, MASKED, type CacheParts, type CacheShape } from '../cache/cache-shape.ts'
import type { CachedPrefix } from '../cache/prompt-cache.ts'
import type { PastTensors } from '../cache/row-cache.ts'
import type { DecoderSessions } from './decoder-sessions.ts'
import { makeTensor, type Outputs, type Tensor } from './session.ts'

/** One run: B rows of S new tokens, padded on the right. */
export interface DecoderRun {
  readonly rows: number
  readonly length: number
  /** Tokens and their positions in the text, B * S each. */
  readonly tokens: BigInt64Array
  readonly positions: BigInt64Array
  /** Tokens at the front of every row that are in the cache already. */
  readonly prefix?: CachedPrefix
  readonly past?: PastTensors
  readonly head: HeadInputs
}

/** Where logits are wanted and what for; see `graphs/token-head.ts`. Arrays hold one entry per position. */
export interface HeadInputs {
  readonly rows: BigInt64Array
  readonly outputs: readonly string[]
  readonly temperatures?: Float32Array
  readonly uniforms?: Float32Array
  readonly targets?: BigInt64Array
  readonly topCount?: number
}

type Feeds = Record<string, Tensor>

export interface DecoderResults {
  /** Keys and values of the new tokens, [B, K, S, H] per part. */
  readonly present: CacheParts
  readonly head: Outputs
}

/** Names of the parts of a cache, in the order of `CacheParts`. */
export const partNames = (kind: string, layers: number): readonly string[] =>
  ['key', 'value'].flatMap((part) =>
    Array.from({ length: layers }, (_, layer) => `${kind}.${layer}.${part}`),
  )

const feedParts = (names: readonly string[], tensors: readonly Tensor[]): Feeds =>
  Object.fromEntries(names.map((name, part) => [name, tensors[part]!]))

/** A mask over `count` tokens that nobody sees. */
const unseen = (count: number): Float32Array => new Float32Array(count).fill(MASKED)

/** Computes what the scheduler asks for. `GraphDecoder` does it with our own graphs, `ExportDecoder` with anyone's. */
export interface Decoder {
  readonly shape: DecoderShape
  readonly cache: CacheShape
  /** Bytes of weights that a run reads. */
  readonly weightBytes: number
  /** Blocks this thread while it computes. */
  run(run: DecoderRun): Promise<DecoderResults>
}

export class GraphDecoder implements Decoder {
  readonly shape: DecoderShape
  readonly cache: CacheShape
  readonly #sessions: DecoderSessions
  readonly #names: Readonly<Record<'prefix' | 'past' | 'present', readonly string[]>>
  readonly #noPrefix: Feeds
  /**
   * Tokens that stand for no cache at all. Several operators of the WebGPU provider end the process on a tensor without
   * elements; a token that is masked changes no result.
   */
  readonly #none: 0 | 1
  #singleMask: Tensor | undefined

  constructor(sessions: DecoderSessions, shape: DecoderShape) {
    this.#sessions = sessions
    this.shape = shape
    this.cache = cacheShape(shape)
    const [prefix, past, present] = ['prefix', 'past', 'present'].map((kind) =>
      partNames(kind, shape.layers),
    )
    this.#names = { prefix: prefix!, past: past!, present: present! }
    this.#none = sessions.any.chosen.device === 'cpu' ? 0 : 1
    const { heads, headSize } = this.cache
    const none = this.#none
    const empty = makeTensor(new Float32Array(heads * none * headSize), [heads, none, headSize])
    this.#noPrefix = {
      prefix_mask: makeTensor(unseen(none), [1, 1, none]),
      ...Object.fromEntries(prefix!.map((name) => [name, empty])),
    }
  }

  get weightBytes(): number {
    return this.#sessions.any.weightBytes
  }

  async run(run: DecoderRun): Promise<DecoderResults> {
    const { rows, length, prefix } = run
    const isSingle = rows === 1 && length === 1 && prefix === undefined
    const single = isSingle ? this.#sessions.single : undefined
    const feeds: Feeds = {
      input_ids: makeTensor(run.tokens, [rows, length]),
      ...this.#pastFeeds(run.past, rows),
      ...this.#headFeeds(run.head),
      ...(single === undefined
        ? {
            position_ids: makeTensor(run.positions, [rows, length]),
            causal_mask: this.#causalMask(length),
            ...this.#prefixFeeds(prefix),
          }
        : { position_ids: makeTensor(run.positions, [1]) }),
    }
    const { present } = this.#names
    const session = single ?? this.#sessions.any
    const outputs = await session.run(feeds, [...present, ...run.head.outputs])
    return { present: present.map((name) => outputs[name] as Float32Array), head: outputs }
  }

  #prefixFeeds(prefix: CachedPrefix | undefined): Feeds {
    if (prefix === undefined || prefix.length === 0) return this.#noPrefix
    const { cache, length } = prefix
    return { prefix_mask: cache.mask(length), ...feedParts(this.#names.prefix, cache.tensors) }
  }

  #pastFeeds(past: PastTensors | undefined, rows: number): Feeds {
    if (past !== undefined)
      return { past_mask: past.mask, ...feedParts(this.#names.past, past.parts) }
    const { heads, headSize } = this.cache
    const none = this.#none
    const values = new Float32Array(rows * heads * none * headSize)
    const empty = makeTensor(values, [rows, heads, 1, none, headSize])
    return {
      past_mask: makeTensor(unseen(rows * none), [rows, 1, 1, 1, none]),
      ...Object.fromEntries(this.#names.past.map((name) => [name, empty])),
    }
  }

  /** What the graph's own head takes: one that scores labels has no temperature. */
  #headFeeds(wanted: HeadInputs): Feeds {
    const feeds = Object.entries(headFeeds(wanted))
    return Object.fromEntries(feeds.filter(([name]) => this.#sessions.any.inputTypes.has(name)))
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

/** Where no logits are wanted, those of one row stand in: several operators of the runtime fail on none. */
const NO_ROWS: HeadInputs = { rows: BigInt64Array.of(0n), outputs: [] }

export const headFeeds = (wanted: HeadInputs): Feeds => {
  const head = wanted.rows.length === 0 ? NO_ROWS : wanted
  const count = head.rows.length
  const { targets = new BigInt64Array(count) } = head
  return {
    rows: makeTensor(head.rows, [count]),
    temperature: makeTensor(head.temperatures ?? new Float32Array(count).fill(1), [count, 1]),
    uniform: makeTensor(head.uniforms ?? new Float32Array(count), [count, 1]),
    targets: makeTensor(targets, [count, targets.length / count]),
    top_count: makeTensor(BigInt64Array.of(BigInt(head.topCount ?? 1)), [1]),
  }
}
