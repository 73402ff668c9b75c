/**
 * What happens in a run, as it is stored, streamed and folded. Events are wire data, hence snake_case. A strategy
 * yields bodies; the runner alone adds the envelope and the one terminal event.
 */
import { Type, type Static, type TSchema } from 'typebox'
import { Answer, Aspects, TokenLogprob, ToolCalls } from './answer-record.ts'
import { Mark } from './behaviours.ts'
import { Budget } from './budget.ts'
import { Steering } from './steering.ts'
import { MEASURES } from './measures-schema.ts'
import { ROLES, Sampling } from './task.ts'
import { describeWarnings } from './warnings.ts'

export { Answer, Aspects, TokenLogprob, ToolCalls }
export { Measures } from './measures-schema.ts'

const Nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const CandidateNumber = Type.Integer({
  minimum: 0,
  description: 'Counted from 0 in order of creation.',
})
const Count = Type.Integer({ minimum: 0 })

export const StopString = Type.Optional(
  Type.String({ description: 'Which stop string ended the text, where the model says so.' }),
)

export const CANDIDATE_ROLES = ['draft', 'revision', 'step', 'aggregate'] as const
export type CandidateRole = (typeof CANDIDATE_ROLES)[number]

export const STOP_REASONS = [
  'finished',
  'threshold',
  'agreement',
  'no_improvement',
  'budget',
  'deadline',
  'declined',
  'cancelled',
] as const
export type StopReason = (typeof STOP_REASONS)[number]

export const FINISH_REASONS = ['stop', 'length', 'content_filter', 'tool_calls', 'other'] as const
export type FinishReason = (typeof FINISH_REASONS)[number]

export const RunError = Type.Object(
  { code: Type.String(), message: Type.String() },
  { $id: 'RunError' },
)

export const Assignment = Type.Object(
  {
    experiment: Type.String(),
    arm: Type.String(),
    reason: Type.String(),
    propensity: Type.Number(),
  },
  { $id: 'Assignment' },
)
export type Assignment = Static<typeof Assignment>

const RoleUsage = Type.Object({ calls: Count, input_tokens: Count, output_tokens: Count })

export const Usage = Type.Object(
  {
    calls: Count,
    input_tokens: Count,
    output_tokens: Count,
    cached_tokens: Count,
    seconds: Type.Number(),
    cost: Type.Number(),
    by_role: Type.Record(Type.Enum([...ROLES]), Type.Optional(RoleUsage)),
  },
  { $id: 'Usage' },
)
export type Usage = Static<typeof Usage>

const PerUnit = <Schema extends TSchema>(value: Schema) =>
  Type.Object({ calls: value, tokens: value, seconds: value, cost: value })

const body = <Name extends string, Properties extends Record<string, TSchema>>(
  type: Name,
  properties: Properties,
) => Type.Object({ type: Type.Literal(type), ...properties })

const ending = { answer: Nullable(Answer), usage: Usage }

/** Absent in runs of earlier versions. */
export const PromptsUsed = Type.Record(
  Type.Enum([...ROLES]),
  Type.Optional(Type.Object({ set: Type.String(), hash: Type.String() })),
  { description: 'Prompt set of each role, and the SHA-256 of all its wordings.' },
)

