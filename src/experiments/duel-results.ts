/** What duels show: pair by pair, and all arms on one scale. Pure. */
import type { DuelTally } from '../core/experiment-store.ts'
import { bradleyTerry, eloAbove, winProbability } from './bradley-terry.ts'
import { NO_DUELS, summariseDuels, type DuelCounts, type Verdict } from './duel.ts'
import type { Experiment } from './experiment.ts'
import { lengthControlledWinRate, type MeasuredDuel } from './length-control.ts'
import { leastOf, pointedBy, type Pointed } from './least-p.ts'
import { holm } from './multiplicity.ts'
import type { DuelResult, DuelResults } from './results-schema.ts'

/** A comparison with what the length-controlled win rate needs; as `DuelStore.compared` gives it. */
export interface ComparedDuel {
  readonly served: string
  readonly other: string
  readonly end: DuelTally['end']
  /** Characters of the later arm's answer less those of the earlier one's. */
  readonly lengthDifference: number
}

export interface DuelData {
  readonly tallies: readonly DuelTally[]
  /** A sample, the latest, is enough. */
  readonly compared: readonly ComparedDuel[]
}

/** Fewer comparisons say nothing of the judge's taste for length. */
const ENOUGH_FOR_LENGTH = 20

interface Pair {
  readonly arm: string
  readonly against: string
}

/** All pairs of arms, each with the later one first. */
const pairsOf = ({ arms }: Experiment): Pair[] =>
  arms.flatMap(({ name: arm }, index) =>
    arms.slice(0, index).map(({ name: against }) => ({ arm, against })),
  )

const isOf =
  ({ arm, against }: Pair) =>
  ({ served, other }: { readonly served: string; readonly other: string }): boolean =>
    (served === arm && other === against) || (served === against && other === arm)

const isVerdict = (end: DuelTally['end']): end is Verdict => end !== 'failed' && end !== 'skipped'

const countsOf = (tallies: readonly DuelTally[]): DuelCounts => {
  const counts = { ...NO_DUELS }
  for (const { end, duels } of tallies) if (isVerdict(end)) counts[end] += duels
  return counts
}

const SCORES: Readonly<Record<Verdict, number>> = { a: 1, b: 0, first: 0.5, second: 0.5, tie: 0.5 }

const lengthControlled = (
  compared: readonly ComparedDuel[],
  alpha: number,
): DuelResult['length_controlled'] => {
  const duels = compared.flatMap(({ end, lengthDifference }): MeasuredDuel[] =>
    isVerdict(end) ? [{ score: SCORES[end], lengthDifference }] : [],
  )
  if (duels.length < ENOUGH_FOR_LENGTH) return null
  const { winRate, interval, lengthEffect } = lengthControlledWinRate(duels, alpha)
  return { win_rate: winRate, interval: [...interval], length_effect: lengthEffect }
}

const sum = <Item>(items: readonly Item[], valueOf: (item: Item) => number): number =>
  items.reduce((total, item) => total + valueOf(item), 0)

const numberOf = (tallies: readonly DuelTally[], end: DuelTally['end']): number =>
  sum(tallies, (tally) => (tally.end === end ? tally.duels : 0))

/** Means over the duels that were fought to the end. */
const costsOf = (tallies: readonly DuelTally[], arm: string): DuelResult['cost'] => {
  const fought = tallies.filter(({ end }) => isVerdict(end))
  const duels = Math.max(
    1,
    sum(fought, (tally) => tally.duels),
  )
  const of = (isArm: boolean): number =>
    sum(fought, ({ served, servedCost, otherCost }) =>
      (served === arm) === isArm ? servedCost : otherCost,
    ) / duels
  return { arm: of(true), against: of(false), judge: sum(fought, (each) => each.judgeCost) / duels }
}

const NOTHING_YET = {
  win_rate: null,
  interval: null,
  interval_anytime: null,
  p: null,
  flip_rate: null,
  position_lean: null,
} as const

