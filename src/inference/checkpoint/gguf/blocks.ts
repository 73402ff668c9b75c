/**
 * Block formats of GGML and their values as float32. A block holds some elements of one row with scales of its own.
 * Layouts as in ggml-common.h and ggml-quants.c of https://github.com/ggml-org/ggml.
 */
import { halfTable, toFloat32, type FloatFormat } from '../float-formats.ts'

export interface BlockFormat {
  readonly name: string
  /** Elements of a block, and the bytes it takes. */
  readonly elements: number
  readonly bytes: number
  /** Takes over `blocks`, whole blocks aligned to 4 bytes. */
  readonly decode: (blocks: Uint8Array) => Float32Array
}

/** Writes the elements of the block that begins at `at` to `values` from `to` on. */
type DecodeBlock = (blocks: Uint8Array, at: number, values: Float32Array, to: number) => void

const plain = (name: FloatFormat, bytes: number): BlockFormat => ({
  name,
  elements: 1,
  bytes,
  decode: (blocks) => toFloat32(name, blocks),
})

const quantised = (
  name: string,
  elements: number,
  bytes: number,
  decodeBlock: DecodeBlock,
): BlockFormat => ({
  name,
  elements,
  bytes,
  decode: (blocks) => {
    const count = blocks.byteLength / bytes
    const values = new Float32Array(count * elements)
    for (let block = 0; block < count; block++)
      decodeBlock(blocks, block * bytes, values, block * elements)
    return values
  },
})

const half = (blocks: Uint8Array, at: number): number =>
  halfTable()[blocks[at]! | (blocks[at + 1]! << 8)]!
const signed = (byte: number): number => (byte << 24) >> 24

/** 16 bytes hold 32 elements: the lower halves are the first 16. `fifths` adds a fifth bit per element. */
const nibbles =
  (offset: number, minimum: 'none' | 'stored', fifths: boolean): DecodeBlock =>
  (blocks, at, values, to) => {
    const scale = half(blocks, at)
    const base = minimum === 'stored' ? half(blocks, at + 2) : -offset * scale
    const bits = at + (minimum === 'stored' ? 4 : 2)
    const start = bits + (fifths ? 4 : 0)
    const fifth = (index: number): number =>
      fifths ? ((blocks[bits + (index >> 3)]! >> (index & 7)) & 1) << 4 : 0
    for (let index = 0; index < 16; index++) {
      const pair = blocks[start + index]!
      values[to + index] = scale * ((pair & 15) | fifth(index)) + base
      values[to + index + 16] = scale * ((pair >> 4) | fifth(index + 16)) + base
    }
  }

const decodeBytes: DecodeBlock = (blocks, at, values, to) => {
  const scale = half(blocks, at)
  for (let index = 0; index < 32; index++)
    values[to + index] = scale * signed(blocks[at + 2 + index]!)
}

/** The K formats pack eight scales and eight minima of six bits each into 12 bytes. */
const sixBits = (blocks: Uint8Array, at: number, index: number): [scale: number, min: number] => {
  const byte = (offset: number): number => blocks[at + offset]!
  if (index < 4) return [byte(index) & 63, byte(index + 4) & 63]
  return [
    (byte(index + 4) & 15) | ((byte(index - 4) >> 6) << 4),
    (byte(index + 4) >> 4) | ((byte(index) >> 6) << 4),
  ]
}

/** Eight groups of 32 elements; two share 32 bytes of nibbles, and one bit of 32 more bytes each in the 5-bit format. */
const decodeK =
  (fifths: boolean): DecodeBlock =>
  (blocks, at, values, to) => {
    const [scale, minimum] = [half(blocks, at), half(blocks, at + 2)]
    const bits = at + 16
    const start = bits + (fifths ? 32 : 0)
    for (let group = 0; group < 8; group++) {
      const [groupScale, groupMinimum] = sixBits(blocks, at + 4, group)
      const [step, base] = [scale * groupScale, minimum * groupMinimum]
      const [nibble, bytes] = [4 * (group & 1), start + 32 * (group >> 1)]
      for (let index = 0; index < 32; index++) {
        const fifth = fifths ? ((blocks[bits + index]! >> group) & 1) << 4 : 0
        const level = ((blocks[bytes + index]! >> nibble) & 15) | fifth
        values[to + 32 * group + index] = step * level - base
      }
    }
  }

/** 128 bytes of lower nibbles, 64 of upper bit pairs, a scale per 16 elements, one for all. */
const decodeSixBits: DecodeBlock = (blocks, at, values, to) => {
  const scale = half(blocks, at + 208)
  for (let index = 0; index < 256; index++) {
    const [side, quarter, lane] = [index >> 7, (index >> 5) & 3, index & 31]
    const low = blocks[at + 64 * side + 32 * (quarter & 1) + lane]!
    const high = blocks[at + 128 + 32 * side + lane]!
    const level = ((low >> (4 * (quarter >> 1))) & 15) | (((high >> (2 * quarter)) & 3) << 4)
    const groupScale = signed(blocks[at + 192 + (index >> 4)]!)
    values[to + index] = scale * groupScale * (level - 32)
  }
}

/** By the number that GGUF files call a format. */
export const BLOCK_FORMATS: Readonly<Record<number, BlockFormat>> = {
  0: plain('F32', 4),
  1: plain('F16', 2),
  2: quantised('Q4_0', 32, 18, nibbles(8, 'none', false)),
  3: quantised('Q4_1', 32, 20, nibbles(0, 'stored', false)),
  6: quantised('Q5_0', 32, 22, nibbles(16, 'none', true)),
  7: quantised('Q5_1', 32, 24, nibbles(0, 'stored', true)),
  8: quantised('Q8_0', 32, 34, decodeBytes),
  12: quantised('Q4_K', 256, 144, decodeK(false)),
  13: quantised('Q5_K', 256, 176, decodeK(true)),
  14: quantised('Q6_K', 256, 210, decodeSixBits),
  30: plain('BF16', 2),
}
