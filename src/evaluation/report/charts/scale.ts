/** From data to places on the page. */

export interface Scale {
  readonly place: (value: number) => number
  readonly ticks: readonly number[]
}

/** Steps of 1, 2 or 5 times a power of ten. */
const niceStep = (raw: number): number => {
  const power = 10 ** Math.floor(Math.log10(raw))
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= raw * 0.999) ?? 10
  return factor * power
}

/** Linear, with about `count` round ticks inside the domain. */
export const linearScale = (
  [low, high]: readonly [number, number],
  [start, end]: readonly [number, number],
  count: number,
): Scale => {
  const span = high > low ? high - low : 1
  const step = niceStep(span / count)
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return {
    place: (value) => start + ((value - low) / span) * (end - start),
    ticks: Array.from({ length: Math.max(0, last - first + 1) }, (_, index) =>
      Number(((first + index) * step).toPrecision(12)),
    ),
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
