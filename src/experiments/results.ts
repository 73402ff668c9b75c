/** From the sums of every arm to the results of an experiment: a pure function, a millisecond whatever the traffic. */
import { decide, type Undecided } from './decision.ts'
import { decideByDuels } from './duel-decision.ts'
import { readDuels, type DuelData } from './duel-results.ts'
import type { Experiment } from './experiment.ts'
import { readMetric, type ArmData, type Look } from './metric-results.ts'
import { eBenjaminiHochberg, holm } from './multiplicity.ts'
import { readPlannedLooks } from './planned-looks.ts'
import type { ArmResult, ExperimentResults, SampleRatio } from './results-schema.ts'
import { bestArmOf } from './shares.ts'
import { chiSquareMismatch, MISMATCH_BELOW, sequentialMismatch } from './sample-ratio.ts'

export type { ArmData } from './metric-results.ts'

export interface ResultsContext {
  /** Time of the look, ISO 8601. */
  readonly at: string
  /** The look before, for running minima of always-valid p-values and for a decision that stands. */
  readonly previous?: ExperimentResults
  /** Of experiments that compare answers to one prompt. */
  readonly duels?: DuelData
}

/** Holm over all primary metrics of all arms that have an always-valid p; those without count as 1. */
const adjustPrimaries = (experiment: Experiment, arms: readonly ArmResult[]): void => {
  const primaries = experiment.metrics.filter(({ primary }) => primary === true)
  const family = arms.slice(1).flatMap(({ metrics }) => primaries.map(({ name }) => metrics[name]!))
  const adjusted = holm(family.map(({ p_anytime }) => p_anytime ?? 1))
  for (const [index, result] of family.entries()) {
    result.p_adjusted = result.p_anytime === null ? null : adjusted[index]!
  }
}

/** e-BH over all other metrics of all arms, on the e-values of this look; those without one bet nothing. */
const discover = (experiment: Experiment, arms: readonly ArmResult[]): void => {
  const others = experiment.metrics.filter(({ primary }) => primary !== true)
  const family = arms.slice(1).flatMap(({ metrics }) => others.map(({ name }) => metrics[name]!))
  const found = eBenjaminiHochberg(
    family.map(({ evidence }) => evidence ?? 1),
    experiment.stop.alpha,
  )
  for (const [index, result] of family.entries()) {
    result.discovered = result.evidence === null ? null : found[index]!
  }
}

const sampleRatio = ({ experiment, arms, previous }: Look): SampleRatio => {
  const running = experiment.arms.filter(({ killed }) => killed === undefined)
  const isSplit = experiment.allocation.type === 'fixed' && experiment.mode !== 'shadow'
  if (!isSplit || running.length < 2) {
    return { p: null, p_fixed: null, mismatched: false }
  }
  const counts = running.map(({ name }) => arms.find((arm) => arm.name === name)?.exposures ?? 0)
  const weights = running.map(({ weight }) => weight)
  const p = Math.min(sequentialMismatch(counts, weights).p, previous?.srm.p ?? 1)
  return { p, p_fixed: chiSquareMismatch(counts, weights).p, mismatched: p < MISMATCH_BELOW }
}

/**
 * Everything that is known of the experiment from the sums of its arms, with the decision that follows. The arms may
 * come in any order; those without data count as empty. p-values and the decision take the previous look into account,
 * so hand in the last results of the same phase.
 */
export const resultsOf = (
  experiment: Experiment,
  data: readonly ArmData[],
  { at, previous, duels }: ResultsContext,
): ExperimentResults => {
  const arms = experiment.arms.map(
    ({ name }) => data.find((arm) => arm.name === name) ?? { name, exposures: 0, metrics: {} },
  )
  const look: Look = { experiment, arms, previous }
  const columns = experiment.metrics.map((metric) => readMetric(look, metric))
  const results: Undecided = {
    object: 'experiment.results',
    key: experiment.key,
    status: experiment.status,
    at,
    alpha: experiment.stop.alpha,
    tuned_for: experiment.stop.tuned_for,
    arms: arms.map(({ name, exposures }, arm) => ({
      name,
      weight: experiment.arms[arm]!.weight,
      exposures,
      metrics: Object.fromEntries(
        experiment.metrics.map((metric, index) => [metric.name, columns[index]![arm]!]),
      ),
    })),
    srm: sampleRatio(look),
    planned_looks: null,
    best_arm: bestArmOf(experiment, arms),
    duels: readDuels(experiment, duels, previous?.duels ?? null),
  }
  adjustPrimaries(experiment, results.arms)
  discover(experiment, results.arms)
  results.planned_looks = readPlannedLooks(experiment, results, previous?.planned_looks ?? null)
  const follow = experiment.mode === 'split' ? decide : decideByDuels
  return { ...results, decision: follow(experiment, results, previous?.decision) }
}
