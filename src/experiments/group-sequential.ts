/**
 * Group-sequential tests: a few looks planned beforehand, over which the level α is spent (Lan & DeMets, Biometrika
 * 1983). The score of a test moves like a Brownian motion over its information, so that the chance to cross a bound
 * for the first time follows look by look (Armitage, McPherson & Rowe, JRSS A 1969).
 */
import { normalDensity, normalQuantile, normalSurvival } from './distributions/normal.ts'
import { quadratureNodes } from './distributions/quadrature.ts'

export const SPENDINGS = ['obrien_fleming', 'pocock', 'power'] as const

/** How fast α is spent. */
export interface Spending {
  readonly spending: (typeof SPENDINGS)[number]
  /** Of `power`, > 0. */
  readonly exponent: number
}

/**
 * The part of a two-sided α that is spent by the share t of the information, in [0, 1]: like O'Brien–Fleming's bounds
 * 4 (1 − Φ(z_{1−α/4} / √t)), like Pocock's α ln(1 + (e − 1) t), or α tᵉ.
 */
export const spentBy = ({ spending, exponent }: Spending, t: number, alpha: number): number => {
  if (t >= 1) return alpha
  if (spending === 'pocock') return alpha * Math.log1p((Math.E - 1) * t)
  if (spending === 'power') return alpha * t ** exponent
  return 4 * normalSurvival(normalQuantile(1 - alpha / 4) / Math.sqrt(t))
}

/** Beyond so many deviations there is nothing to integrate. */
const FAR = 8.5
/** Width of a panel in deviations of the narrower of both steps beside it. */
const PANEL = 2

/** Where the score may be, and with which probability, while no bound was crossed. */
interface Place {
  readonly at: number
  readonly mass: number
}

/** A look: what it adds to the information, and the information with it. */
interface Step {
  readonly added: number
  readonly information: number
}

const stepsOf = (information: readonly number[]): Step[] =>
  information.map((now, look) => ({ added: now - (information[look - 1] ?? 0), information: now }))

const START: readonly Place[] = [{ at: 0, mass: 1 }]

/** P(score above) and P(score below) the bounds ± c √I of the next look; `drift` is the mean score per information. */
const crossing = (places: readonly Place[], { added, information }: Step, c: number, drift = 0) => {
  const deviation = Math.sqrt(added)
  const bound = c * Math.sqrt(information)
  const [middle, size] = [drift * added, 1 / deviation]
  let [above, below] = [0, 0]
  for (const { at, mass } of places) {
    above += mass * normalSurvival((bound - at - middle) * size)
    below += mass * normalSurvival((bound + at + middle) * size)
  }
  return { above, below }
}

/** Where the score is after a look at which it crossed neither bound. */
const goOn = (
  places: readonly Place[],
  step: Step,
  c: number,
  { next, drift = 0 }: { readonly next: Step; readonly drift?: number },
): Place[] => {
  const { added, information } = step
  const [root, deviation] = [Math.sqrt(information), Math.sqrt(added)]
  const from = Math.max(-c * root, drift * information - FAR * root)
  const to = Math.min(c * root, drift * information + FAR * root)
  if (!(to > from)) return []
  const width = PANEL * Math.sqrt(Math.min(added, next.added))
  return quadratureNodes(from, to, Math.ceil((to - from) / width)).map(({ at, weight }) => {
    let density = 0
    for (const place of places) {
      density += place.mass * normalDensity((at - place.at - drift * added) / deviation)
    }
    return { at, mass: (weight * density) / deviation }
  })
}

/** Where a function that rises nearly straight is zero, by secants. */
const rootNear = (start: number, offBy: (x: number) => number): number => {
  let [before, x] = [start, start + 0.1]
  let [last, off] = [offBy(before), offBy(x)]
  for (let turn = 0; turn < 50 && off !== last && Math.abs(off) > 1e-13; turn++) {
    const next = Math.max(0, x - (off * (x - before)) / (off - last))
    ;[before, last] = [x, off]
    ;[x, off] = [next, offBy(next)]
  }
  return x
}

/** The c at which the look is crossed with this probability, on the scale of quantiles: nearly straight there. */
const boundFor = (places: readonly Place[], step: Step, probability: number): number => {
  if (!(probability > 0)) return Infinity
  const quantile = (p: number): number => -normalQuantile(p / 2)
  const goal = quantile(probability)
  return rootNear(goal, (c) => {
    const { above, below } = crossing(places, step, c)
    return quantile(above + below) - goal
  })
}

/**
 * Bounds of |z| at each look, for the information at the looks (rising, in any unit) and what is spent of α by each
 * (never falling). Infinity where nothing is spent.
 */
export const groupSequentialBounds = (
  information: readonly number[],
  spent: readonly number[],
): number[] => {
  const steps = stepsOf(information)
  let places = START
  return steps.map((step, look) => {
    const bound = boundFor(places, step, spent[look]! - (spent[look - 1] ?? 0))
    const next = steps[look + 1]
    if (next !== undefined) places = goOn(places, step, bound, { next })
    return bound
  })
}

/** P(z is above its bound for the first time) at each look, with the mean score per information: 0 if nothing differs. */
export const crossingChances = (
  information: readonly number[],
  bounds: readonly number[],
  drift: number,
): { readonly above: number; readonly below: number }[] => {
  const steps = stepsOf(information)
  let places = START
  return steps.map((step, look) => {
    const chances = crossing(places, step, bounds[look]!, drift)
    const next = steps[look + 1]
    if (next !== undefined) places = goOn(places, step, bounds[look]!, { next, drift })
    return chances
  })
}

export interface LooksPlan {
  /** Bounds of |z| at equally spaced looks. */
  readonly bounds: readonly number[]
  /** Units at the last look as a multiple of those of a test with one look of the same power. */
  readonly inflation: number
  /** The mean number of units, as a share of those at the last look, if the effect is the planned one. */
  readonly expected: number
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** What equally spaced looks cost in units, and save. */
export const planLooks = (
  looks: number,
  spending: Spending,
  { alpha, power }: { readonly alpha: number; readonly power: number },
): LooksPlan => {
  const information = Array.from({ length: looks }, (_, look) => (look + 1) / looks)
  const bounds = groupSequentialBounds(
    information,
    information.map((t) => spentBy(spending, t, alpha)),
  )
  const chances = (drift: number) => crossingChances(information, bounds, drift)
  const once = normalQuantile(1 - alpha / 2) + normalQuantile(power)
  const reached = (drift: number): number => sum(chances(drift).map(({ above }) => above))
  const needed = rootNear(once, (drift) => normalQuantile(reached(drift)) - normalQuantile(power))
  const stops = chances(needed).map(({ above, below }) => above + below)
  const saved = sum(stops.map((chance, look) => chance * (1 - information[look]!)))
  return { bounds, inflation: (needed / once) ** 2, expected: 1 - saved }
}
