/** Tells experiments what became of runs. A store that fails must not stop the runs: it is waited for, and a refusal is logged. */
import type { RefineError } from '../core/errors.ts'
import type { RunStore } from '../core/run-store.ts'
import type { RunState } from '../core/run-state.ts'
import type { Outcome } from '../core/experiment-store.ts'
import type { Log } from '../core/strategy.ts'
import type { Experiments } from '../experiments/experiments.ts'
import { HeldOutcomes } from './held-outcomes.ts'
import type { Plan } from './plan.ts'
import { storedPages } from './recovery.ts'
import type { FeedbackRow } from './run-service.ts'

export class OutcomeRecorder {
  readonly #experiments: Experiments | undefined
  readonly #store: RunStore
  readonly #held: HeldOutcomes
  /** Runs whose exposure is being stored: what is measured of them comes behind. */
  readonly #exposing = new Map<string, Promise<void>>()

  constructor(experiments: Experiments | undefined, store: RunStore, log: Log) {
    this.#experiments = experiments
    this.#store = store
    this.#held = new HeldOutcomes(log)
  }

  /** The strategy is about to start: resolves when that is durable, or the store stays away. Never rejects. */
  async exposed(
    runId: string,
    { assigned, metadata }: Pick<Plan, 'assigned' | 'metadata'>,
  ): Promise<void> {
    const experiments = this.#experiments
    if (assigned === undefined || experiments === undefined) return
    const run = { runId, assigned, metadata, at: new Date().toISOString() }
    const told = this.#held.tell(runId, () => experiments.exposed(run))
    this.#exposing.set(runId, told)
    await told
    this.#exposing.delete(runId)
  }

  /** The run has ended: resolves when that is durable, or the store stays away. Never rejects. */
  async settled(state: RunState, firstRevisionAt: string | undefined): Promise<void> {
    const experiments = this.#experiments
    if (experiments === undefined) return
    await this.#exposing.get(state.id)
    await this.#held.tell(state.id, () => experiments.settled(state, firstRevisionAt))
  }

  /** What waits for the store even now is lost; what ran to its end is recorded at the next start. */
  close(): void {
    this.#held.close()
  }

  /** What somebody says of runs, for `record`, in the same order; an error for what is at fault. */
  async reported(rows: readonly FeedbackRow[]): Promise<(Outcome[] | RefineError)[]> {
    const reports = rows.map(({ run_id: runId, ...row }) => ({ runId, ...row }))
    return (await this.#experiments?.reported(reports)) ?? rows.map(() => [])
  }

  /** Which of the ids are of exposures. */
  async known(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return (await this.#experiments?.known(ids)) ?? new Set()
  }

  /** Resolves when all outcomes are durable. */
  async record(outcomes: readonly Outcome[]): Promise<void> {
    if (outcomes.length > 0) await this.#experiments?.record(outcomes)
  }

  /** Settles the runs that an earlier process exposed; all of them have ended by now. */
  async recover(): Promise<void> {
    for (const id of (await this.#experiments?.unsettled()) ?? []) {
      const record = await this.#store.read(id)
      if (record === undefined) await this.#experiments!.forget(id)
      else await this.settled(record.state, await this.#firstRevisionAt(id))
    }
  }

  async #firstRevisionAt(id: string): Promise<string | undefined> {
    for await (const page of storedPages(this.#store, id, 0)) {
      const first = page.find(({ type }) => type === 'answer.revised')
      if (first !== undefined) return first.at
    }
    return undefined
  }
}
