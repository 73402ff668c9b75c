/** Half-width floating point to float32 and back. All formats are little-endian, as safetensors and GGUF store them. */

export type FloatFormat = 'F32' | 'F16' | 'BF16'

export const BYTES_PER_ELEMENT: Readonly<Record<FloatFormat, number>> = { F32: 4, F16: 2, BF16: 2 }

const decodeHalf = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

let halves: Float32Array | undefined

/** Value of every half by its bits. */
export const halfTable = (): Float32Array => {
  halves ??= Float32Array.from({ length: 65_536 }, (_, bits) => decodeHalf(bits))
  return halves
}

const widenHalf = (halfWords: Uint16Array): Float32Array => {
  const table = halfTable()
  const values = new Float32Array(halfWords.length)
  for (let index = 0; index < values.length; index++) values[index] = table[halfWords[index]!]!
  return values
}

/** bfloat16 is the upper half of float32. */
const widenBrain = (words: Uint16Array): Float32Array => {
  const bits = new Uint32Array(words.length)
  for (let index = 0; index < bits.length; index++) bits[index] = words[index]! << 16
  return new Float32Array(bits.buffer)
}

/** Takes over `bytes`, which must be aligned to 4: for F32 the result is a view of the same memory. */
export const toFloat32 = (format: FloatFormat, bytes: Uint8Array): Float32Array => {
  const count = bytes.byteLength / BYTES_PER_ELEMENT[format]
  if (format === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, count)
  const words = new Uint16Array(bytes.buffer, bytes.byteOffset, count)
  return format === 'F16' ? widenHalf(words) : widenBrain(words)
}

const scratch = new Float32Array(1)
const scratchBits = new Uint32Array(scratch.buffer)

/** Halves below 2 ** -14 are multiples of 2 ** -24: adding a number of that step makes the processor round to them. */
const smallHalf = (magnitude: number): number => {
  scratchBits[0] = magnitude
  scratch[0] = scratch[0]! + 0.5
  return scratchBits[0] - 0x3f00_0000
}

/** Nearest halves, ties to even as the processor rounds; what is too large becomes the largest. */
export const toHalf = (values: Float32Array): Uint16Array => {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halfWords = new Uint16Array(values.length)
  for (let index = 0; index < halfWords.length; index++) {
    const word = bits[index]!
    const magnitude = word & 0x7fff_ffff
    const rounded =
      magnitude < 0x3880_0000
        ? smallHalf(magnitude)
        : (magnitude - 0x3800_0000 + 0x0fff + ((magnitude >>> 13) & 1)) >>> 13
    halfWords[index] = ((word >>> 16) & 0x8000) | Math.min(rounded, 0x7bff)
  }
  return halfWords
}
