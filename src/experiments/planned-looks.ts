/**
 * Looks planned beforehand as a stop rule: bounds from what α may be spent by each, and which primary metrics crossed
 * them. The bounds follow the units there really were, whose number only has to be independent of what came out.
 */
import { isOver, type Undecided } from './decision.ts'
import type { Experiment } from './experiment.ts'
import { groupSequentialBounds, spentBy } from './group-sequential.ts'
import type { MetricResult, PlannedResults } from './results-schema.ts'

type Taken = PlannedResults['taken'][number]
type Plan = NonNullable<Experiment['stop']['planned_looks']>

/** A hypothesis: a primary metric of an arm, with how it is looked at. */
interface Tested {
  readonly result: MetricResult
  readonly direction: 'up' | 'down'
}

const familyOf = ({ metrics }: Experiment, { arms }: Undecided): Tested[] =>
  arms
    .slice(1)
    .flatMap((arm) =>
      metrics
        .filter(({ primary }) => primary === true)
        .map(({ name, direction }) => ({ result: arm.metrics[name]!, direction })),
    )

/** Units with a value of the first primary metric: a proxy of the information, which grows with them. */
const unitsOf = ({ metrics }: Experiment, { arms }: Undecided): number => {
  const name = metrics.find(({ primary }) => primary === true)!.name
  return arms.reduce((sum, arm) => sum + arm.metrics[name]!.units, 0)
}

/** Units at which the next look is due; null after the last. */
const nextAfter = ({ number, units }: Plan, last: Taken | undefined): number | null => {
  if (last === undefined) return Math.ceil(units / number)
  if (last.share === 1) return null
  return Math.ceil((units * (Math.floor((last.units / units) * number) + 1)) / number)
}

/** Looks that follow one another at once would share all they know: each brings a quarter of a step at least. */
const bringsEnough = ({ number, units }: Plan, now: number, last: Taken | undefined): boolean =>
  now - (last?.units ?? 0) >= units / (4 * number)

/** The bound of the latest look if the level is `alpha`. */
const boundAt = (plan: Plan, looks: readonly Pick<Taken, 'units' | 'share'>[], alpha: number) =>
  groupSequentialBounds(
    looks.map(({ units }) => units),
    looks.map(({ share }) => spentBy(plan, share, alpha)),
  ).at(-1)!

const zOf = ({ difference, standard_error: error }: MetricResult): number | null =>
  difference === null || error === null ? null : difference / error

/**
 * Holm's steps at one look: the largest |z| is held to the bound for α / m, the next to that for α / (m − 1) once it
 * crossed, with what crossed earlier counted as gone (Maurer & Bretz, Stat. Biopharm. Res. 2013).
 */
const stepDown = (family: readonly Tested[], boundOf: (hypotheses: number) => number): number => {
  const size = (result: MetricResult): number => Math.abs(zOf(result) ?? 0)
  const open = family
    .filter(({ result }) => (result.planned?.crossed ?? null) === null)
    .toSorted((left, right) => size(right.result) - size(left.result))
  const first = boundOf(Math.max(1, open.length))
  let bound = first
  let mayCross = true
  for (const [step, { result, direction }] of open.entries()) {
    const z = zOf(result)
    if (mayCross && step > 0) bound = boundOf(open.length - step)
    mayCross &&= z !== null && Math.abs(z) >= bound
    if (z === null) continue
    const radius = bound * result.standard_error!
    result.planned = {
      z,
      bound,
      interval: [result.difference! - radius, result.difference! + radius],
      crossed: mayCross ? (z > 0 === (direction === 'up') ? 'better' : 'worse') : null,
    }
  }
  return first
}

/**
 * Takes the look that is due, if one is: what crossed is written into the metrics of `results`. A limit of the
 * experiment makes it the last look, which may spend all that is left of α. Resolves to the looks so far.
 */
export const readPlannedLooks = (
  experiment: Experiment,
  results: Undecided,
  previous: PlannedResults | null,
): PlannedResults | null => {
  const plan = experiment.stop.planned_looks
  if (plan === undefined) return null
  const { number, units: planned, spending } = plan
  const taken = previous?.taken ?? []
  const due = nextAfter(plan, taken.at(-1))
  const units = unitsOf(experiment, results)
  const isLast = units >= planned || isOver(experiment, results)
  if (due === null || !(units >= due || isLast) || !bringsEnough(plan, units, taken.at(-1))) {
    return { number, units: planned, spending, taken, next: due }
  }
  const share = isLast ? 1 : units / planned
  const looks = [...taken, { units, share }]
  const { alpha } = experiment.stop
  const bound = stepDown(familyOf(experiment, results), (hypotheses) =>
    boundAt(plan, looks, alpha / hypotheses),
  )
  const look = { at: results.at, units, share, spent: spentBy(plan, share, alpha), bound }
  return {
    number,
    units: planned,
    spending,
    taken: [...taken, look],
    next: nextAfter(plan, look),
  }
}
