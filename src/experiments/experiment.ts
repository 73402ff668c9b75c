/** An experiment as a resource: who gets which arm, what is measured, and when it is over. Wire data: snake_case. */
import { Type, type Static } from 'typebox'
import { Budget } from '../core/budget.ts'
import { ROLES, Sampling, type Role } from '../core/task.ts'
import { DuelSettings, EXPERIMENT_MODES } from './duel-settings.ts'
import { Allocation, StopRule, type FilledStopRule } from './stop-rule.ts'

export const EXPERIMENT_STATUSES = ['draft', 'running', 'paused', 'decided'] as const
export type ExperimentStatus = (typeof EXPERIMENT_STATUSES)[number]

const closed = { additionalProperties: false } as const
const Share = (description: string) => Type.Number({ minimum: 0, maximum: 1, description })
const Key = (description: string) =>
  Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$', description })

const ModelId = Type.Optional(Type.String({ minLength: 1, maxLength: 256 }))
const MODELS = Object.fromEntries(ROLES.map((role) => [role, ModelId])) as Record<
  Role,
  typeof ModelId
>

export const Arm = Type.Object(
  {
    name: Key('Name of the arm; the first arm is the control.'),
    weight: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1,
      description: 'Share of the units; the weights of all arms sum to 1.',
    }),
    strategy: Type.String({ minLength: 1, maxLength: 256 }),
    options: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    model: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    models: Type.Optional(Type.Object(MODELS, closed)),
    budget: Type.Optional(Budget),
    sampling: Type.Optional(Sampling),
    killed: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1000,
        description: 'Why the arm was switched off: its units get the control.',
      }),
    ),
  },
  closed,
)
export type Arm = Static<typeof Arm>

export const Metric = Type.Object(
  {
    name: Key('An automatic metric of runs, or the name feedback is given under.'),
    type: Type.Enum(['boolean', 'number']),
    direction: Type.Enum(['up', 'down'], { description: 'Which way is better.' }),
    feedback: Type.Optional(
      Key('Name the feedback is given under, where it is not that of the metric.'),
    ),
    source: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description:
          'Counts only feedback of this source, such as `judge`; of every source if absent.',
      }),
    ),
    primary: Type.Optional(Type.Boolean({ default: false })),
    margin: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description: 'Makes it a guardrail: how much worse is still tolerated, in its unit.',
      }),
    ),
    denominator: Type.Optional(
      Key('Makes it a ratio of sums over the units, for example cost per `correct`.'),
    ),
    quantile: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        exclusiveMaximum: 1,
        description: 'Compares this quantile in place of the mean.',
      }),
    ),
    transform: Type.Optional(
      Type.Enum(['log'], { description: 'Compares geometric means; values must be positive.' }),
    ),
    cap: Type.Optional(Type.Number({ description: 'Larger values count as this one.' })),
    covariate: Type.Optional(
      Key(
        'Name of a value known before treatment; reduces the variance (CUPED). Needs the allocation `fixed`.',
      ),
    ),
    predicted_by: Type.Optional(
      Key(
        'Another metric, such as that of a judge, which is known of many more runs: its mean is taken, corrected by how far ' +
          'it was off where this one is known (prediction-powered).',
      ),
    ),
  },
  closed,
)
export type Metric = Static<typeof Metric>

export const Guardrail = Type.Object(
  {
    metric: Key('Name of one of the metrics.'),
    margin: Type.Number({ exclusiveMinimum: 0, description: 'How much worse is still tolerated.' }),
    relative: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'The margin is a share of the size of the control’s value.',
      }),
    ),
    kill: Type.Optional(
      Type.Boolean({
        description:
          'Switches an arm off, in a new version, once it is shown to be worse by the margin.',
      }),
    ),
  },
  closed,
)
export type Guardrail = Static<typeof Guardrail>

const IntervalOfShares = Type.Object(
  {
    from: Share('Where it starts, inclusive.'),
    to: Share('Where it ends, exclusive.'),
  },
  closed,
)
export type IntervalOfShares = Static<typeof IntervalOfShares>

