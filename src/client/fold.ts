/** The run that events add up to, the same fold the server uses. */
import { reduceRun } from '../core/run-state.ts'
import type { RunEvent, RunState } from './wire.ts'

export { foldRun, reduceRun } from '../core/run-state.ts'

/**
 * Reads a stream of one run from its first event to the end.
 * @returns the run; it is shown to `onEvent` after each event, the same object each time.
 * @throws TypeError when the first event is not `run.created`, or there is none.
 */
export const collectRun = async (
  events: AsyncIterable<RunEvent>,
  onEvent: (run: RunState, event: RunEvent) => void = () => undefined,
): Promise<RunState> => {
  let run: RunState | undefined
  for await (const event of events) {
    run = reduceRun(run, event)
    onEvent(run, event)
  }
  if (run === undefined) throw new TypeError('The stream held no event.')
  return run
}
