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

/** Positions that are computed together when one of them is needed. */
const PAGE = 256

interface Page {
  readonly cosines: Float32Array
  readonly sines: Float32Array
}

/**
 * Cosines and sines, headSize / 2 per position. They are computed for the positions that texts reach: a table for the
 * whole context of a model that states 131,072 would take 32 MiB at the least, whatever is asked of it.
 */
export class RotaryTable {
  readonly #frequencies: Float64Array
  readonly #magnitude: number
  readonly #scale: number
  readonly #pages = new Map<number, Page>()

  /** @param scale multiplies all of it */
  constructor({ rotary, headSize }: DecoderShape, scale = 1) {
    this.#frequencies = frequenciesOf(rotary, headSize)
    this.#magnitude = rotary.scaling.type === 'yarn' ? rotary.scaling.magnitude : 1
    this.#scale = scale
  }

  /** One row for each of the positions, in their order. */
  rows(positions: BigInt64Array): Page {
    const half = this.#frequencies.length
    const cosines = new Float32Array(positions.length * half)
    const sines = new Float32Array(positions.length * half)
    for (const [row, wanted] of positions.entries()) {
      const position = Number(wanted)
      const page = this.#page(Math.floor(position / PAGE))
      const from = (position % PAGE) * half
      cosines.set(page.cosines.subarray(from, from + half), row * half)
      sines.set(page.sines.subarray(from, from + half), row * half)
    }
    return { cosines, sines }
  }

  #page(number: number): Page {
    const known = this.#pages.get(number)
    if (known !== undefined) return known
    const half = this.#frequencies.length
    const page = { cosines: new Float32Array(PAGE * half), sines: new Float32Array(PAGE * half) }
    for (let at = 0; at < PAGE * half; at++) {
      const position = number * PAGE + Math.floor(at / half)
      const angle = position * this.#frequencies[at % half]!
      // Rounded before it is scaled, as the tables of references are.
      page.cosines[at] = this.#scale * Math.fround(this.#magnitude * Math.cos(angle))
      page.sines[at] = this.#scale * Math.fround(this.#magnitude * Math.sin(angle))
    }
    this.#pages.set(number, page)
    return page
  }
}
