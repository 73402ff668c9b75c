/**
 * Which arm a unit gets: a pure function of key, salt and unit, so that every replica and every restart agrees and
 * nothing is stored.
 */
import { invalidField } from '../core/errors.ts'
import { hashToUnit } from '../core/random.ts'
import type { Arm, Experiment } from './experiment.ts'

/**
 * Why the unit got the arm. Only `assigned` counts in the analysis.
 * - `forced`: the request asked for the arm. `killed`: its arm is switched off. `uncovered`: beyond the coverage.
 * - `holdout`, `excluded`: in the layer's holdout, or in another part of the layer.
 * - `inactive`: the experiment is a draft or paused. `decided`: the experiment is over and its arm ships.
 */
export type AssignmentReason =
  | 'assigned'
  | 'forced'
  | 'killed'
  | 'uncovered'
  | 'holdout'
  | 'excluded'
  | 'inactive'
  | 'decided'

export interface ArmAssignment {
  readonly arm: Arm
  readonly reason: AssignmentReason
  /** Probability of the arm under the reason's rule, 1 where chance had no part. */
  readonly propensity: number
  /** ⌊10,000 u⌋ of the unit's hash, for the record. */
  readonly bucket: number
  /** Whether an exposure is to be recorded, with the reason, when the strategy starts. */
  readonly isRecorded: boolean
}

export interface AssignmentChoices {
  /** Name of the arm the request asks for. */
  readonly variant?: string
  /** Whether the caller may ask for an arm. */
  readonly mayForce?: boolean
  /** Current shares of a bandit, in the order of the arms; the experiment's weights when absent. */
  readonly shares?: readonly number[]
  /** Name of the arm that shipped, when the experiment is decided; the control when absent. */
  readonly winner?: string
}

export type Range = readonly [from: number, to: number]

/**
 * Range of each arm in [0, 1): [W, W + coverage · w) with W the weights before it. Raising the coverage lengthens every
 * range at its end, so no unit ever moves from one arm to another.
 */
export const rangesOf = (weights: readonly number[], coverage: number): Range[] => {
  let before = 0
  return weights.map((weight, index) => {
    const from = before
    before += weight
    // The last arm takes what rounding of the weights leaves, so that full coverage leaves nobody out.
    const width = index === weights.length - 1 ? 1 - from : weight
    return [from, from + coverage * width]
  })
}

/** u in [0, 1) of a unit: the first 32 bits of SHA-256(key:salt:unit), divided by 2³². */
export const unitHash = (key: string, salt: string, unit: string): number =>
  hashToUnit(`${key}:${salt}:${unit}`)

const isWithin = (u: number, range: { readonly from: number; readonly to: number }): boolean =>
  u >= range.from && u < range.to

/** The control, or the first arm that is left when the control itself is switched off. */
const fallbackOf = ({ arms }: Experiment): Arm =>
  arms.find(({ killed }) => killed === undefined) ?? arms[0]!

/** The arm that won, unless there is none or it was switched off since. */
const shippedArm = (experiment: Experiment, winner: string | undefined): Arm =>
  experiment.arms.find(({ name, killed }) => name === winner && killed === undefined) ??
  fallbackOf(experiment)

const forcedArm = (experiment: Experiment, variant: string, mayForce: boolean): Arm => {
  const arm = experiment.arms.find(({ name }) => name === variant)
  if (arm === undefined) {
    const names = experiment.arms.map(({ name }) => name).join(', ')
    throw invalidField('/experiment/variant', `must be one of: ${names}`)
  }
  if (!mayForce) throw invalidField('/experiment/variant', 'may not be chosen with this key')
  return arm
}

/** Why the unit does not take part at all, if it does not. */
const absence = (experiment: Experiment, unit: string): AssignmentReason | undefined => {
  const { status, layer, holdout } = experiment
  if (status !== 'running') return status === 'decided' ? 'decided' : 'inactive'
  if (layer === undefined) return undefined
  const u = unitHash(layer.name, layer.salt ?? '1', unit)
  if (holdout !== undefined && isWithin(u, holdout)) return 'holdout'
  return isWithin(u, layer) ? undefined : 'excluded'
}

/**
 * The arm of a unit. Pure; about 2 µs. Under a bandit's shares a unit's arm changes as they do, so callers that want
 * it to stay keep the first assignment.
 * @throws RefineError invalid_request when `variant` is unknown or not allowed.
 */
export const assign = (
  experiment: Experiment,
  unit: string,
  choices: AssignmentChoices = {},
): ArmAssignment => {
  const u = unitHash(experiment.key, experiment.salt, unit)
  const bucket = Math.floor(10_000 * u)
  const certain = (arm: Arm, reason: AssignmentReason): ArmAssignment => ({
    arm,
    reason,
    propensity: 1,
    bucket,
    isRecorded: reason === 'forced' || reason === 'killed' || reason === 'holdout',
  })
  if (choices.variant !== undefined) {
    return certain(forcedArm(experiment, choices.variant, choices.mayForce === true), 'forced')
  }
  const absent = absence(experiment, unit)
  if (absent === 'decided') {
    return certain(shippedArm(experiment, choices.winner), 'decided')
  }
  if (absent !== undefined) return certain(fallbackOf(experiment), absent)
  const shares = choices.shares ?? experiment.arms.map(({ weight }) => weight)
  const ranges = rangesOf(shares, experiment.coverage)
  const index = ranges.findIndex(([from, to]) => u >= from && u < to)
  const arm = experiment.arms[index]
  if (arm === undefined) return certain(fallbackOf(experiment), 'uncovered')
  // Whoever takes part in a shadow gets the control: the other arms answer where nobody sees it.
  if (experiment.mode === 'shadow') {
    return {
      arm: fallbackOf(experiment),
      reason: 'assigned',
      propensity: 1,
      bucket,
      isRecorded: true,
    }
  }
  if (arm.killed !== undefined) return certain(fallbackOf(experiment), 'killed')
  return { arm, reason: 'assigned', propensity: shares[index]!, bucket, isRecorded: true }
}

/** What is known of who asks. */
export interface UnitSources {
  /** What the request names as its unit, or the user that a surface knows. */
  readonly explicit?: string
  /** The same for every turn of a conversation. */
  readonly conversation: string
  /** The same for the same question: of experiments that assign by request. */
  readonly question: string
}

/** The unit of a request: what it says itself, else its conversation, or the question where that is the unit. */
export const unitOf = (
  { unit }: Experiment,
  { explicit, conversation, question }: UnitSources,
): string => explicit ?? (unit === 'request' ? question : conversation)
