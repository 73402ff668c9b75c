/** What the head of a graph takes and gives; see `graphs/token-head.ts` and `graphs/label-head.ts`. */
import type { DecoderShape } from '../checkpoint/model-config.ts'
import type { Feeds, WantedOutput } from './graph-runtime.ts'
import { makeTensor } from './session.ts'

/** Where logits are wanted and what for. Arrays hold one entry per position. */
export interface HeadInputs {
  readonly rows: BigInt64Array
  readonly outputs: readonly string[]
  readonly temperatures?: Float32Array
  readonly uniforms?: Float32Array
  readonly targets?: BigInt64Array
  readonly topCount?: number
}

interface HeadSizes {
  readonly vocabulary: number
  readonly top: number
  readonly targets: number
  readonly labels: number
}

interface HeadOutput {
  readonly type: 'float32' | 'int32'
  /** Numbers per position where logits are wanted. */
  readonly width: (sizes: HeadSizes) => number
}

const one = (): number => 1
const HEAD_OUTPUTS: Readonly<Record<string, HeadOutput>> = {
  drawn: { type: 'int32', width: one },
  drawn_logit: { type: 'float32', width: one },
  target_logits: { type: 'float32', width: ({ targets }) => targets },
  top_logits: { type: 'float32', width: ({ top }) => top },
  top_tokens: { type: 'int32', width: ({ top }) => top },
  normaliser: { type: 'float32', width: one },
  scaled_mass: { type: 'float32', width: one },
  logits: { type: 'float32', width: ({ vocabulary }) => vocabulary },
  labels: { type: 'float32', width: ({ labels }) => labels },
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

/** Outputs of a run of so many tokens, with their sizes. */
export const headOutputs = (
  { rows, length, head }: { rows: number; length: number; head: HeadInputs },
  { vocabulary, hidden }: DecoderShape,
  labels: number,
): readonly WantedOutput[] => {
  const { rows: places, targets, topCount: top = 1 } = head.rows.length === 0 ? NO_ROWS : head
  const count = places.length
  const sizes = { vocabulary, top, targets: (targets?.length ?? count) / count, labels }
  return head.outputs.map((name) => {
    if (name === 'hidden') return { name, type: 'float32', dimensions: [rows * length, hidden] }
    const { type, width } = HEAD_OUTPUTS[name]!
    return { name, type, dimensions: [count, width(sizes)] }
  })
}
