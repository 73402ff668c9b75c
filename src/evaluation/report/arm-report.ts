/** The metrics of one arm. Wire data, hence snake_case; shares are in [0, 1], and null is what could not be measured. */
import type { Usage } from '../../core/event.ts'
import type { Role } from '../../core/task.ts'
import type { Arm } from '../arm.ts'
import { groupBy, mean, share, total } from '../grouping.ts'
import { DRAFT_COUNTS, type RunMeasure } from '../measure.ts'
import { clusteredWilson, quantile, type Interval } from '../statistics/interval.ts'
import { balanceScore, passAtK } from '../statistics/sampling-curves.ts'
import { selfCorrection, type SelfCorrection } from '../statistics/self-correction.ts'
import {
  comparisonsOf,
  judgesOf,
  reviewsOf,
  type ComparisonReport,
  type JudgeReport,
  type ReviewReport,
} from './reliability.ts'

export interface Estimated extends Interval {
  readonly value: number
}

export interface DraftCurvePoint {
  readonly k: number
  /** Runs with at least k drafts; only these can tell. */
  readonly runs: number
  readonly pass: number
  readonly majority: number
}

export interface ArmReport {
  readonly name: string
  readonly settings: Omit<Arm, 'name'>
  readonly items: number
  readonly runs: number
  readonly failed: number
  /** Share of runs with an answer that was not declined, and the accuracy of those. */
  readonly answered: number
  readonly accuracy_answered: number | null
  readonly accuracy: Estimated
  readonly self_correction: SelfCorrection
  readonly usage: UsageReport
  readonly selection: SelectionReport
  readonly drafts: readonly DraftCurvePoint[]
  readonly judges: readonly JudgeReport[]
  readonly comparisons: ComparisonReport
  readonly reviews: ReviewReport
  readonly effective_answers: number
  readonly balance_score: number
  /** Share of revisions that change less than 2 % of the text. */
  readonly collapse: number | null
  readonly difficulty: readonly (Estimated & {
    readonly difficulty: string
    readonly runs: number
  })[]
  readonly ended: Readonly<Record<string, number>>
}

/** Means over runs. */
export interface UsageReport {
  readonly calls: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cached_tokens: number
  readonly tokens: number
  readonly cost: number
  readonly seconds: { readonly mean: number; readonly median: number; readonly p90: number }
  /** Accuracy per thousand tokens. */
  readonly accuracy_per_1k_tokens: number | null
  readonly by_role: Readonly<Record<string, NonNullable<Usage['by_role'][Role]>>>
}

export interface SelectionReport {
  /** Expected accuracy of one draft. */
  readonly draft_accuracy: number
  /** Accuracy of the majority of all drafts of the same runs. */
  readonly majority: number
  /** Share of runs with any right candidate: pass@N. */
  readonly oracle: number
  readonly oracle_gap: number
  /** (accuracy − draft accuracy) / (oracle − draft accuracy); null where there is nothing to gain. */
  readonly efficiency: number | null
}

export const accuracyOf = (runs: readonly RunMeasure[]): Estimated => {
  const clusters = [...groupBy(runs, ({ item }) => item).values()].map((group) => ({
    right: group.filter(({ last }) => last).length,
    runs: group.length,
  }))
  return { value: mean(runs.map(({ last }) => Number(last))), ...clusteredWilson(clusters) }
}

const roleUsage = (runs: readonly RunMeasure[]): UsageReport['by_role'] => {
  const roles = [...new Set(runs.flatMap(({ usage }) => Object.keys(usage.by_role)))] as Role[]
  const of = (role: Role, field: 'calls' | 'input_tokens' | 'output_tokens'): number =>
    mean(runs.map(({ usage }) => usage.by_role[role]?.[field] ?? 0))
  return Object.fromEntries(
    roles.map((role) => [
      role,
      {
        calls: of(role, 'calls'),
        input_tokens: of(role, 'input_tokens'),
        output_tokens: of(role, 'output_tokens'),
      },
    ]),
  )
}