const summaryOf = (counts: DuelCounts, { stop }: Experiment) => {
  const { a, b, first, second, tie } = counts
  const prompts = a + b + first + second + tie
  if (prompts === 0) return { ...NOTHING_YET, p_anytime: null }
  const tuning = { tunedFor: stop.tuned_for, alpha: stop.alpha }
  const { score, interval, intervalAnytime, pSign, pAnytime, positionLean } = summariseDuels(
    counts,
    tuning,
  )
  return {
    win_rate: score,
    interval: [...interval],
    interval_anytime: [...intervalAnytime],
    p: pSign,
    p_anytime: pAnytime,
    flip_rate: (first + second) / prompts,
    position_lean: positionLean,
  }
}

/** Of the later arm. */
const leadOf = ({ a, b }: DuelCounts): Pointed => pointedBy(a === b ? null : a > b)

const readPair = (
  experiment: Experiment,
  pair: Pair,
  data: DuelData,
  previous: DuelResults | null,
): DuelResult => {
  const tallies = data.tallies.filter(isOf(pair))
  const counts = countsOf(tallies)
  const earlier = previous?.pairs.find(
    ({ arm, against }) => arm === pair.arm && against === pair.against,
  )
  const { p_anytime, ...summary } = summaryOf(counts, experiment)
  const { p, pointed } = leastOf(
    { p: p_anytime, pointed: leadOf(counts) },
    earlier && { p: earlier.p_anytime, pointed: earlier.pointed },
  )
  return {
    ...pair,
    prompts: counts.a + counts.b + counts.first + counts.second + counts.tie,
    wins: counts.a,
    losses: counts.b,
    first: counts.first,
    second: counts.second,
    ties: counts.tie,
    failed: numberOf(tallies, 'failed'),
    skipped: numberOf(tallies, 'skipped'),
    ...summary,
    p_anytime: p,
    pointed,
    p_adjusted: null,
    length_controlled: lengthControlled(data.compared.filter(isOf(pair)), experiment.stop.alpha),
    cost: costsOf(tallies, pair.arm),
  }
}

/** Null for two arms, whose win rate says it all, and until every arm has met another. */
const strengthsOf = (
  { arms }: Experiment,
  pairs: readonly DuelResult[],
): DuelResults['strengths'] => {
  if (arms.length < 3) return null
  const names = arms.map(({ name }) => name)
  const wins = names.map(() => names.map(() => 0))
  for (const { arm, against, wins: won, losses, prompts } of pairs) {
    const [later, earlier] = [names.indexOf(arm), names.indexOf(against)]
    const halves = (prompts - won - losses) / 2
    wins[later]![earlier]! += won + halves
    wins[earlier]![later]! += losses + halves
  }
  const met = names.map(
    (_, arm) => sum(wins, (row) => row[arm]!) + sum(wins[arm]!, (value) => value),
  )
  if (met.includes(0)) return null
  const strengths = bradleyTerry(wins)
  const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)
  return strengths.map((strength, index) => ({
    arm: names[index]!,
    strength,
    elo: finite(eloAbove(strength, strengths[0]!)),
    win_rate: finite(winProbability(strength, strengths[0]!)),
  }))
}

/** Null where arms are not compared on one prompt. p-values take the previous look into account. */
export const readDuels = (
  experiment: Experiment,
  data: DuelData = { tallies: [], compared: [] },
  previous: DuelResults | null = null,
): DuelResults | null => {
  const { duel, arms } = experiment
  if (duel === undefined) return null
  const pairs = pairsOf(experiment).map((pair) => readPair(experiment, pair, data, previous))
  const family = pairs.filter(({ against }) => against === arms[0]!.name)
  const adjusted = holm(family.map(({ p_anytime: p }) => p ?? 1))
  for (const [index, pair] of family.entries()) {
    pair.p_adjusted = pair.p_anytime === null ? null : adjusted[index]!
  }
  return {
    judge: duel.judge,
    pairs,
    strengths: strengthsOf(experiment, pairs),
    spent: sum(data.tallies, ({ otherCost, judgeCost }) => otherCost + judgeCost),
  }
}
