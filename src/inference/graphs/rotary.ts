/** Tables of the rotary position embedding (Su et al. 2021, arXiv:2104.09864) and of the ways to stretch it. */
import type { DecoderShape } from '../checkpoint/model-config.ts'
import type { Rotary, RotaryScaling } from '../checkpoint/rotary-config.ts'

type Llama3 = Extract<RotaryScaling, { type: 'llama3' }>
type Yarn = Extract<RotaryScaling, { type: 'yarn' }>

const clamp = (value: number, low: number, high: number): number =>
  Math.min(Math.max(value, low), high)

/** Long waves are stretched by the factor, short ones stay, those between change smoothly (Llama 3.1's release). */
const stretchLongWaves = (frequency: number, scaling: Llama3): number => {
  const { factor, lowFactor, highFactor, originalContext } = scaling
  const turns = (originalContext * frequency) / (2 * Math.PI)
  const kept = clamp((turns - lowFactor) / (highFactor - lowFactor), 0, 1)
  return (1 - kept) * (frequency / factor) + kept * frequency
}

/** Peng et al. 2023, arXiv:2309.00071, section 3.2: a ramp between the dimensions that turn often and seldom. */
const yarnFrequencies = (frequencies: Float64Array, theta: number, scaling: Yarn): Float64Array => {
  const { factor, betaFast, betaSlow, originalContext, truncate } = scaling
  const size = 2 * frequencies.length
  const dimensionOf = (turns: number): number =>
    (size * Math.log(originalContext / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
  const [fast, slow] = [dimensionOf(betaFast), dimensionOf(betaSlow)]
  const low = Math.max(truncate ? Math.floor(fast) : fast, 0)
  const high = Math.min(truncate ? Math.ceil(slow) : slow, size - 1)
  const width = high === low ? 0.001 : high - low
  return frequencies.map((frequency, index) => {
    const stretched = clamp((index - low) / width, 0, 1)
    return (frequency / factor) * stretched + frequency * (1 - stretched)
  })
}

/** Radians per token, one for each pair of elements of a head. */
export const frequenciesOf = ({ theta, scaling }: Rotary, headSize: number): Float64Array => {
  const frequencies = Float64Array.from(
    { length: headSize / 2 },
    (_, index) => theta ** ((-2 * index) / headSize),
  )
  switch (scaling.type) {
    case 'none':
      return frequencies
    case 'linear':
      return frequencies.map((frequency) => frequency / scaling.factor)
    case 'llama3':
      return frequencies.map((frequency) => stretchLongWaves(frequency, scaling))
    case 'yarn':
      return yarnFrequencies(frequencies, theta, scaling)
    case 'divisors':
      return frequencies.map((frequency, index) => frequency / (scaling.divisors[index] ?? 1))
  }
}

/** Cosines and sines, one row of headSize / 2 per position of the context. */
export const rotaryTables = ({ rotary, headSize, contextLength }: DecoderShape) => {
  const frequencies = frequenciesOf(rotary, headSize)
  const magnitude = rotary.scaling.type === 'yarn' ? rotary.scaling.magnitude : 1
  const half = headSize / 2
  const [cosines, sines] = [
    new Float32Array(contextLength * half),
    new Float32Array(contextLength * half),
  ]
  for (let position = 0; position < contextLength; position++)
    for (let index = 0; index < half; index++) {
      const angle = position * frequencies[index]!
      cosines[position * half + index] = magnitude * Math.cos(angle)
      sines[position * half + index] = magnitude * Math.sin(angle)
    }
  return { cosines, sines, dimensions: [contextLength, half] }
}
