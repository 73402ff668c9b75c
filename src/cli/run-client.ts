/** Runs as the commands see them, in this process or on a server. */
import type { RunEvent } from '../core/event.ts'
import type { RunRequest } from '../runs/run-request.ts'
import type { ModelDescription, RunService, StrategyDescription } from '../runs/run-service.ts'

export interface RunClient {
  /**
   * Starts a run and follows its events to the end. Ends early, without throwing, when the signal aborts; the run is
   * then cancelled.
   * @throws RefineError as `RunService.create`, or upstream_unavailable when the server cannot be reached.
   */
  start(request: RunRequest, signal: AbortSignal): AsyncGenerator<RunEvent, void, void>
  /** Asks the run to end with its best answer; its events then end by themselves. */
  cancel(id: string): Promise<void>
  strategies(): Promise<readonly StrategyDescription[]>
  models(): Promise<readonly ModelDescription[]>
}

/** Owner of the runs of a command line, which has no keys. */
const OWNER = ''

/** The service of this process; whoever made it closes it. */
export const localRuns = (service: RunService): RunClient => ({
  async *start(request, signal) {
    const id = await service.create(request, OWNER)
    try {
      yield* service.events(id, OWNER, 0, signal)
    } finally {
      if (signal.aborted) await service.cancel(id, OWNER)
    }
  },
  cancel: async (id) => {
    await service.cancel(id, OWNER)
  },
  strategies: () => Promise.resolve(service.strategies()),
  models: () => Promise.resolve(service.models()),
})
