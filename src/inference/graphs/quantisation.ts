/** Weights in fewer bits. */

/** Seven bits: processors without VNNI add two products in 16 bits, which eight would overflow. */
const LARGEST = 63
const TILE = 64

/** Symmetric, a scale per output; the values are transposed to (inputs, outputs). */
export const quantiseColumns = (
  weight: Float32Array,
  inputs: number,
): { readonly values: Int8Array; readonly scales: Float32Array } => {
  const outputs = weight.length / inputs
  const values = new Int8Array(weight.length)
  const scales = new Float32Array(outputs)
  for (let output = 0; output < outputs; output++) {
    const start = output * inputs
    let largest = 0
    for (let index = start; index < start + inputs; index++)
      largest = Math.max(largest, Math.abs(weight[index]!))
    const scale = largest / LARGEST || 1
    scales[output] = scale
  }
  // Squares of both sides stay in the processor's cache, which whole columns would not.
  for (let top = 0; top < outputs; top += TILE)
    for (let left = 0; left < inputs; left += TILE)
      for (let output = top; output < Math.min(top + TILE, outputs); output++)
        for (let input = left; input < Math.min(left + TILE, inputs); input++)
          values[input * outputs + output] = Math.round(
            weight[output * inputs + input]! / scales[output]!,
          )
  return { values, scales }
}

export interface Nibbles {
  /** [outputs, blocks, block / 2], the earlier of two weights in the lower half. */
  readonly values: Uint8Array
  /** [outputs, blocks] */
  readonly scales: Float32Array
  /** [outputs, half as many bytes as blocks, rounded up] */
  readonly zeros: Uint8Array
}

const LEVELS = 15

/** Four bits with a scale and a zero point per block of an output's weights, as MatMulNBits takes them. */
export const quantiseNibbles = (weight: Float32Array, inputs: number, block: number): Nibbles => {
  const [outputs, blocks] = [weight.length / inputs, Math.ceil(inputs / block)]
  const values = new Uint8Array((outputs * blocks * block) / 2)
  const scales = new Float32Array(outputs * blocks)
  const zeroBytes = Math.ceil(blocks / 2)
  const zeros = new Uint8Array(outputs * zeroBytes)
  for (let index = 0; index < outputs * blocks; index++) {
    const [output, at] = [Math.floor(index / blocks), index % blocks]
    const start = output * inputs + at * block
    const part = weight.subarray(start, Math.min(start + block, (output + 1) * inputs))
    const { scale, zero } = fit(part)
    scales[index] = scale
    zeros[output * zeroBytes + (at >> 1)]! |= zero << (4 * (at & 1))
    for (const [place, value] of part.entries()) {
      const level = Math.min(LEVELS, Math.max(0, Math.round(value / scale) + zero))
      values[(index * block + place) >> 1]! |= level << (4 * (place & 1))
    }
  }
  return { values, scales, zeros }
}

/** Zero is always one of the levels. */
const fit = (part: Float32Array): { scale: number; zero: number } => {
  let [lowest, highest] = [0, 0]
  for (const value of part) {
    lowest = Math.min(lowest, value)
    highest = Math.max(highest, value)
  }
  const scale = (highest - lowest) / LEVELS || 1
  return { scale, zero: Math.round(-lowest / scale) }
}
