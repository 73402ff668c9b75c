/** The stop rule: when an experiment is over, and what follows from it. */
import { guardrailsOf, type Experiment } from './experiment.ts'
import type { ArmResult, Decision, ExperimentResults } from './results-schema.ts'

export type Undecided = Omit<ExperimentResults, 'decision'>

export const undecided = (reason: string): Decision => ({
  status: 'undecided',
  action: 'continue',
  arm: null,
  reason,
  at: null,
  evidence: null,
})

/** The decision with a copy of the data it was made on. */
export const decided = (
  results: Undecided,
  action: 'ship' | 'keep',
  arm: ArmResult,
  reason: string,
): Decision => ({
  status: 'decided',
  action,
  arm: arm.name,
  reason,
  at: results.at,
  evidence: {
    exposures: Object.fromEntries(results.arms.map(({ name, exposures }) => [name, exposures])),
    srm_p: results.srm.p,
    metrics: structuredClone(arm.metrics),
    ...(results.duels && { duels: structuredClone(results.duels.pairs) }),
  },
})

const primariesOf = ({ metrics }: Experiment): string[] =>
  metrics.filter(({ primary }) => primary === true).map(({ name }) => name)

/** Significant primary metrics of the arm that point the given way. */
const significant = (experiment: Experiment, { metrics }: ArmResult, isBetter: boolean): string[] =>
  primariesOf(experiment).filter((name) => {
    const result = metrics[name]
    const p = result?.p_adjusted ?? 1
    return p <= experiment.stop.alpha && result?.better === isBetter
  })

export const pendingGuardrails = (experiment: Experiment, { metrics }: ArmResult): string[] =>
  guardrailsOf(experiment)
    .map(({ metric }) => metric)
    .filter((name) => metrics[name]?.guardrail?.passes !== true)

/** Of several arms that may ship, the one whose first significant metric improved most, in its own direction. */
const bestOf = (experiment: Experiment, arms: readonly ArmResult[]): ArmResult | undefined => {
  const gain = (arm: ArmResult): number => {
    const [name] = significant(experiment, arm, true)
    return Math.abs(arm.metrics[name ?? '']?.difference ?? 0)
  }
  return arms.reduce<ArmResult | undefined>(
    (best, arm) => (best === undefined || gain(arm) > gain(best) ? arm : best),
    undefined,
  )
}

export const isOver = ({ stop }: Experiment, results: Undecided): boolean => {
  const units = results.arms.reduce((sum, { exposures }) => sum + exposures, 0)
  const isFull = stop.maximum_units !== undefined && units >= stop.maximum_units
  const isLate = stop.ends_at !== undefined && Date.parse(results.at) >= Date.parse(stop.ends_at)
  return isFull || isLate
}

export const keep = (results: Undecided, control: ArmResult): Decision =>
  decided(results, 'keep', control, 'The limit was reached without a winner.')

/**
 * Ships an arm when at least one primary metric is superior (always-valid p after Holm, the good direction), none is
 * inferior, every guardrail is shown non-inferior and the split is not mismatched. Keeps the control when every other
 * arm is shown worse in a primary metric, or when the limit of units or time is reached without a winner. A decision
 * that was taken is returned unchanged, with the data it was taken on.
 */
export const decide = (
  experiment: Experiment,
  results: Undecided,
  previous?: Decision,
): Decision => {
  if (previous?.status === 'decided') return previous
  const [control, ...others] = results.arms
  if (control === undefined || others.length === 0) return undecided('There is nothing to compare.')
  if (results.srm.mismatched) {
    return undecided('The split of the units does not match the weights: find out why first.')
  }
  const { minimum_units } = experiment.stop
  const running = others.filter(
    ({ name }) => experiment.arms.find((arm) => arm.name === name)?.killed === undefined,
  )
  if ([control, ...running].some(({ exposures }) => exposures < minimum_units)) {
    if (isOver(experiment, results)) return keep(results, control)
    return undecided(`Every arm needs ${minimum_units} units first.`)
  }
  const superior = running.filter(
    (arm) =>
      significant(experiment, arm, true).length > 0 &&
      significant(experiment, arm, false).length === 0,
  )
  const best = bestOf(
    experiment,
    superior.filter((arm) => pendingGuardrails(experiment, arm).length === 0),
  )
  if (best !== undefined) {
    const metrics = significant(experiment, best, true).join(', ')
    return decided(results, 'ship', best, `Superior in ${metrics}; every guardrail holds.`)
  }
  if (running.every((arm) => significant(experiment, arm, false).length > 0)) {
    return decided(results, 'keep', control, 'Every other arm is worse in a primary metric.')
  }
  if (isOver(experiment, results)) return keep(results, control)
  const waiting = superior.flatMap((arm) => pendingGuardrails(experiment, arm))
  if (waiting.length > 0) return undecided(`Not yet shown to hold: ${waiting.join(', ')}.`)
  return undecided('No arm is shown to be better or worse yet.')
}
