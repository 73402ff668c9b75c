/**
 * The port to where experiments, exposures and outcomes are kept. What a store adds up are sums per arm and metric, so
 * that results cost the same however many runs there were. Adapters live in `storage`.
 */
import type { Sums } from './sums.ts'

/** One version of an experiment; versions count from 1 and are never changed. */
export interface ExperimentVersion {
  readonly key: string
  readonly version: number
  /** ISO 8601. */
  readonly at: string
  /** Where it came from: the configuration file is applied again only when it says something new. */
  readonly origin: 'api' | 'file'
  /** The checked definition, as JSON. */
  readonly definition: unknown
}

/** The part of an experiment whose units may be compared: a new salt starts a new one. */
export interface Phase {
  readonly experiment: string
  readonly salt: string
}

/** A unit met its arm. The first exposure of a unit in a phase stands. */
export interface Exposure extends Phase {
  /** Hash of the unit, never the unit itself. */
  readonly unit: string
  readonly arm: string
  /** Only units exposed as `assigned` are added up. */
  readonly reason: string
  readonly bucket: number
  readonly propensity: number
  readonly runId: string
  /** ISO 8601. */
  readonly at: string
}

/** A metric that a value goes into, by the names of its parts. */
export interface Series {
  readonly metric: string
  /** Values of this name, added up over the runs of a unit. */
  readonly numerator: string
  /** Values of this name in place of the number of runs, for ratios. */
  readonly denominator: string | null
  /** Mean of the values of this name, known before the treatment. */
  readonly covariate: string | null
  /** Mean of the values of this name, taken off each value: what is added up is how far the numerator is above it. */
  readonly minus: string | null
  /** Whether a unit counts by 1 / propensity: under adaptive allocation. */
  readonly isWeighted: boolean
}

/** What came of a run. A later value of the same name by the same reporter for the same run replaces it. */
export interface Outcome {
  readonly runId: string
  readonly name: string
  /** Hash of who says so, where several may say something of one run; '' for what is measured or said by nobody in particular. */
  readonly reporter: string
  readonly value: number
  /** Number of its bucket in a sketch of quantiles, `zero` for a value of zero or less; null when none is kept. */
  readonly bucket: number | 'zero' | null
  /** The metrics it takes part in. */
  readonly series: readonly Series[]
}

/** Facts are applied in order; each can be applied again without a change. */
export type ExperimentFact =
  | ({ readonly type: 'exposure' } & Exposure)
  | ({ readonly type: 'outcome' } & Outcome)
  /** All that is measured of the run by itself is recorded. */
  | { readonly type: 'settled'; readonly runId: string }

/** A run that was exposed to an arm. */
export interface ExposedRun extends Phase {
  readonly unit: string
  readonly arm: string
  readonly reason: string
  /** When the run met it, ISO 8601; null for runs of before that was kept. */
  readonly at: string | null
}

/** An answer that was shown, to be compared with the answer of another arm to the same prompt. */
export interface DuelPlan extends Phase {
  /** The run that was shown. */
  readonly runId: string
  readonly unit: string
  /** Arm of that run. */
  readonly served: string
  /** The arm that has still to answer. */
  readonly other: string
  /** ISO 8601. */
  readonly at: string
}

export interface OpenDuel extends DuelPlan {
  /** The other arm's latest run, once there was one. */
  readonly otherRunId: string | null
  /** Attempts that were begun. */
  readonly attempts: number
  /** Money that earlier attempts took. */
  readonly spent: number
}

/**
 * What became of a duel: `a` is the arm that stands later in the experiment, `b` the earlier one. `first` and `second`:
 * whoever was shown there won both times. `failed`: an arm or the judge gave no answer. `skipped`: there was no budget.
 */
export type DuelEnd = 'a' | 'b' | 'first' | 'second' | 'tie' | 'failed' | 'skipped'

export interface DuelOutcome {
  readonly end: DuelEnd
  /** Characters of the answer of `a` less those of `b`; 0 where there was no comparison. */
  readonly lengthDifference: number
  readonly servedCost: number
  /** Of the last attempt; what earlier ones took is added. */
  readonly otherCost: number
  readonly judgeCost: number
}

/** Duels between two arms that came to one end. */
export interface DuelTally {
  readonly served: string
  readonly other: string
  readonly end: DuelEnd
  readonly duels: number
  readonly servedCost: number
  readonly otherCost: number
  readonly judgeCost: number
}

export interface DuelStore {
  /** Does nothing when there is one of the run already. */
  open(plan: DuelPlan): Promise<void>
  /** Those without an end, oldest first, at most `limit`. */
  listOpen(limit: number): Promise<readonly OpenDuel[]>
  /** Another attempt begins, with this run of the other arm. */
  attempt(runId: string, otherRunId: string): Promise<void>
  /** An attempt came to nothing and took so much money. */
  giveUp(runId: string, otherCost: number, judgeCost: number): Promise<void>
  close(runId: string, outcome: DuelOutcome): Promise<void>
  tallies(phase: Phase): Promise<readonly DuelTally[]>
  /** The latest of the phase that were compared, at most `limit`. */
  compared(
    phase: Phase,
    limit: number,
  ): Promise<
    readonly (Pick<DuelPlan, 'served' | 'other'> & Pick<DuelOutcome, 'end' | 'lengthDifference'>)[]
  >
}

export interface MetricTally {
  /** Values: one of each run and reporter. */
  readonly runs: number
  readonly sums: Sums
  readonly sketch: { readonly zeros: number; readonly buckets: Readonly<Record<string, number>> }
}

export interface ArmTally {
  readonly arm: string
  /** Units exposed as `assigned`. */
  readonly exposures: number
  readonly metrics: Readonly<Record<string, MetricTally>>
}

/** What was seen at one look: as it is handed in, as JSON. */
export interface Look {
  /** ISO 8601. */
  readonly at: string
  readonly body: unknown
}

/** A write is durable when its promise resolves. */
export interface ExperimentStore {
  readonly duels: DuelStore
  /** The newest version of every experiment, by key. */
  experiments(): Promise<readonly ExperimentVersion[]>
  version(key: string, version: number): Promise<ExperimentVersion | undefined>
  /** The newest version that came from the configuration file. */
  fromFile(key: string): Promise<ExperimentVersion | undefined>
  /** False when there is such a version already: somebody else was first. */
  addVersion(version: ExperimentVersion): Promise<boolean>
  /** Applies all facts or none. */
  record(facts: readonly ExperimentFact[]): Promise<void>
  /** The exposure of a unit that stands. */
  exposure(phase: Phase, unit: string): Promise<Exposure | undefined>
  /** By run; runs that were never exposed are left out. */
  exposedRuns(runIds: readonly string[]): Promise<ReadonlyMap<string, ExposedRun>>
  /** Ids of exposed runs that are not settled: left behind by a crash, when asked at the start. */
  unsettled(): Promise<readonly string[]>
  /**
   * Removes some of what is known of the units and runs of a phase, at most `limit` units; resolves with their number, 0
   * when all is gone. Sums and looks stay; what is still said of its runs counts no more.
   */
  forgetUnits(phase: Phase, limit: number): Promise<number>
  tallies(phase: Phase): Promise<readonly ArmTally[]>
  /** Keeps the latest results of the phase and, where given, a point of their course. */
  saveLook(phase: Phase, results: Look, point?: Look): Promise<void>
  lastLook(phase: Phase): Promise<Look | undefined>
  /** The course of the phase, oldest first. */
  course(phase: Phase): Promise<readonly Look[]>
}