export const ExperimentDefinition = Type.Object(
  {
    key: Key('Unique; part of the hash that assigns units.'),
    description: Type.Optional(Type.String({ maxLength: 10_000 })),
    hypothesis: Type.Optional(
      Type.String({ maxLength: 10_000, description: 'What is expected, written down beforehand.' }),
    ),
    status: Type.Optional(Type.Enum([...EXPERIMENT_STATUSES], { default: 'draft' })),
    mode: Type.Optional(
      Type.Enum([...EXPERIMENT_MODES], {
        default: 'split',
        description:
          '`split`: each unit gets one arm. `duel`: the same, and another arm answers the same prompt in the background; a ' +
          'judge compares. `shadow`: every unit gets the control, and only the judge sees the other arms.',
      }),
    ),
    duel: Type.Optional(DuelSettings),
    arms: Type.Array(Arm, { minItems: 2, maxItems: 100 }),
    metrics: Type.Array(Metric, { minItems: 1, maxItems: 100 }),
    guardrails: Type.Optional(Type.Array(Guardrail, { maxItems: 100, default: [] })),
    unit: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        default: 'request',
        description: 'What is assigned: `user`, `conversation`, `request` or a word of your own.',
      }),
    ),
    coverage: Type.Optional({ ...Share('Share of the units that take part.'), default: 1 }),
    salt: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        default: '1',
        description: 'A new salt assigns every unit anew: for a new phase.',
      }),
    ),
    layer: Type.Optional(
      Type.Object(
        {
          name: Key('Experiments of one layer share no unit.'),
          salt: Type.Optional(Type.String({ minLength: 1, maxLength: 128, default: '1' })),
          from: Share('Start of the part of the layer this experiment claims, inclusive.'),
          to: Share('End of it, exclusive.'),
        },
        closed,
      ),
    ),
    holdout: Type.Optional({
      ...IntervalOfShares,
      description: 'Part of the layer that is in no experiment and always gets the control.',
    }),
    feedback_days: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 36_500,
        description:
          'How long after a run met its arm feedback on it is taken; later it is refused. For ever if absent.',
      }),
    ),
    stop: Type.Optional(StopRule),
    allocation: Type.Optional(Allocation),
  },
  { additionalProperties: false, $id: 'ExperimentDefinition' },
)
/** As it is sent; `defineExperiment` checks it and fills in the defaults. */
export type ExperimentDefinition = Static<typeof ExperimentDefinition>

type Filled<Value, Names extends keyof Value> = Omit<Value, Names> & {
  readonly [Name in Names]-?: Exclude<Value[Name], undefined>
}

/** A checked definition with nothing left open. Immutable: a change makes a new version. */
export type Experiment = Readonly<
  Filled<
    Omit<ExperimentDefinition, 'stop' | 'allocation' | 'duel'>,
    'status' | 'mode' | 'guardrails' | 'unit' | 'coverage' | 'salt'
  >
> & {
  readonly stop: FilledStopRule
  readonly allocation: Required<Allocation>
  /** Of duels and shadows. */
  readonly duel?: Filled<DuelSettings, 'share' | 'concurrency'>
}

/** All guardrails: those listed, and every metric with a margin of its own. */
export const guardrailsOf = ({ metrics, guardrails }: Experiment): Guardrail[] => [
  ...guardrails,
  ...metrics.flatMap(({ name, margin }) =>
    margin === undefined ? [] : [{ metric: name, margin }],
  ),
]

/** Squares of larger values, weighted and added up, would not be finite, and spoil the sums of an arm for ever. */
export const LARGEST_VALUE = 1e100

/**
 * What a raw outcome counts as in the metric: true is 1, capped, logarithmic where the metric says so. Undefined when
 * it does not count: text, a value that is not finite or too large, or one without a logarithm.
 */
export const observedValue = (metric: Metric, raw: unknown): number | undefined => {
  const value = typeof raw === 'boolean' ? Number(raw) : raw
  if (typeof value !== 'number' || !(Math.abs(value) <= LARGEST_VALUE)) return undefined
  const capped = Math.min(value, metric.cap ?? Infinity)
  if (metric.type === 'boolean') return capped === 0 || capped === 1 ? capped : undefined
  if (metric.transform === undefined) return capped
  return capped > 0 ? Math.log(capped) : undefined
}
