/** Runs the decoder graph: puts its inputs together and sorts its outputs. */
import type { DecoderShape } from '../checkpoint/model-config.ts'
import { cacheShape, MASKED, type CacheShape, type Present } from '../cache/cache-shape.ts'
import type { CachedPrefix } from '../cache/prompt-cache.ts'
import type { PastTensors } from '../cache/row-cache.ts'
import { makeTensor, type Outputs, type Session, type Tensor } from './session.ts'

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

export class Decoder {
  readonly shape: DecoderShape
  readonly cache: CacheShape
  readonly #session: Session
  readonly #presentNames: readonly string[]
  readonly #causalMasks = new Map<number, Tensor>()
  readonly #noPrefix: Feeds

  constructor(session: Session, shape: DecoderShape) {
    this.#session = session
    this.shape = shape
    this.cache = cacheShape(shape)
    const layers = Array.from({ length: shape.layers }, (_, layer) => layer)
    this.#presentNames = ['key', 'value'].flatMap((part) =>
      layers.map((layer) => `present.${layer}.${part}`),
    )
    const { heads, headSize } = this.cache
    const none = new Float32Array()
    this.#noPrefix = { prefix_mask: makeTensor(none, [1, 1, 0]) }
    for (const layer of layers) {
      this.#noPrefix[`prefix.${layer}.key`] = makeTensor(none, [heads, headSize, 0])
      this.#noPrefix[`prefix.${layer}.value`] = makeTensor(none, [heads, 0, headSize])
    }
  }

  /** Blocks this thread while it computes. */
  async run(run: DecoderRun): Promise<{ readonly present: Present; readonly head: Outputs }> {
    const dimensions = [run.rows, run.length]
    const feeds: Feeds = {
      input_ids: makeTensor(run.tokens, dimensions),
      position_ids: makeTensor(run.positions, dimensions),
      causal_mask: this.#causalMask(run.length),
      ...this.#prefixFeeds(run.prefix),
      ...this.#pastFeeds(run.past, run.rows),
      ...headFeeds(run.head),
    }
    const outputs = await this.#session.run(feeds, [...this.#presentNames, ...run.head.outputs])
    const present = this.#presentNames.map((name) => outputs[name] as Float32Array)
    const { layers } = this.shape
    return {
      present: {
        keys: present.slice(0, layers),
        values: present.slice(layers),
        length: run.length,
      },
      head: outputs,
    }
  }

  #prefixFeeds(prefix: DecoderRun['prefix']): Feeds {
    if (prefix === undefined || prefix.length === 0) return this.#noPrefix
    const { cache, length } = prefix
    const feeds: Feeds = { prefix_mask: cache.mask(length) }
    for (let layer = 0; layer < this.shape.layers; layer++) {
      feeds[`prefix.${layer}.key`] = cache.keyTensors[layer]!
      feeds[`prefix.${layer}.value`] = cache.valueTensors[layer]!
    }
    return feeds
  }

  #pastFeeds(past: PastTensors | undefined, rows: number): Feeds {
    const { heads, headSize } = this.cache
    const none = new Float32Array()
    const feeds: Feeds = { past_mask: past?.mask ?? makeTensor(none, [rows, 1, 1, 0]) }
    const noKeys = makeTensor(none, [rows, heads, headSize, 0])
    const noValues = makeTensor(none, [rows, heads, 0, headSize])
    for (let layer = 0; layer < this.shape.layers; layer++) {
      feeds[`past.${layer}.key`] = past?.keys[layer] ?? noKeys
      feeds[`past.${layer}.value`] = past?.values[layer] ?? noValues
    }
    return feeds
  }

  /** [G * S, S]: a token sees itself and those before it. */
  #causalMask(length: number): Tensor {
    const known = this.#causalMasks.get(length)
    if (known !== undefined) return known
    const group = this.shape.heads / this.shape.keyValueHeads
    const mask = new Float32Array(group * length * length)
    for (let line = 0; line < group * length; line++)
      mask.fill(MASKED, line * length + (line % length) + 1, (line + 1) * length)
    const tensor = makeTensor(mask, [group * length, length])
    if (length === 1) this.#causalMasks.set(length, tensor)
    return tensor
  }
}

/** Where no logits are wanted, those of one row stand in: several operators of the runtime fail on none. */
const NO_ROWS: HeadInputs = { rows: BigInt64Array.of(0n), outputs: [] }

const headFeeds = (wanted: HeadInputs): Feeds => {
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
