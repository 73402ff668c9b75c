/** The fold: a run as JSON is what its events add up to. Wire data (`architecture.md` 5.1), hence snake_case. */
import { Type, type Static } from 'typebox'
import {
  Answer,
  Assignment,
  Measures,
  PromptsUsed,
  RunError,
  STOP_REASONS,
  Usage,
  type RunEvent,
} from './event.ts'
import { Candidate, Revision } from './candidate.ts'
import { assertNever } from './errors.ts'
import { Steering } from './steering.ts'

export { Candidate, Revision }

export const RUN_STATUSES = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const
export type RunStatus = (typeof RUN_STATUSES)[number]

const NullableText = Type.Union([Type.String(), Type.Null()])

export const RunState = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('run'),
    status: Type.Enum([...RUN_STATUSES]),
    strategy: Type.String(),
    options: Type.Record(Type.String(), Type.Unknown()),
    model: Type.String(),
    seed: Type.Integer(),
    prompts: Type.Optional(PromptsUsed),
    created_at: Type.String({ format: 'date-time' }),
    ended_at: NullableText,
    answer: Type.Union([Answer, Type.Null()]),
    stop_reason: Type.Union([Type.Enum([...STOP_REASONS]), Type.Null()]),
    error: Type.Union([RunError, Type.Null()]),
    revisions: Type.Array(Revision),
    candidates: Type.Array(Candidate),
    steering: Type.Array(Steering, { description: 'What was asked of the run, oldest first.' }),
    usage: Usage,
    measures: Type.Union([Measures, Type.Null()]),
    assignment: Type.Union([Assignment, Type.Null()]),
    last_sequence: Type.Integer({ minimum: 0 }),
    metadata: Type.Record(Type.String(), Type.Unknown()),
  },
  { $id: 'Run' },
)
export type RunState = Static<typeof RunState>

export const emptyUsage = (): Usage => ({
  calls: 0,
  input_tokens: 0,
  output_tokens: 0,
  cached_tokens: 0,
  seconds: 0,
  cost: 0,
  by_role: {},
})

/** A run is queued from `run.created` on, and running from the next event on that is its own. */
const start = (created: EventOf<'run.created'>): RunState => ({
  id: created.run_id,
  object: 'run',
  status: 'queued',
  strategy: created.strategy,
  options: created.options,
  model: created.model,
  seed: created.seed,
  ...(created.prompts === undefined ? {} : { prompts: created.prompts }),
  created_at: created.at,
  ended_at: null,
  answer: null,
  stop_reason: null,
  error: null,
  revisions: [],
  candidates: [],
  steering: [],
  usage: emptyUsage(),
  measures: null,
  assignment: created.assignment,
  last_sequence: 0,
  metadata: created.metadata,
})

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>

const candidateOf = (state: RunState, event: { readonly candidate: number }): Candidate => {
  const candidate = state.candidates[event.candidate]
  if (candidate === undefined)
    throw new RangeError(`Candidate ${event.candidate} was never created.`)
  return candidate
}

const create = (state: RunState, event: EventOf<'candidate.created'>): void => {
  state.candidates[event.candidate] = {
    candidate: event.candidate,
    parents: event.parents,
    round: event.round,
    role: event.role,
    model: event.model,
    text: '',
    finish_reason: null,
    scores: [],
    critiques: [],
  }
}

const score = (state: RunState, event: EventOf<'candidate.scored'>): void => {
  const { scorer, score, steps, aspects } = event
  candidateOf(state, event).scores.push({
    scorer,
    score,
    ...(steps !== undefined && { steps }),
    ...(aspects !== undefined && { aspects }),
  })
}

const callsOf = ({ tool_calls }: Pick<Answer, 'tool_calls'>): Pick<Answer, 'tool_calls'> =>
  tool_calls === undefined ? {} : { tool_calls }

