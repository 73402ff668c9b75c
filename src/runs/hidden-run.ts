/** Runs for a comparison that nobody asked for: kept like others, but nobody's, so that no caller sees or counts them. */
import type { RunState } from '../core/run-state.ts'
import type { RunStore } from '../core/run-store.ts'
import type { Log } from '../core/strategy.ts'
import { createRunId } from './created-records.ts'
import { drive } from './drive.ts'
import { EventWriter } from './event-writer.ts'
import { LiveRun } from './live-run.ts'
import { createdBody, planRun, type Parts } from './plan.ts'
import type { RunRequest } from './run-request.ts'
import { Stop } from './stop.ts'

/** No key's hash, and not the '' of a server without keys. */
export const HIDDEN_OWNER = 'hidden'

export class HiddenRuns {
  readonly #parts: Parts
  readonly #store: RunStore
  readonly #log: Log
  readonly #writer: EventWriter

  constructor(parts: Parts, store: RunStore, log: Log) {
    this.#parts = parts
    this.#store = store
    this.#log = log
    this.#writer = new EventWriter(store, log)
  }

  /**
   * Runs the request to its end, or to the signal's abort; `begin` is awaited with the id before anything is spent.
   * @throws RefineError as `planRun`
   */
  async run(
    request: RunRequest & { readonly seed: number },
    begin: (id: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<RunState> {
    const plan = planRun(request, this.#parts)
    const live = new LiveRun(createRunId(), HIDDEN_OWNER, this.#writer, undefined)
    const created = live.open(createdBody(plan, request.seed))
    await this.#store.create({ state: live.state, owner: HIDDEN_OWNER, request }, created)
    await begin(live.id)
    const cancel = (): void => live.controller.abort(new Stop('cancelled'))
    if (signal.aborted) cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      await drive(plan, live, this.#parts, request.seed, this.#log)
    } finally {
      signal.removeEventListener('abort', cancel)
      await this.#writer.idle()
    }
    return live.state
  }
}
