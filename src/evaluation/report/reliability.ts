/** How far judges, comparisons and reviews can be trusted, held against the labels. Wire data, hence snake_case. */
import { share, total } from '../grouping.ts'
import type { RunMeasure } from '../measure.ts'
import { areaUnderCurve, countPairs } from '../statistics/ranking.ts'

export interface JudgeReport {
  readonly scorer: string
  readonly scored: number
  /** Over all candidates of the arm: also tells easy questions from hard ones. */
  readonly auc: number | null
  /** Over pairs of one run: what selection needs. */
  readonly auc_within_run: number | null
}

export interface ComparisonReport {
  readonly total: number
  /** Share in which both orders name the same winner. */
  readonly consistency: number | null
  /** Share of pairs of a right and a wrong candidate that the right one won. */
  readonly accuracy: number | null
}

export interface ReviewReport {
  readonly total: number
  /** Youden's J: share of wrong candidates found − share of right ones called wrong. */
  readonly youden: number | null
}

export const judgesOf = (runs: readonly RunMeasure[]): JudgeReport[] =>
  [...new Set(runs.flatMap(({ scores }) => scores.map(({ scorer }) => scorer)))].map((scorer) => {
    const byRun = runs.map(({ scores }) => scores.filter((score) => score.scorer === scorer))
    const pairs = byRun.map((scores) => countPairs(scores))
    const all = byRun.flat()
    return {
      scorer,
      scored: all.length,
      auc: areaUnderCurve(all),
      auc_within_run: share(
        total(pairs.map(({ ordered }) => ordered)),
        total(pairs.map(({ pairs: number }) => number)),
      ),
    }
  })

export const comparisonsOf = (runs: readonly RunMeasure[]): ComparisonReport => {
  const of = (field: keyof RunMeasure['comparisons']): number =>
    total(runs.map(({ comparisons }) => comparisons[field]))
  return {
    total: of('total'),
    consistency: share(of('consistent'), of('total')),
    accuracy: share(of('decidedRightly'), of('decidable')),
  }
}

export const reviewsOf = (runs: readonly RunMeasure[]): ReviewReport => {
  const of = (field: keyof RunMeasure['reviews']): number =>
    total(runs.map(({ reviews }) => reviews[field]))
  const found = share(of('found'), of('onWrong'))
  const alarms = share(of('falseAlarms'), of('onRight'))
  return {
    total: of('onRight') + of('onWrong'),
    youden: found === null || alarms === null ? null : found - alarms,
  }
}
