/** The planning read-out of `POST /v1/experiments/plan`: wire data, hence snake_case. */
import { Type, type Static } from 'typebox'
import { invalidField } from '../core/errors.ts'
import { planLooks } from './group-sequential.ts'
import { validate } from '../core/validation.ts'
import {
  alwaysValidSize,
  differenceSize,
  duelSize,
  proportionSize,
  smallestEffect,
  TUNING_FACTOR,
} from './plan.ts'
import { LooksToPlan, withSpending } from './stop-rule.ts'

export const PlanRequest = Type.Object(
  {
    type: Type.Enum(['boolean', 'number', 'duel'], {
      description: 'Of the metric; `duel` for comparisons of two answers to one prompt.',
    }),
    baseline: Type.Optional(
      Type.Number({ description: 'Mean of the control; the success rate of a boolean metric.' }),
    ),
    deviation: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: 'Standard deviation of a number metric.' }),
    ),
    effect: Type.Number({
      description:
        'Smallest change worth finding, in the metric’s unit; of a duel the win rate less ½.',
    }),
    arms: Type.Optional(Type.Integer({ minimum: 2, maximum: 100, default: 2 })),
    alpha: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 0.5, default: 0.05 })),
    power: Type.Optional(Type.Number({ minimum: 0.5, exclusiveMaximum: 1, default: 0.8 })),
    units_per_day: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: 'Units that enter, all arms together.' }),
    ),
    cost_per_run: Type.Optional(Type.Number({ minimum: 0 })),
    budget: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: 'Money for all runs of the experiment.' }),
    ),
    planned_looks: Type.Optional({
      ...LooksToPlan,
      description: 'Tells `stop.planned_looks.units` too, and what such looks save.',
    }),
  },
  { additionalProperties: false, $id: 'ExperimentPlanRequest' },
)
export type PlanRequest = Static<typeof PlanRequest>

const Nullable = <Schema extends ReturnType<typeof Type.Number>>(schema: Schema) =>
  Type.Union([schema, Type.Null()])

const Effort = Type.Object({
  units_per_arm: Type.Integer({
    description: 'Of a duel: prompts that are decided between two arms.',
  }),
  units: Type.Integer({
    description: 'Of all arms. Of a duel: prompts of all pairs of arms, each answered twice.',
  }),
  days: Nullable(Type.Number()),
  cost: Nullable(Type.Number()),
})

export const ExperimentPlan = Type.Object(
  {
    fixed: Effort,
    always_valid: Effort,
    tuned_for: Type.Integer({ description: 'For `stop.tuned_for` of the experiment.' }),
    smallest_effect: Nullable(Type.Number()),
    planned_looks: Type.Union([
      Type.Object({
        ...Effort.properties,
        inflation: Type.Number({ description: 'Units as a multiple of those of `fixed`.' }),
        expected_units: Type.Integer({ description: 'In the mean, if the effect is as planned.' }),
        bounds: Type.Array(Type.Number(), { description: 'Of |z| at each look.' }),
      }),
      Type.Null(),
    ]),
  },
  { $id: 'ExperimentPlan' },
)
export type ExperimentPlan = Static<typeof ExperimentPlan>

interface Sizes {
  readonly fixed: number
  readonly alwaysValid: number
  /** Variance of the difference with one unit per arm. */
  readonly variance: number
}

const rate = (value: number, pointer: string): number => {
  if (value > 0 && value < 1) return value
  throw invalidField(pointer, `must give rates between 0 and 1; one is ${value}`)
}

type Power = { readonly alpha: number; readonly power: number }

/** Sizes per arm; a number metric needs its deviation, a boolean one its baseline. */
const sizesOf = (request: PlanRequest, power: Power): Sizes => {
  const { type, baseline, deviation, effect, planned_looks } = request
  if (effect === 0) throw invalidField('/effect', 'must not be 0')
  const finish = (fixed: number, variance: number): Sizes => {
    const tunedFor = 2 * TUNING_FACTOR * fixed
    return { fixed, variance, alwaysValid: alwaysValidSize(variance, effect, tunedFor, power) }
  }
  if (type === 'duel') {
    if (planned_looks)
      throw invalidField('/planned_looks', 'is not for duels: they stop at any time')
    const winRate = rate(0.5 + effect, '/effect')
    return finish(duelSize(winRate, power), winRate * (1 - winRate))
  }
  if (type === 'number') {
    if (deviation === undefined) throw invalidField('/deviation', 'is required of a number metric')
    const variance = 2 * deviation * deviation
    return finish(differenceSize(variance, effect, power), variance)
  }
  if (baseline === undefined) throw invalidField('/baseline', 'is required of a boolean metric')
  const control = rate(baseline, '/baseline')
  const treatment = rate(baseline + effect, '/effect')
  const variance = control * (1 - control) + treatment * (1 - treatment)
  return finish(proportionSize(control, treatment, power), variance)
}

/** The size of one look, inflated for several. */
const planned = (
  looks: Static<typeof LooksToPlan>,
  fixed: number,
  effort: (size: number) => Static<typeof Effort>,
  power: Power,
): ExperimentPlan['planned_looks'] => {
  const { bounds, inflation, expected } = planLooks(looks.number, withSpending(looks), power)
  const own = effort(fixed * inflation)
  return { ...own, inflation, expected_units: Math.ceil(own.units * expected), bounds: [...bounds] }
}

/**
 * Units, days and money for the effect asked for, at one look (`fixed`) and with looks at any time (`always_valid`,
 * where most experiments stop well before) and at planned ones, and the smallest effect the budget shows. Several arms
 * share α.
 * @throws RefineError invalid_request
 */
export const planExperiment = (body: unknown): ExperimentPlan => {
  const request = validate(PlanRequest, body)
  const { arms = 2, alpha = 0.05, power = 0.8, units_per_day, cost_per_run, budget } = request
  const shared = { alpha: alpha / (arms - 1), power }
  const { fixed, alwaysValid, variance } = sizesOf(request, shared)
  if (!(Math.max(fixed, alwaysValid) * arms * arms < Number.MAX_SAFE_INTEGER)) {
    throw invalidField('/effect', 'is too small: no number of units would show it')
  }
  const isDuel = request.type === 'duel'
  const groups = isDuel ? (arms * (arms - 1)) / 2 : arms
  const runs = groups * (isDuel ? 2 : 1)
  const effort = (size: number): Static<typeof Effort> => {
    const each = Math.ceil(size)
    return {
      units_per_arm: each,
      units: each * groups,
      days: units_per_day === undefined ? null : (each * groups) / units_per_day,
      cost: cost_per_run === undefined ? null : each * runs * cost_per_run,
    }
  }
  const affordable =
    budget === undefined || !cost_per_run ? undefined : Math.floor(budget / cost_per_run / runs)
  return {
    fixed: effort(fixed),
    always_valid: effort(alwaysValid),
    // Units of two arms, or prompts of one pair.
    tuned_for: Math.ceil((isDuel ? 1 : 2) * TUNING_FACTOR * fixed),
    smallest_effect: affordable ? smallestEffect(variance, affordable, shared) : null,
    planned_looks: request.planned_looks
      ? planned(request.planned_looks, fixed, effort, shared)
      : null,
  }
}
