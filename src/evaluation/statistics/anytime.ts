/** How good the answer is that a run would give if it were stopped now. */
import { groupBy } from '../grouping.ts'

/** From `at` on (seconds or tokens spent), the answer is right or not; before the first there is none. */
export interface Incumbent {
  readonly at: number
  readonly right: boolean
}

/** A run's answers by rising `at`. */
export type Timeline = readonly Incumbent[]

/** Steps [at, share of runs whose answer is right from there on]. */
export type Curve = readonly (readonly [at: number, accuracy: number])[]

/** The mean over the runs, exact: a step wherever an answer becomes right or wrong. */
export const anytimeCurve = (timelines: readonly Timeline[]): Curve => {
  const changes: { readonly at: number; readonly by: number }[] = []
  for (const timeline of timelines) {
    let right = false
    for (const incumbent of timeline) {
      if (incumbent.right !== right) changes.push({ at: incumbent.at, by: right ? -1 : 1 })
      right = incumbent.right
    }
  }
  const steps = groupBy(
    changes.toSorted((left, right) => left.at - right.at),
    ({ at }) => at,
  )
  let rights = 0
  return [...steps].map(([at, group]) => {
    rights += group.reduce((sum, { by }) => sum + by, 0)
    return [at, rights / timelines.length] as const
  })
}

/** Area under the curve from 0 to the horizon, divided by the horizon: in [0, 1], the mean accuracy of a random stop. */
export const areaUnderSteps = (curve: Curve, horizon: number): number => {
  if (horizon <= 0) return 0
  let area = 0
  for (const [index, [at, accuracy]] of curve.entries()) {
    const until = Math.min(horizon, curve[index + 1]?.[0] ?? horizon)
    if (until > at) area += accuracy * (until - at)
  }
  return area / horizon
}

/** At most `limit` of the steps, the last always among them; for drawing. */
export const thinned = (curve: Curve, limit: number): Curve => {
  if (curve.length <= limit) return curve
  const stride = (curve.length - 1) / (limit - 1)
  return Array.from({ length: limit }, (_, index) => curve[Math.round(index * stride)]!)
}