/** Bodies that a strategy may yield. */
export const STRATEGY_EVENTS = [
  body('candidate.created', {
    candidate: CandidateNumber,
    parents: Type.Array(CandidateNumber),
    round: Count,
    model: Type.String(),
    role: Type.Enum([...CANDIDATE_ROLES]),
  }),
  body('candidate.delta', {
    candidate: CandidateNumber,
    text: Type.String(),
    logprobs: Type.Optional(
      Type.Array(TokenLogprob, { description: 'Where `top_logprobs` asks for them.' }),
    ),
  }),
  body('candidate.completed', {
    candidate: CandidateNumber,
    finish_reason: Type.Enum([...FINISH_REASONS]),
    stop_string: StopString,
    usage: Type.Object({ output_tokens: Count }),
    tool_calls: ToolCalls,
  }),
  body('candidate.failed', { candidate: CandidateNumber, error: RunError }),
  body('candidate.dropped', { candidate: CandidateNumber, reason: Type.String() }),
  body('candidate.scored', {
    candidate: CandidateNumber,
    scorer: Type.String(),
    score: Nullable(Type.Number()),
    range: Type.Array(Type.Number(), { minItems: 2, maxItems: 2 }),
    steps: Type.Optional(Type.Array(Type.Number())),
    aspects: Type.Optional(Aspects),
  }),
  body('critique.delta', {
    candidate: CandidateNumber,
    text: Type.String({ description: 'As the reviewer writes it, with its thinking.' }),
  }),
  body('critique.completed', {
    candidate: CandidateNumber,
    text: Type.String({
      description: 'The whole critique, without `<think>…</think>`: it replaces the deltas.',
    }),
    step: Type.Optional(Type.Integer({ minimum: 1, description: 'The first wrong step, from 1.' })),
    verdict: Type.Optional(Type.Enum(['right', 'wrong'])),
  }),
  body('comparison.completed', {
    candidates: Type.Array(CandidateNumber, { minItems: 2, maxItems: 2 }),
    winner: Nullable(CandidateNumber),
    orders: Type.Array(Type.Object({ first: CandidateNumber, winner: Nullable(CandidateNumber) }), {
      description: 'Empty where both look the same to the judge, who was not asked.',
    }),
  }),
  body('vote.updated', {
    answers: Type.Array(
      Type.Object({
        answer: Type.String(),
        weight: Type.Number(),
        candidates: Type.Array(CandidateNumber),
      }),
    ),
    effective_answers: Type.Number({ description: 'exp of the entropy of the weights.' }),
  }),
  body('workspace.completed', {
    candidates: Type.Array(CandidateNumber, { description: 'What it was distilled from.' }),
    text: Type.String({ description: 'What those who write the next round are shown instead.' }),
  }),
  body('gate.decided', {
    gate: Type.String(),
    outcome: Type.String(),
    values: Type.Record(Type.String(), Nullable(Type.Number())),
  }),
  body('answer.revised', {
    revision: Type.Integer({ minimum: 1 }),
    candidate: CandidateNumber,
    text: Type.String({ description: 'The whole answer: it replaces the one before.' }),
    tool_calls: ToolCalls,
    reason: Type.String(),
    score: Nullable(Type.Number()),
  }),
  body('warning', {
    code: Type.String({ description: describeWarnings() }),
    message: Type.String(),
  }),
] as const

/** Bodies that only the runner adds. */
export const RUNNER_EVENTS = [
  body('run.created', {
    strategy: Type.String(),
    options: Type.Record(Type.String(), Type.Unknown()),
    model: Type.String(),
    models: Type.Record(Type.Enum([...ROLES]), Type.Optional(Type.String())),
    budget: Budget,
    sampling: Type.Optional(Sampling),
    seed: Count,
    prompts: Type.Optional(PromptsUsed),
    assignment: Nullable(Assignment),
    metadata: Type.Record(Type.String(), Type.Unknown()),
  }),
  body('run.steered', { steering: Steering }),
  body('behaviours.observed', {
    candidate: CandidateNumber,
    marks: Type.Array(Mark, { description: 'In the order of the text; the first 64 of them.' }),
  }),
  body('budget.updated', {
    spent: PerUnit(Type.Number()),
    left: PerUnit(Nullable(Type.Number())),
  }),
  body('measures.reported', MEASURES),
  body('run.completed', { ...ending, stop_reason: Type.Enum([...STOP_REASONS]) }),
  body('run.failed', { ...ending, error: RunError }),
  body('run.cancelled', { ...ending, stop_reason: Type.Literal('cancelled') }),
] as const

export type StrategyEvent = Static<(typeof STRATEGY_EVENTS)[number]>
/** Text as it is written: most of all events. */
export type DeltaEvent = Extract<StrategyEvent, { type: 'candidate.delta' | 'critique.delta' }>
export type RunnerEvent = Static<(typeof RUNNER_EVENTS)[number]>

/** Who, when, which: `sequence` starts at 1 and has no gaps; `at` is ISO 8601 with milliseconds. */
export interface Envelope {
  readonly run_id: string
  readonly sequence: number
  readonly at: string
}

export type RunEvent = Envelope & (StrategyEvent | RunnerEvent)

const ENVELOPE = {
  run_id: Type.String(),
  sequence: Type.Integer({ minimum: 1 }),
  at: Type.String({ format: 'date-time' }),
}

const componentName = (type: string): string =>
  type
    .split('.')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('') + 'Event'

/** Schemas of the events as they are sent, one named component each, for OpenAPI and AsyncAPI. */
export const EVENT_SCHEMAS: readonly TSchema[] = [...RUNNER_EVENTS, ...STRATEGY_EVENTS].map(
  (event) =>
    Type.Object(
      { ...ENVELOPE, ...event.properties },
      { $id: componentName(event.properties.type.const) },
    ),
)

export const isTerminal = (
  event: RunEvent,
): event is Extract<RunEvent, { type: 'run.completed' | 'run.failed' | 'run.cancelled' }> =>
  event.type === 'run.completed' || event.type === 'run.failed' || event.type === 'run.cancelled'
