/** The stop rule of experiments that compare answers to one prompt. */
import { decided, isOver, keep, pendingGuardrails, undecided, type Undecided } from './decision.ts'
import type { Experiment } from './experiment.ts'
import { pointedBy } from './least-p.ts'
import type { Decision, DuelResult } from './results-schema.ts'

/** The better of several winners is the one with the higher win rate against the control. */
const bestOf = (pairs: readonly DuelResult[]): DuelResult | undefined =>
  pairs.toSorted((left, right) => right.win_rate! - left.win_rate!)[0]

/** Duels of the control with the arms that are not switched off. */
const againstControl = ({ arms }: Experiment, { duels }: Undecided): DuelResult[] => {
  const running = new Set(arms.filter(({ killed }) => killed === undefined).map(({ name }) => name))
  return (duels?.pairs ?? []).filter(
    ({ arm, against }) => against === arms[0]!.name && running.has(arm),
  )
}

/** Whether the arm is shown to win, or to lose, more often: when it was shown, and now. */
const isShown = (
  { p_adjusted: p, pointed, win_rate: rate }: DuelResult,
  isBetter: boolean,
  alpha: number,
): boolean =>
  (p ?? 1) <= alpha && pointed === pointedBy(isBetter) && (isBetter ? rate! > 0.5 : rate! < 0.5)

/**
 * Ships the arm that beats the control: always-valid p after Holm over the arms, the win rate above a half, and every
 * guardrail shown to hold. Keeps the control when it beats every other arm, or at the limit of units or time. A decision
 * that was taken is returned unchanged.
 */
export const decideByDuels = (
  experiment: Experiment,
  results: Undecided,
  previous?: Decision,
): Decision => {
  if (previous?.status === 'decided') return previous
  const { stop } = experiment
  const control = results.arms[0]!
  const pairs = againstControl(experiment, results)
  const late = (reason: string): Decision =>
    isOver(experiment, results) ? keep(results, control) : undecided(reason)
  if (results.srm.mismatched) {
    return undecided('The split of the units does not match the weights: find out why first.')
  }
  if (pairs.length === 0 || pairs.some(({ prompts }) => prompts < stop.minimum_units)) {
    return late(`Every arm needs ${stop.minimum_units} prompts against the control first.`)
  }
  const winners = pairs.filter((pair) => isShown(pair, true, stop.alpha))
  const armOf = ({ arm }: DuelResult) => results.arms.find(({ name }) => name === arm)!
  const best = bestOf(
    winners.filter((pair) => pendingGuardrails(experiment, armOf(pair)).length === 0),
  )
  if (best !== undefined) {
    return decided(
      results,
      'ship',
      armOf(best),
      'It wins more duels against the control than it loses.',
    )
  }
  if (pairs.every((pair) => isShown(pair, false, stop.alpha))) {
    return decided(results, 'keep', control, 'The control wins more duels than every other arm.')
  }
  const waiting = winners.flatMap((pair) => pendingGuardrails(experiment, armOf(pair)))
  if (waiting.length > 0) return late(`Not yet shown to hold: ${waiting.join(', ')}.`)
  return late('No arm is shown to win or lose against the control yet.')
}
