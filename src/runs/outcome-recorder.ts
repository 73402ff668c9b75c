/** Tells experiments what became of runs. A store that fails must not stop the runs: the failure is logged. */
import type { RunStore } from '../core/run-store.ts'
import type { RunState } from '../core/run-state.ts'
import type { Outcome } from '../core/experiment-store.ts'
import type { Log } from '../core/strategy.ts'
import type { Experiments } from '../experiments/experiments.ts'
import type { Plan } from './plan.ts'
import { storedEvents } from './recovery.ts'
import type { FeedbackInput } from './run-service.ts'

export class OutcomeRecorder {
  readonly #experiments: Experiments | undefined
  readonly #store: RunStore
  readonly #log: Log

  constructor(experiments: Experiments | undefined, store: RunStore, log: Log) {
    this.#experiments = experiments
    this.#store = store
    this.#log = log
  }

  /** The strategy is about to start. Never rejects. */
  async exposed(runId: string, { assigned, metadata }: Plan): Promise<void> {
    if (assigned === undefined) return
    await this.#logged(runId, this.#experiments?.exposed(runId, assigned, metadata))
  }

  /** The run has ended. Never rejects. */
  settled(state: RunState, firstRevisionAt: string | undefined): Promise<void> {
    return this.#logged(state.id, this.#experiments?.settled(state, firstRevisionAt))
  }

  /** What somebody says of a run, for `record`. @throws RefineError invalid_request naming the field */
  async reported(runId: string, { metric, value }: FeedbackInput): Promise<Outcome | undefined> {
    return this.#experiments?.reported(runId, metric, value)
  }

  /** Resolves when the outcome is durable. */
  async record(outcome: Outcome | undefined): Promise<void> {
    if (outcome !== undefined) await this.#experiments?.record(outcome)
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
    for await (const event of storedEvents(this.#store, id, 0)) {
      if (event.type === 'answer.revised') return event.at
    }
    return undefined
  }

  async #logged(runId: string, work: Promise<void> | undefined): Promise<void> {
    try {
      await work
    } catch (cause) {
      this.#log.error({ err: cause, run_id: runId }, 'an outcome could not be stored')
    }
  }
}
