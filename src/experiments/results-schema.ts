/** The results of an experiment as `GET /v1/experiments/{key}/results` gives them: wire data, hence snake_case. */
import { Type, type Static, type TSchema } from 'typebox'
import { EXPERIMENT_STATUSES } from './experiment.ts'
import { SPENDINGS } from './group-sequential.ts'

const Nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
/** Null where the data do not say yet. */
const Figure = (description: string) => Nullable(Type.Number({ description }))
const Bounds = (description: string) =>
  Nullable(Type.Array(Nullable(Type.Number()), { minItems: 2, maxItems: 2, description }))

export const MetricResult = Type.Object({
  mean: Figure('Mean, rate, ratio or quantile, as the metric says; of logarithms with `log`.'),
  count: Type.Integer({ description: 'Values seen: runs with this metric.' }),
  units: Type.Integer({ description: 'Units with at least one value.' }),
  response_rate: Figure('Share of the exposed units with a value.'),
  interval: Bounds('Of the mean, fixed horizon.'),
  mean_interval_anytime: Bounds('Of the rate of a boolean metric; holds at all looks together.'),
  unbiased_mean: Figure(
    'Under adaptive allocation, Horvitz–Thompson: no bias, much noise. `mean` is Hájek’s there.',
  ),
  agreement: Nullable(
    Type.Object(
      {
        units: Type.Integer({ description: 'Of which both are known.' }),
        bias: Figure('Mean of prediction less truth.'),
        kappa: Figure('Cohen’s, of two metrics that say yes or no, with one run of each unit.'),
      },
      { description: 'Of the metric with `predicted_by`.' },
    ),
  ),
  difference: Figure('Against the first arm.'),
  standard_error: Figure('Of the difference; null while a normal approximation does not hold.'),
  difference_interval: Bounds('Fixed horizon: valid for one look planned beforehand.'),
  p: Figure('Fixed horizon, two-sided.'),
  interval_anytime: Bounds('Of the difference; holds at all looks together.'),
  p_anytime: Figure('Always valid; the least of all looks so far.'),
  pointed: Nullable(
    Type.Enum(['better', 'worse'], {
      description:
        'Where the difference pointed at the look of `p_anytime`: one that turned round since is shown neither way.',
    }),
  ),
  p_adjusted: Figure('p_anytime after Holm over primary metrics × arms; null unless primary.'),
  evidence: Figure(
    'e-value against no difference, at this look: on average at most 1 without one.',
  ),
  discovered: Nullable(
    Type.Boolean({
      description:
        'Whether e-BH over all other metrics × arms names it: of those named, a share of at most α is wrong in the mean. ' +
        'Null of primary metrics.',
    }),
  ),
  planned: Nullable(
    Type.Object(
      {
        z: Type.Number({ description: 'Difference in standard errors.' }),
        bound: Type.Number({ description: 'Of |z|, after Holm over primary metrics × arms.' }),
        interval: Bounds('Of the difference; holds at all planned looks together.'),
        crossed: Nullable(Type.Enum(['better', 'worse'])),
      },
      { description: 'As of the latest planned look; null unless primary, and before the first.' },
    ),
  ),
  method: Nullable(
    Type.Enum(['mixture', 'exact'], { description: 'Of the anytime figures; null when too few.' }),
  ),
  lift: Figure('Relative difference; the ratio of geometric means less 1 with `log`.'),
  lift_interval_anytime: Bounds('Of the lift.'),
  lift_believed: Nullable(
    Type.Object(
      {
        mean: Type.Number(),
        interval: Bounds('Of the posterior.'),
        chance_better: Type.Number(),
        risk_of_shipping: Type.Number({ description: 'Lift that is lost on average by shipping.' }),
        risk_of_keeping: Type.Number({
          description: 'Lift that is lost on average by not shipping.',
        }),
      },
      {
        description:
          'Bayesian, with a prior of lifts around 0 by 5 %, which draws large early ones in; for display only.',
      },
    ),
  ),
  chance_best: Figure('Bayesian probability that the arm is the best; for display only.'),
  expected_loss: Figure(
    'Bayesian: what this arm costs on average in place of the first, should it be the worse one; for display only.',
  ),
  response_p: Figure('Always-valid p that the response rate equals that of the first arm.'),
  guardrail: Nullable(
    Type.Object({
      margin: Type.Number(),
      relative: Type.Boolean(),
      p_anytime: Figure('Of being worse by the margin or more; null where exact bounds decide.'),
      passes: Type.Boolean({ description: 'Shown not to be worse by the margin.' }),
      breached: Type.Boolean({ description: 'Shown to be worse by the margin.' }),
    }),
  ),
  better: Nullable(
    Type.Boolean({ description: 'Whether the difference points the good way; null for none.' }),
  ),
})
export type MetricResult = Static<typeof MetricResult>

export const ArmResult = Type.Object({
  name: Type.String(),
  weight: Type.Number(),
  exposures: Type.Integer({ description: 'Units assigned and treated.' }),
  metrics: Type.Record(Type.String(), MetricResult),
})
export type ArmResult = Static<typeof ArmResult>

