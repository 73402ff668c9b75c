/** One line of an export, by format: wire data, hence snake_case. Conversations have the form that trainers such as TRL load. */
import { Type, type Static, type TProperties, type TSchema } from 'typebox'
import { Assignment } from '../core/event.ts'
import { Candidate, RunState } from '../core/run-state.ts'
import { Message } from '../core/task.ts'

const Nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const Said = Type.Array(Message, { description: 'One message of the assistant.' })
const Margin = Nullable(
  Type.Number({
    minimum: 0,
    description:
      'How much better: the difference of scores by one scorer, or for a comparison the share of orders that agree less ' +
      'the share that do not. Null when nothing says.',
  }),
)

const Provenance = Type.Object({
  created_at: Type.String({ format: 'date-time' }),
  status: Type.String(),
  strategy: Type.String(),
  options: Type.Record(Type.String(), Type.Unknown()),
  model: Type.String(),
  seed: Type.Integer(),
  stop_reason: Nullable(Type.String()),
  assignment: Nullable(Assignment),
})

const COMMON = {
  cursor: Type.String({ description: 'For `after`, to go on behind this record.' }),
  run_id: Type.String(),
  prompt: Nullable(Type.Array(Message, { description: 'What was asked; null without prompts.' })),
  prompt_sha256: Type.String({
    description: 'Of the prompt as JSON: the same for the same prompt, with or without its text.',
  }),
  consent: Nullable(
    Type.Boolean({
      description: 'Whether its use for training was agreed to or refused; null when nobody said.',
    }),
  ),
  metrics: Type.Record(Type.String(), Type.Number(), {
    description:
      'Latest feedback by name, where true is 1, the mean over the latest of each actor; and what the run measured of itself.',
  }),
  provenance: Provenance,
}

const Critique = Type.Object({
  candidate: Type.Integer({ minimum: 0 }),
  text: Type.String(),
  step: Type.Optional(Type.Integer({ minimum: 1, description: 'The first wrong step, from 1.' })),
  verdict: Type.Optional(Type.Enum(['right', 'wrong'])),
})
export type Critique = Static<typeof Critique>

const Comparison = Type.Object({
  candidates: Type.Array(Type.Integer({ minimum: 0 }), { minItems: 2, maxItems: 2 }),
  winner: Nullable(Type.Integer({ minimum: 0 })),
  orders: Type.Array(Type.Object({ first: Type.Integer(), winner: Nullable(Type.Integer()) })),
})
export type Comparison = Static<typeof Comparison>

export const PREFERENCE_KINDS = ['revision', 'comparison', 'sibling', 'sibling_step'] as const

const record = <const Name extends string, Body extends TProperties>(
  format: Name,
  $id: string,
  body: Body,
) => Type.Object({ format: Type.Literal(format), ...COMMON, ...body }, { $id })

const RECORDS = {
  sft: record('sft', 'ExportSft', {
    completion: Said,
    score: Nullable(Type.Number({ description: 'Of the answer, by the scorer of the strategy.' })),
  }),
  preferences: record('preferences', 'ExportPreferences', {
    kind: Type.Enum([...PREFERENCE_KINDS], {
      description:
        '`revision`: the last answer against the first. `comparison`: winner against loser of a comparison. `sibling`: ' +
        'best against worst candidate of the same parents by one scorer; `sibling_step` where they are steps.',
    }),
    chosen: Said,
    rejected: Said,
    chosen_candidate: Type.Integer({ minimum: 0 }),
    rejected_candidate: Type.Integer({ minimum: 0 }),
    scorer: Nullable(Type.String()),
    margin: Margin,
  }),
  steps: record('steps', 'ExportSteps', {
    candidate: Type.Integer({ minimum: 0 }),
    completions: Type.Array(Type.String(), { description: 'The text, step by step.' }),
    scores: Nullable(
      Type.Array(Type.Number(), { description: 'Of each step; null when only a critic spoke.' }),
    ),
    labels: Type.Array(Nullable(Type.Boolean()), {
      description:
        'Right or wrong: as a critic located the first wrong step (null behind it), else score ≥ ½.',
    }),
    labelled_by: Type.String({ description: 'Name of the scorer, or `critique`.' }),
  }),
  revisions: record('revisions', 'ExportRevisions', {
    revisions: Type.Array(
      Type.Object({
        revision: Type.Integer({ minimum: 1 }),
        candidate: Type.Integer({ minimum: 0 }),
        text: Type.String(),
        reason: Type.String(),
        score: Nullable(Type.Number()),
        critiques: Type.Array(Type.String(), { description: 'Of this revision.' }),
      }),
    ),
  }),
  trees: record('trees', 'ExportTrees', {
    answer: Nullable(Type.Integer({ minimum: 0, description: 'Candidate that was answered.' })),
    candidates: Type.Array(Candidate),
    critiques: Type.Array(Critique),
    comparisons: Type.Array(Comparison),
  }),
  runs: record('runs', 'ExportRuns', {
    run: RunState,
    feedback: Type.Array(Type.Unknown(), { description: 'All feedback on the run, oldest first.' }),
  }),
}

export const ExportRecord = Type.Union(Object.values(RECORDS), { $id: 'ExportRecord' })
export type ExportRecord = Static<(typeof RECORDS)[keyof typeof RECORDS]>

type WithoutCommon<Each> = Each extends ExportRecord ? Omit<Each, keyof typeof COMMON> : never
/** A record without what all records of a run share. */
export type ExportBody = WithoutCommon<ExportRecord>
export type BodyOf<Name extends ExportRecord['format']> = Extract<ExportBody, { format: Name }>
/** What all records of a run share. */
export type CommonFields = Omit<Pick<ExportRecord, keyof typeof COMMON>, 'cursor'>
