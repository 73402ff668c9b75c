/**
 * What goes over the wire, taken from the schemas the server checks by, as types only: nothing of the server is loaded, and
 * there is no second description that could fall behind the first.
 */
import type { RunEvent } from '../core/event.ts'
import type { FeedbackRecord } from '../core/run-store.ts'
import type { RunState, RunStatus } from '../core/run-state.ts'
import type { Role } from '../core/task.ts'
import type { RunRequest as RunBody } from '../runs/run-request.ts'
import type {
  FeedbackInput,
  ModelDescription,
  StrategyDescription,
  TotalCost,
} from '../runs/run-service.ts'

export type { Answer, Assignment, StopReason, Usage } from '../core/event.ts'
export type { Budget } from '../core/budget.ts'
export type { Message, Role, Sampling } from '../core/task.ts'
export type { Steering } from '../core/steering.ts'
export type { Candidate, Revision } from '../core/run-state.ts'
export type { FeedbackInput, RunEvent, RunState, RunStatus, StrategyDescription, TotalCost }
export type Feedback = FeedbackRecord

/** Body of a new run; how its events come back is the method's choice, not a field's. */
export type RunRequest = Omit<RunBody, 'stream' | 'background'>

export interface ModelEntry extends Omit<ModelDescription, 'adapter'> {
  readonly object: 'model'
  /** Unix time in seconds. */
  readonly created: number
  /** The adapter that serves it. */
  readonly owned_by: string
  readonly model: string
  /** Set on the entries that are a model with a strategy. */
  readonly strategy: string | null
}

export interface Estimate {
  readonly worst_case: TotalCost
  /** Mean of earlier runs of the same kind; null while there are none. */
  readonly expected: TotalCost | null
  readonly by_role: readonly (Omit<TotalCost, 'cost'> & { readonly role: Role })[]
}

export interface List<Entry> {
  readonly object: 'list'
  readonly data: readonly Entry[]
  readonly first_id: string | null
  readonly last_id: string | null
  readonly has_more: boolean
}

/** RFC 9457 problem details with OpenAI's `error` member, as far as a client relies on them. */
export interface Problem {
  readonly title?: string
  readonly status?: number
  readonly detail?: string
  readonly request_id?: string
  readonly run_id?: string
  readonly errors?: readonly FieldProblem[]
  readonly error?: ErrorMember
}

export interface FieldProblem {
  /** JSON pointer into the request body. */
  readonly pointer: string
  readonly message: string
}

export interface ErrorMember {
  readonly message?: string
  readonly type?: string
  readonly param?: string | null
  readonly code?: string
  /** On a socket the fields at fault stand here. */
  readonly errors?: readonly FieldProblem[]
}

export type TerminalEvent = Extract<
  RunEvent,
  { type: 'run.completed' | 'run.failed' | 'run.cancelled' }
>

const TERMINAL: Readonly<Record<TerminalEvent['type'], true>> = {
  'run.completed': true,
  'run.failed': true,
  'run.cancelled': true,
}

/** Whether the event is the last of its run. */
export const isTerminal = (event: RunEvent): event is TerminalEvent =>
  Object.hasOwn(TERMINAL, event.type)