export const DuelResult = Type.Object({
  arm: Type.String(),
  against: Type.String({ description: 'An arm that stands earlier in the experiment.' }),
  prompts: Type.Integer({ description: 'Compared in both orders.' }),
  wins: Type.Integer({ description: 'Of `arm`, in both orders.' }),
  losses: Type.Integer(),
  first: Type.Integer({
    description: 'Whoever was shown first won both times: a judge that leans.',
  }),
  second: Type.Integer(),
  ties: Type.Integer(),
  failed: Type.Integer({ description: 'Without an answer or a verdict; not among the prompts.' }),
  skipped: Type.Integer({ description: 'For want of budget.' }),
  win_rate: Figure('Wins and half of what is undecided, of the prompts.'),
  interval: Bounds('Of the win rate, fixed horizon.'),
  interval_anytime: Bounds('Of the win rate; holds at all looks together.'),
  p: Figure('Sign test of the decided prompts, fixed horizon.'),
  p_anytime: Figure('Always valid; the least of all looks so far.'),
  pointed: Nullable(
    Type.Enum(['better', 'worse'], { description: 'How `arm` did at the look of `p_anytime`.' }),
  ),
  p_adjusted: Figure('p_anytime after Holm over the arms; null where it is not against the first.'),
  flip_rate: Figure('Share of prompts whose winner changed with the order.'),
  position_lean: Figure('Share won by the first slot both times less that by the second.'),
  length_controlled: Nullable(
    Type.Object({
      win_rate: Type.Number({ description: 'If both answers were equally long.' }),
      interval: Bounds('Of it, fixed horizon.'),
      length_effect: Type.Number({ description: 'Above 0 when the judge prefers long answers.' }),
    }),
  ),
  cost: Type.Object({
    arm: Type.Number({ description: 'Of one answer of the arm, in the mean.' }),
    against: Type.Number(),
    judge: Type.Number({ description: 'Of one comparison, in the mean.' }),
  }),
})
export type DuelResult = Static<typeof DuelResult>

export const Decision = Type.Object({
  status: Type.Enum(['undecided', 'decided']),
  action: Type.Enum(['continue', 'ship', 'keep'], {
    description: 'Go on, ship `arm`, or keep the control.',
  }),
  arm: Nullable(Type.String()),
  reason: Type.String(),
  at: Nullable(Type.String({ format: 'date-time' })),
  /** What the decision was made on, kept as it was. */
  evidence: Nullable(
    Type.Object({
      exposures: Type.Record(Type.String(), Type.Integer()),
      srm_p: Nullable(Type.Number()),
      metrics: Type.Record(Type.String(), MetricResult),
      duels: Type.Optional(Type.Array(DuelResult)),
    }),
  ),
})
export type Decision = Static<typeof Decision>

export const SampleRatio = Type.Object({
  p: Figure('Always valid; the least of all looks so far. Null under adaptive allocation.'),
  p_fixed: Figure('χ² test, for one look.'),
  mismatched: Type.Boolean({ description: 'p below 0.001: no decision is taken.' }),
})
export type SampleRatio = Static<typeof SampleRatio>

export const PlannedResults = Type.Object({
  number: Type.Integer(),
  units: Type.Integer({ description: 'At the last look.' }),
  spending: Type.Enum([...SPENDINGS]),
  taken: Type.Array(
    Type.Object({
      at: Type.String({ format: 'date-time' }),
      units: Type.Integer({ description: 'With a value of the first primary metric.' }),
      share: Type.Number({ description: 'Of the planned units; 1 at the last look.' }),
      spent: Type.Number({ description: 'Of α, by this look.' }),
      bound: Type.Number({ description: 'Of |z|, for the largest of all primary metrics × arms.' }),
    }),
  ),
  next: Nullable(Type.Integer({ description: 'Units at which the next look is due.' })),
})
export type PlannedResults = Static<typeof PlannedResults>

export const BestArm = Type.Object({
  arm: Type.String({ description: 'The one that leads.' }),
  evidence: Type.Number({ description: 'Likelihood ratio of its lead over the next best.' }),
  threshold: Type.Number({ description: 'At which it is the best with probability 1 − α.' }),
  found: Type.Boolean(),
})
export type BestArm = Static<typeof BestArm>

export const DuelResults = Type.Object({
  judge: Type.String(),
  pairs: Type.Array(DuelResult),
  strengths: Nullable(
    Type.Array(
      Type.Object({
        arm: Type.String(),
        strength: Type.Number({ description: 'Bradley–Terry; they sum to 1.' }),
        elo: Figure('Above the first arm.'),
        win_rate: Figure('Against the first arm, as the scale has it.'),
      }),
      { description: 'One scale for more than two arms.' },
    ),
  ),
  spent: Type.Number({ description: 'Money for answers nobody saw and for the judge.' }),
})
export type DuelResults = Static<typeof DuelResults>

export const ExperimentResults = Type.Object(
  {
    object: Type.Literal('experiment.results'),
    key: Type.String(),
    status: Type.Enum([...EXPERIMENT_STATUSES]),
    at: Type.String({ format: 'date-time' }),
    alpha: Type.Number(),
    tuned_for: Type.Integer(),
    arms: Type.Array(ArmResult),
    srm: SampleRatio,
    planned_looks: Nullable(PlannedResults),
    best_arm: Nullable({ ...BestArm, description: 'Under the allocation `track_and_stop`.' }),
    duels: Nullable(DuelResults),
    decision: Decision,
  },
  { $id: 'ExperimentResults' },
)
export type ExperimentResults = Static<typeof ExperimentResults>