const extend = (state: RunState, event: EventOf<'candidate.delta'>): void => {
  const candidate = candidateOf(state, event)
  candidate.text += event.text
  if (event.logprobs !== undefined) (candidate.logprobs ??= []).push(...event.logprobs)
}

const complete = (state: RunState, event: EventOf<'candidate.completed'>): void => {
  const { finish_reason, stop_string } = event
  Object.assign(candidateOf(state, event), callsOf(event), {
    finish_reason,
    ...(stop_string !== undefined && { stop_string }),
  })
}

const revise = (state: RunState, event: EventOf<'answer.revised'>): void => {
  const { revision, candidate, text, reason, score } = event
  const calls = callsOf(event)
  state.revisions.push({ revision, candidate, text, ...calls, reason, score })
  state.answer = { text, ...calls, candidate, revision, score }
}

/** Tokens by direction and role are told at the end; while the run goes on, the units of the budget are. */
const spend = (state: RunState, { spent }: EventOf<'budget.updated'>): void => {
  state.usage = { ...state.usage, calls: spent.calls, seconds: spent.seconds, cost: spent.cost }
}

/** All but the envelope: a measure that is added reaches the run by itself. */
const measure = (state: RunState, event: EventOf<'measures.reported'>): void => {
  const { run_id: _run, sequence: _sequence, at: _at, type: _type, ...measures } = event
  state.measures = measures
}

type TerminalEvent = EventOf<'run.completed'> | EventOf<'run.failed'> | EventOf<'run.cancelled'>

const end = (state: RunState, event: TerminalEvent): void => {
  state.status =
    event.type === 'run.completed'
      ? 'completed'
      : event.type === 'run.failed'
        ? 'failed'
        : 'cancelled'
  state.ended_at = event.at
  state.answer = event.answer
  state.usage = event.usage
  state.stop_reason = event.type === 'run.failed' ? null : event.stop_reason
  state.error = event.type === 'run.failed' ? event.error : null
}

type OwnEvent = Exclude<RunEvent, EventOf<'run.created'> | EventOf<'run.steered'>>

const END_OF = { 'candidate.failed': 'failed', 'candidate.dropped': 'dropped' } as const

const apply = (state: RunState, event: OwnEvent): void => {
  switch (event.type) {
    case 'candidate.created':
      return create(state, event)
    case 'candidate.delta':
      return extend(state, event)
    case 'candidate.completed':
      return complete(state, event)
    case 'candidate.failed':
    case 'candidate.dropped':
      candidateOf(state, event).finish_reason = END_OF[event.type]
      return
    case 'candidate.scored':
      return score(state, event)
    case 'critique.completed':
      candidateOf(state, event).critiques.push(event.text)
      return
    case 'answer.revised':
      return revise(state, event)
    case 'run.completed':
    case 'run.failed':
    case 'run.cancelled':
      return end(state, event)
    case 'budget.updated':
      return spend(state, event)
    case 'measures.reported':
      return measure(state, event)
    case 'critique.delta':
    case 'comparison.completed':
    case 'vote.updated':
    case 'workspace.completed':
    case 'behaviours.observed':
    case 'gate.decided':
    case 'warning':
      return
    default:
      assertNever(event)
  }
}

/**
 * Adds one event to the state. The state is changed in place (a long run has thousands of deltas) and returned;
 * `run.created` starts a new one.
 */
export const reduceRun = (state: RunState | undefined, event: RunEvent): RunState => {
  const next = event.type === 'run.created' ? start(event) : state
  if (next === undefined) throw new TypeError(`A run starts with run.created, not ${event.type}.`)
  next.last_sequence = event.sequence
  if (event.type === 'run.created') return next
  if (event.type === 'run.steered') {
    next.steering.push(event.steering)
    return next
  }
  next.status = 'running'
  apply(next, event)
  return next
}

/** The whole log as one state. */
export const foldRun = (events: Iterable<RunEvent>): RunState | undefined => {
  let state: RunState | undefined
  for (const event of events) state = reduceRun(state, event)
  return state
}
