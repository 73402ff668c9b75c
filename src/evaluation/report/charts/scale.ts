/** From data to places on the page. */
import { multiples, roundStep } from '../../../experiments/report/ticks.ts'

export interface Scale {
  readonly place: (value: number) => number
  readonly ticks: readonly number[]
}

/** Linear, with about `count` round ticks inside the domain. */
export const linearScale = (
  [low, high]: readonly [number, number],
  [start, end]: readonly [number, number],
  count: number,
): Scale => {
  const span = high > low ? high - low : 1
  const ticks = multiples([low, high], roundStep(span / count))
  return {
    place: (value) => start + ((value - low) / span) * (end - start),
    ticks: ticks.map((tick) => Number(tick.toPrecision(12))),
  }
}

/** Logarithmic; values below the domain stand at its start. Ticks at 1, 2 and 5, or powers of ten where these are many. */
export const logScale = (
  [low, high]: readonly [number, number],
  [start, end]: readonly [number, number],
): Scale => {
  const bottom = Math.log10(low)
  const span = Math.max(1e-9, Math.log10(high) - bottom)
  const factors = span > 2.5 ? [1] : [1, 2, 5]
  const ticks: number[] = []
  for (let power = Math.floor(bottom); power <= Math.ceil(bottom + span); power++) {
    for (const factor of factors) {
      const tick = factor * 10 ** power
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick)
    }
  }
  return {
    place: (value) => {
      const share = (Math.log10(Math.max(value, low)) - bottom) / span
      return start + Math.min(1, share) * (end - start)
    },
    ticks,
  }
}
