/** The stop rule: when an experiment is over, and what follows from it. */
import { guardrailsOf, type Experiment } from './experiment.ts'
import { figure } from './figure.ts'
import { pointedBy } from './least-p.ts'
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

/** Significant primary metrics of the arm that point the given way, now and when they were shown. */
const significant = (experiment: Experiment, { metrics }: ArmResult, isBetter: boolean): string[] =>
  primariesOf(experiment).filter((name) => {
    const { p_adjusted: p, better, pointed, planned } = metrics[name]!
    const way = pointedBy(isBetter)
    if (experiment.stop.planned_looks !== undefined) return planned?.crossed === way
    return (p ?? 1) <= experiment.stop.alpha && better === isBetter && pointed === way
  })

/** A metric with how far it is beyond what was asked of it, so that a narrow decision is not taken for a clear one. */
const withMargin = ({ stop }: Experiment, { metrics }: ArmResult, name: string): string => {
  const { p_adjusted: p, planned } = metrics[name]!
  if (stop.planned_looks === undefined) {
    const narrowly = p! > stop.alpha / 2 ? 'only just: ' : ''
    return `${name} (${narrowly}p = ${figure(p)} after Holm, at most ${stop.alpha} counts)`
  }
  const { z, bound } = planned!
  const narrowly = Math.abs(z) < 1.05 * bound ? 'only just: ' : ''
  return `${name} (${narrowly}z = ${figure(z)} at the look, the bound is ${figure(bound)})`
}

export const pendingGuardrails = (experiment: Experiment, { metrics }: ArmResult): string[] =>
  guardrailsOf(experiment)
    .map(({ metric }) => metric)
    .filter((name) => metrics[name]?.guardrail?.passes !== true)

/** Of several arms that may ship, the one that improved most in the first primary metric in which any of them is superior. */
const bestOf = (experiment: Experiment, arms: readonly ArmResult[]): ArmResult | undefined => {
  const isSuperior = (arm: ArmResult, name: string): boolean =>
    significant(experiment, arm, true).includes(name)
  const first = primariesOf(experiment).find((name) => arms.some((arm) => isSuperior(arm, name)))
  if (first === undefined) return undefined
  const gain = (arm: ArmResult): number => Math.abs(arm.metrics[first]!.difference!)
  return arms
    .filter((arm) => isSuperior(arm, first))
    .reduce((best, arm) => (gain(arm) > gain(best) ? arm : best))
}

/** Whether a limit of the experiment is reached. */
export const isOver = ({ stop }: Experiment, results: Undecided): boolean => {
  const units = results.arms.reduce((sum, { exposures }) => sum + exposures, 0)
  const isFull = stop.maximum_units !== undefined && units >= stop.maximum_units
  const isLate = stop.ends_at !== undefined && Date.parse(results.at) >= Date.parse(stop.ends_at)
  return isFull || isLate
}

export const keep = (results: Undecided, control: ArmResult): Decision =>
  decided(results, 'keep', control, 'The limit was reached without a winner.')

const ship = (experiment: Experiment, results: Undecided, arm: ArmResult): Decision => {
  const metrics = significant(experiment, arm, true).map((name) =>
    withMargin(experiment, arm, name),
  )
  const reason = `Superior in ${metrics.join(', ')}; every guardrail holds.`
  return decided(results, 'ship', arm, reason)
}

/** What is waited for while nothing is shown. */
const waitingFor = ({ stop }: Experiment, { planned_looks }: Undecided): string => {
  const due = planned_looks?.next
  if (stop.planned_looks === undefined || due === undefined || due === null) {
    return 'No arm is shown to be better or worse yet.'
  }
  const look = planned_looks!.taken.length + 1
  return `Look ${look} of ${stop.planned_looks.number} is due at ${due} units with a value.`
}

/** Under track-and-stop the likelihood ratio of the leader decides, and nothing else. */
const decideByLead = (experiment: Experiment, results: Undecided): Decision => {
  const [control] = results.arms
  if (results.best_arm === null) {
    if (isOver(experiment, results)) return keep(results, control!)
    const { minimum_units } = experiment.allocation
    return undecided(`No arm leads yet: each needs ${minimum_units} units with values that differ.`)
  }
  const { arm: name, evidence, threshold, found } = results.best_arm
  const lead = `${name} leads with evidence ${figure(evidence)}, of ${figure(threshold)} that it takes`
  if (!found) {
    return isOver(experiment, results) ? keep(results, control!) : undecided(`${lead}.`)
  }
  const leader = results.arms.find((arm) => arm.name === name)!
  if (leader === control) return decided(results, 'keep', control, `${lead}: it is the best.`)
  const waiting = pendingGuardrails(experiment, leader)
  if (waiting.length === 0) return decided(results, 'ship', leader, `${lead}: it is the best.`)
  if (isOver(experiment, results)) return keep(results, control!)
  return undecided(`${lead}. Not yet shown to hold: ${waiting.join(', ')}.`)
}

/** By the primary metrics of the arms that are not switched off. */
const decideByMetrics = (
  experiment: Experiment,
  results: Undecided,
  control: ArmResult,
  running: readonly ArmResult[],
): Decision => {
  const superior = running.filter(
    (arm) =>
      significant(experiment, arm, true).length > 0 &&
      significant(experiment, arm, false).length === 0,
  )
  const best = bestOf(
    experiment,
    superior.filter((arm) => pendingGuardrails(experiment, arm).length === 0),
  )
  if (best !== undefined) return ship(experiment, results, best)
  if (
    running.length > 0 &&
    running.every((arm) => significant(experiment, arm, false).length > 0)
  ) {
    return decided(results, 'keep', control, 'Every other arm is worse in a primary metric.')
  }
  const lastLook = results.planned_looks?.next === null
  if (lastLook || isOver(experiment, results)) return keep(results, control)
  const waiting = superior.flatMap((arm) => pendingGuardrails(experiment, arm))
  if (waiting.length > 0) return undecided(`Not yet shown to hold: ${waiting.join(', ')}.`)
  return undecided(waitingFor(experiment, results))
}

/**
 * Ships an arm when at least one primary metric is superior (always-valid p after Holm, or a bound crossed at a planned
 * look; the good direction), none is inferior, every guardrail is shown non-inferior and the split is not mismatched.
 * Keeps the control when every other arm is shown worse in a primary metric, or when the limit of units or time is
 * reached without a winner. A decision that was taken is returned unchanged, with the data it was taken on.
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
  if (running.length === 0 && !isOver(experiment, results)) {
    return undecided('Every other arm is switched off.')
  }
  if ([control, ...running].some(({ exposures }) => exposures < minimum_units)) {
    if (isOver(experiment, results)) return keep(results, control)
    return undecided(`Every arm needs ${minimum_units} units first.`)
  }
  if (experiment.allocation.type === 'track_and_stop') return decideByLead(experiment, results)
  return decideByMetrics(experiment, results, control, running)
}
