import type { RunStore } from '../core/run-store.ts'
import type { Log } from '../core/strategy.ts'
import type { Experiments } from '../experiments/experiments.ts'
import type { Parts } from './plan.ts'
import type { Quotas } from './quotas.ts'
import type { MissingRun } from './run-reader.ts'
import type { WebhookDispatcher } from './webhook-dispatcher.ts'

export interface RunnerOptions {
  readonly parts: Parts
  readonly store: RunStore
  readonly log: Log
  readonly limits: { readonly running: number; readonly waiting: number }
  /** Without it nobody is limited. */
  readonly quotas?: Quotas
  /** Without it requests for webhooks are refused. */
  readonly webhooks?: WebhookDispatcher
  /** Without them a request that names one is refused. */
  readonly experiments?: Experiments
  /** The error for a run that is not there; without it always run_not_found. */
  readonly missing?: MissingRun
  /** Whether the owner may choose the arm of an experiment. */
  readonly mayForce?: (owner: string) => boolean
}
