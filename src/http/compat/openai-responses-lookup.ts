/** Responses that there are already, found by their ids. */
import { contentText } from '../../core/conversation.ts'
import { toRefineError } from '../../core/errors.ts'
import type { RunState } from '../../core/run-state.ts'
import type { RunService } from '../../runs/run-service.ts'
import type { ResponseOptions } from './openai-responses-events.ts'
import type { Lookup } from './openai-responses-input.ts'
import { echoOf, responseNotFound, runIdOf } from './openai-responses-request.ts'
import { directStrategies } from './run-account.ts'

/** Of a response that was made earlier: they are the first message of its run. */
export const instructionsOf = async (
  { runs, owner }: Lookup,
  { id, metadata }: RunState,
): Promise<string | null> =>
  echoOf(metadata).instructed === true
    ? ((await runs.request(id, owner)).messages?.slice(0, 1).map(contentText)[0] ?? null)
    : null

export const optionsFor = (runs: RunService, instructions: string | null): ResponseOptions => ({
  direct: directStrategies(runs),
  instructions,
})

/** The run behind an id, or the error that there is no such response. */
export const findResponse = async ({ runs, owner }: Lookup, id: string): Promise<RunState> => {
  const runId = runIdOf(id)
  try {
    return await runs.get(runId, owner)
  } catch (error) {
    if (toRefineError(error).code === 'run_not_found') throw responseNotFound(id)
    throw error
  }
}
