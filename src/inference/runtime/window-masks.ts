/** Masks of layers that see no more than the last tokens (Beltagy et al. 2020, arXiv:2004.05150, section 3.1). */
import { MASKED } from '../cache/cache-shape.ts'
import type { DecoderShape } from '../checkpoint/model-config.ts'
import type { DecoderRun } from './decoder.ts'
import { makeTensor, type Tensor } from './session.ts'

export interface Masks {
  readonly past: Tensor
  /** Both undefined in the form for single tokens. */
  readonly prefix: Tensor | undefined
  readonly causal: Tensor | undefined
}

const valuesOf = (mask: Tensor): Float32Array => mask.data as Float32Array

/**
 * `count` lines, each a copy of `base` without what lies before `firstSeen` of it.
 * @param base a line for each `perBase` lines
 */
const linesOf = (
  base: Float32Array,
  width: number,
  count: number,
  perBase: number,
  firstSeen: (line: number) => number,
): Float32Array => {
  const lines = new Float32Array(count * width)
  for (let line = 0; line < count; line++) {
    const from = Math.floor(line / perBase) * width
    lines.set(base.subarray(from, from + width), line * width)
    const hidden = Math.min(Math.max(firstSeen(line), 0), width)
    lines.fill(MASKED, line * width, line * width + hidden)
  }
  return lines
}

/** `full`: the masks of layers that see everything. */
export const windowMasks = (
  { rows, length, positions, past }: DecoderRun,
  { heads, keyValueHeads, window }: DecoderShape,
  full: Masks,
): Masks => {
  const size = window!.size
  // Then the window holds all there is.
  if (positions.every((position) => position < size)) return full
  const groups = heads / keyValueHeads
  /** Position of the first token that the new one sees. */
  const firstOf = (row: number, token: number): number =>
    Number(positions[row * length + token]!) - size + 1
  const pastStart = (row: number): number =>
    Number(positions[row * length]!) - (past?.lengths[row] ?? 0)
  const perRow = groups * length
  const lines = length === 1 ? 1 : perRow
  const pastWidth = full.past.dims.at(-1)!
  const pastMask = linesOf(valuesOf(full.past), pastWidth, rows * lines, lines, (line) => {
    const row = Math.floor(line / lines)
    return firstOf(row, line % length) - pastStart(row)
  })
  const prefixWidth = full.prefix?.dims.at(-1) ?? 0
  const pastDims = [rows, 1, lines, ...full.past.dims.slice(3)]
  return {
    past: makeTensor(pastMask, pastDims),
    prefix:
      full.prefix &&
      makeTensor(
        linesOf(valuesOf(full.prefix), prefixWidth, rows * perRow, rows * perRow, (line) =>
          firstOf(Math.floor(line / perRow), line % length),
        ),
        [1, rows * perRow, prefixWidth],
      ),
    causal:
      full.causal &&
      makeTensor(
        linesOf(valuesOf(full.causal), length, perRow, 1, (line) => (line % length) - size + 1),
        [perRow, length],
      ),
  }
}
