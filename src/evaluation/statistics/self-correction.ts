/**
 * What becomes of a first answer: Acc@t and Δ of SCoRe (Kumar et al. 2024, arXiv:2409.12917), CL, CS and RSS of
 * "Confidence v.s. Critique" (Yang et al. 2024, arXiv:2412.19513). All shares are in [0, 1].
 */

import { groupBy } from '../grouping.ts'

/** One run: whether its first and its last answer are right. */
export interface Turn {
  readonly item: string
  readonly first: boolean
  readonly last: boolean
}

export interface Quadrants {
  readonly kept: number
  readonly broken: number
  readonly repaired: number
  readonly stayed_wrong: number
}

export interface SelfCorrection {
  readonly accuracy_first: number
  readonly accuracy_last: number
  readonly delta: number
  /** Share of all runs that went from wrong to right: Δ i→c. */
  readonly wrong_to_right: number
  /** Share of all runs that went from right to wrong: Δ c→i. */
  readonly right_to_wrong: number
  /** CL: share of right first answers that are kept; null without any. */
  readonly confidence_level: number | null
  /** CS: share of wrong first answers that are repaired; null without any. */
  readonly critique_score: number | null
  /** RSS: 0.5 is no net change; null when the first answers are all right or all wrong. */
  readonly relative_score: number | null
  readonly quadrants: Quadrants
}

/** RSS = (Acc2 − Acc1²) / (2·Acc1·(1 − Acc1)). */
export const relativeScore = (first: number, last: number): number | null =>
  first <= 0 || first >= 1 ? null : (last - first ** 2) / (2 * first * (1 - first))

const count = (turns: readonly Turn[], first: boolean, last: boolean): number =>
  turns.filter((turn) => turn.first === first && turn.last === last).length

/** Σ P(first) P(last | first) / Σ P(first) over the items, each probability estimated by the item's runs. */
const rateAfter = (turns: readonly Turn[], first: boolean): number | null => {
  const items = groupBy(turns, ({ item }) => item)
  let [all, right] = [0, 0]
  for (const runs of items.values()) {
    const started = runs.filter((turn) => turn.first === first)
    all += started.length / runs.length
    right += started.filter(({ last }) => last).length / runs.length
  }
  return all === 0 ? null : right / all
}

export const selfCorrection = (turns: readonly Turn[]): SelfCorrection => {
  const quadrants = {
    kept: count(turns, true, true),
    broken: count(turns, true, false),
    repaired: count(turns, false, true),
    stayed_wrong: count(turns, false, false),
  }
  const total = Math.max(1, turns.length)
  const first = (quadrants.kept + quadrants.broken) / total
  const last = (quadrants.kept + quadrants.repaired) / total
  return {
    accuracy_first: first,
    accuracy_last: last,
    delta: last - first,
    wrong_to_right: quadrants.repaired / total,
    right_to_wrong: quadrants.broken / total,
    confidence_level: rateAfter(turns, true),
    critique_score: rateAfter(turns, false),
    relative_score: relativeScore(first, last),
    quadrants,
  }
}
