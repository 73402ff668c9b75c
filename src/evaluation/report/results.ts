/** The whole report as data: `results.json`. Wire data, hence snake_case. */
import { hashToUnit } from '../../core/random.ts'
import type { Arm } from '../arm.ts'
import { runsPlanned, type EvaluationPlan } from '../measured-runs.ts'
import type { Expectation } from '../expectation.ts'
import { groupBy, mean } from '../grouping.ts'
import type { LeftOut } from '../preflight.ts'
import { tokensOf, type RunMeasure } from '../measure.ts'
import { anytimeCurve, areaUnderSteps, thinned, type Curve } from '../statistics/anytime.ts'
import { quantile } from '../statistics/interval.ts'
import { paretoFront } from '../statistics/pareto.ts'
import { reportArm, type ArmReport } from './arm-report.ts'
import { differenceOf, type Difference } from './difference.ts'
import { findingsOf, type Finding } from './expectations.ts'
import { voteAtSameSpend, type VoteAtSameSpend } from './equal-spend.ts'

export interface Anytime {
  /** Share of runs whose answer is right when stopped at that many seconds or tokens; thinned. */
  readonly seconds: Curve
  readonly tokens: Curve
  /** Mean accuracy of a random stop before the horizon. */
  readonly area_seconds: number
  readonly area_tokens: number
}

export interface ArmResult extends ArmReport {
  /** Null for the baseline itself, and where no pair is complete. */
  readonly difference: Difference | null
  readonly anytime: Anytime
  /** Null where no arm of the evaluation makes several drafts and nothing else. */
  readonly vote_at_same_spend: VoteAtSameSpend | null
  /** Whether no other arm is as good at no more tokens. */
  readonly on_pareto_front: boolean
}

export interface Results {
  readonly object: 'evaluation'
  readonly data: { readonly name: string; readonly items: number }
  readonly seed: number
  readonly repeats: number
  readonly planned: number
  readonly finished: number
  readonly complete: boolean
  readonly baseline: string
  /** Arms that were not run, because the models cannot. */
  readonly left_out: readonly LeftOut[]
  /** Where the anytime areas end: the largest 95th percentile of the arms' spending. */
  readonly horizon: { readonly seconds: number; readonly tokens: number }
  readonly arms: readonly ArmResult[]
  readonly expectations: readonly Finding[]
}

const CURVE_POINTS = 160

const p95 = (values: readonly number[]): number =>
  values.length === 0
    ? 0
    : quantile(
        values.toSorted((left, right) => left - right),
        0.95,
      )

const anytimeOf = (runs: readonly RunMeasure[], horizon: Results['horizon']): Anytime => {
  const curve = (unit: 'seconds' | 'tokens'): Curve =>
    anytimeCurve(
      runs.map(({ timeline }) =>
        timeline.map((moment) => ({ at: moment[unit], right: moment.right })),
      ),
    )
  const [seconds, tokens] = [curve('seconds'), curve('tokens')]
  return {
    seconds: thinned(seconds, CURVE_POINTS),
    tokens: thinned(tokens, CURVE_POINTS),
    area_seconds: areaUnderSteps(seconds, horizon.seconds),
    area_tokens: areaUnderSteps(tokens, horizon.tokens),
  }
}

/** The arm the others are compared with: the one asked for, else the one named `single`, else the first. */
export const baselineOf = (arms: readonly Arm[], asked?: string): string =>
  asked ?? arms.find(({ name }) => name === 'single')?.name ?? arms[0]!.name

export interface ResultsOptions {
  readonly plan: EvaluationPlan
  readonly measures: readonly RunMeasure[]
  /** How the data set is called in the report. */
  readonly dataName: string
  readonly baseline?: string
  /** Arms that were not run; they are not part of the plan. */
  readonly leftOut?: readonly LeftOut[]
  readonly expectations?: readonly Expectation[]
}

type RunsByArm = ReadonlyMap<string, readonly RunMeasure[]>

const horizonOf = (runs: RunsByArm): Results['horizon'] => {
  const largest = (amount: (run: RunMeasure) => number): number =>
    Math.max(0, ...[...runs.values()].map((own) => p95(own.map(amount))))
  return { seconds: largest(({ usage }) => usage.seconds), tokens: largest(tokensOf) }
}

const frontOf = (runs: RunsByArm): Set<string> => {
  const trades = [...runs].map(([name, own]) => ({
    name,
    price: mean(own.map(tokensOf)),
    gain: mean(own.map(({ last }) => Number(last))),
  }))
  return new Set(paretoFront(trades).map(({ name }) => name))
}

const bootstrapSeed = (seed: number, arm: string): number =>
  Math.floor(hashToUnit(JSON.stringify(['bootstrap', seed, arm])) * 2 ** 31)

interface Whole extends Pick<Results, 'baseline' | 'horizon' | 'seed'> {
  readonly runs: RunsByArm
  readonly measures: readonly RunMeasure[]
}

/** An arm among the others. */
const resultOfArm = ({ runs, baseline, horizon, measures, seed }: Whole) => {
  const front = frontOf(runs)
  const voteFor = voteAtSameSpend(measures)
  return (arm: Arm): ArmResult => {
    const { name } = arm
    const own = runs.get(name)!
    const compared = runs.get(baseline) ?? []
    return {
      ...reportArm(arm, own),
      difference: name === baseline ? null : differenceOf(own, compared, bootstrapSeed(seed, name)),
      anytime: anytimeOf(own, horizon),
      vote_at_same_spend: voteFor(own),
      on_pareto_front: front.has(name),
    }
  }
}

/** Puts the report together. Pure: the same runs, the same report. Arms without a finished run are left out. */
export const reportResults = ({
  plan,
  measures,
  dataName,
  leftOut = [],
  expectations = [],
  ...options
}: ResultsOptions): Results => {
  const { arms, items, repeats, seed } = plan
  const planned = runsPlanned(plan)
  const runs = groupBy(measures, ({ arm }) => arm)
  const baseline = baselineOf(arms, options.baseline)
  const horizon = horizonOf(runs)
  return {
    object: 'evaluation',
    data: { name: dataName, items: items.length },
    seed,
    repeats,
    planned,
    finished: measures.length,
    complete: measures.length === planned,
    baseline,
    left_out: leftOut,
    horizon,
    arms: arms
      .filter(({ name }) => runs.has(name))
      .map(resultOfArm({ runs, baseline, horizon, measures, seed })),
    expectations: findingsOf(expectations, runs, seed),
  }
}