const usageOf = (runs: readonly RunMeasure[], accuracy: number): UsageReport => {
  const of = (field: Exclude<keyof Usage, 'by_role'>): number =>
    mean(runs.map(({ usage }) => usage[field]))
  const seconds = runs.map(({ usage }) => usage.seconds).toSorted((left, right) => left - right)
  const tokens = of('input_tokens') + of('output_tokens')
  return {
    calls: of('calls'),
    input_tokens: of('input_tokens'),
    output_tokens: of('output_tokens'),
    cached_tokens: of('cached_tokens'),
    tokens,
    cost: of('cost'),
    seconds: { mean: mean(seconds), median: quantile(seconds, 0.5), p90: quantile(seconds, 0.9) },
    accuracy_per_1k_tokens: share(accuracy * 1000, tokens),
    by_role: roleUsage(runs),
  }
}

const selectionOf = (runs: readonly RunMeasure[], accuracy: number): SelectionReport => {
  const drafted = runs.filter(({ drafts }) => drafts.total > 0)
  const draftAccuracy = mean(drafted.map(({ drafts }) => drafts.right / drafts.total))
  const oracle = mean(runs.map(({ candidates, last }) => Number(candidates.right > 0 || last)))
  const room = oracle - draftAccuracy
  return {
    draft_accuracy: draftAccuracy,
    majority: mean(runs.map(({ majority }) => Number(majority.at(-1)?.right ?? false))),
    oracle,
    oracle_gap: oracle - accuracy,
    efficiency: room > 1e-12 ? (accuracy - draftAccuracy) / room : null,
  }
}

const draftCurve = (runs: readonly RunMeasure[]): DraftCurvePoint[] =>
  DRAFT_COUNTS.flatMap((k) => {
    const able = runs.filter(({ drafts }) => drafts.total >= k)
    if (able.length === 0) return []
    const isRight = ({ majority }: RunMeasure): boolean =>
      majority.find((entry) => entry.k === k)?.right ?? false
    return {
      k,
      runs: able.length,
      pass: mean(able.map(({ drafts }) => passAtK(drafts.total, drafts.right, k))),
      majority: mean(able.map((run) => Number(isRight(run)))),
    }
  })

const byDifficulty = (runs: readonly RunMeasure[]): ArmReport['difficulty'] =>
  [...groupBy(runs, ({ difficulty }) => difficulty)]
    .flatMap(([difficulty, group]) =>
      difficulty === undefined ? [] : { difficulty, runs: group.length, ...accuracyOf(group) },
    )
    .toSorted((left, right) =>
      left.difficulty.localeCompare(right.difficulty, 'en', { numeric: true }),
    )

const endings = (runs: readonly RunMeasure[]): Record<string, number> =>
  Object.fromEntries(
    [...groupBy(runs, ({ ended }) => ended)]
      .map(([ended, group]) => [ended, group.length] as const)
      .toSorted(([left], [right]) => (left < right ? -1 : 1)),
  )

/** All metrics of the arm over the runs given, which are all its own. */
export const reportArm = ({ name, ...settings }: Arm, runs: readonly RunMeasure[]): ArmReport => {
  const accuracy = accuracyOf(runs)
  const answered = runs.filter((run) => run.answered)
  return {
    name,
    settings,
    items: new Set(runs.map(({ item }) => item)).size,
    runs: runs.length,
    failed: runs.filter(({ status }) => status === 'failed').length,
    answered: share(answered.length, runs.length) ?? 0,
    accuracy_answered: share(answered.filter(({ last }) => last).length, answered.length),
    accuracy,
    self_correction: selfCorrection(runs),
    usage: usageOf(runs, accuracy.value),
    selection: selectionOf(runs, accuracy.value),
    drafts: draftCurve(runs),
    judges: judgesOf(runs),
    comparisons: comparisonsOf(runs),
    reviews: reviewsOf(runs),
    effective_answers: mean(runs.map(({ effectiveAnswers }) => effectiveAnswers)),
    balance_score: mean(runs.map(({ candidates: { total: n, right } }) => balanceScore(n, right))),
    collapse: share(
      total(runs.map(({ revisions }) => revisions.copies)),
      total(runs.map(({ revisions }) => revisions.total)),
    ),
    difficulty: byDifficulty(runs),
    ended: endings(runs),
  }
}
