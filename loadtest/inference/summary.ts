/** What the figures come to: against the best other engine, the stock loop, and the limits of the machine. */
import type { DecoderShape } from '../../src/inference/checkpoint/model-config.ts'
import type { Speed } from '../../src/inference/runtime/speed-probe.ts'
import type { Cell } from './rounds.ts'

export interface Standing {
  readonly tokens_per_second: number
  readonly best_peer: string | null
  readonly ratio_to_best_peer: number | null
  readonly ratio_to_stock_loop: number | null
}

/** Shares of what the machine could do, as measured in the same run. */
export interface Shares {
  readonly bandwidth: number
  readonly arithmetic: number
}

/** Of the longest context that was measured; null where this number of samples was not. */
export const standingOf = (cells: readonly Cell[], samples: number): Standing | null => {
  const longest = Math.max(...cells.map(({ context }) => context))
  const found = cells.filter((cell) => cell.samples === samples && cell.context === longest)
  const speed = (cell: Cell | undefined) => cell?.decode_tokens_per_second
  const own = speed(found.find(({ engine }) => engine === 'whetstone'))
  if (own === undefined) return null
  const stock = speed(found.find(({ engine }) => engine === 'stock-loop'))
  const [best] = found
    .filter(({ engine }) => engine !== 'whetstone' && engine !== 'stock-loop')
    .toSorted((left, right) => right.decode_tokens_per_second - left.decode_tokens_per_second)
  return {
    tokens_per_second: own,
    best_peer: best?.engine ?? null,
    ratio_to_best_peer: best === undefined ? null : own / best.decode_tokens_per_second,
    ratio_to_stock_loop: stock === undefined ? null : own / stock,
  }
}

const matrixElements = (shape: DecoderShape): number => {
  const { layers, hidden, heads, keyValueHeads, headSize, intermediate, vocabulary } = shape
  const attention = 2 * hidden * headSize * (heads + keyValueHeads)
  return layers * (attention + 3 * hidden * intermediate) + vocabulary * hidden
}

/**
 * A decode step has to read the weights, the prompt's cache once and each sample's own part (left out: short here), and
 * to multiply every weight and every cached value by each sample.
 */
export const sharesOf = (cell: Cell, shape: DecoderShape, speed: Speed): Shares => {
  const elements = matrixElements(shape)
  const bytesPerWeight = cell.precision === 'fp32' ? 4 : 1
  const cached = 2 * shape.layers * shape.keyValueHeads * shape.headSize * cell.context
  const bytes = elements * bytesPerWeight + cached * 4
  const perHead = (cached * shape.heads) / shape.keyValueHeads
  const operations = 2 * cell.samples * (elements + perHead)
  const stepsPerSecond = cell.decode_tokens_per_second / cell.samples
  return {
    bandwidth: (bytes * stepsPerSecond) / (speed.gigabytesPerSecond * 1e9),
    arithmetic: (operations * stepsPerSecond) / (speed.gigaflops * 1e9),
  }
}
