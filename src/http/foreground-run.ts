/** Runs whose caller waits for them: when the caller leaves, the work ends. */
import type { FastifyRequest } from 'fastify'
import { CATALOG, RefineError, type ErrorCode } from '../core/errors.ts'
import type { Usage } from '../core/event.ts'
import type { RunRequest } from '../runs/run-request.ts'
import type { RunService } from '../runs/run-service.ts'

/**
 * Starts a run that is cancelled as soon as the signal aborts, also when that happens while it is being created.
 * @throws RefineError as `RunService.create`.
 */
export const startForegroundRun = async (
  runs: RunService,
  body: RunRequest,
  request: FastifyRequest,
  gone: AbortSignal,
): Promise<string> => {
  const id = await runs.create(body, request.owner)
  request.runId = id
  const cancel = (): void => {
    runs.cancel(id, request.owner).catch((error: unknown) => {
      request.log.error(
        { err: error, run_id: id },
        'a run whose client left could not be cancelled',
      )
    })
  }
  if (gone.aborted) cancel()
  else gone.addEventListener('abort', cancel, { once: true })
  return id
}

interface Failure {
  readonly code: string
  readonly message: string
}

/** The error of a run that failed, as the error of the request that waited for it. */
export const errorOfRun = ({ code, message }: Failure): RefineError =>
  new RefineError(Object.hasOwn(CATALOG, code) ? (code as ErrorCode) : 'internal', message)

/** OpenAI's clients repeat a request on any 5xx unless told otherwise; a run that has spent tokens must not be repeated. */
export const retryHeader = (usage: Usage): Record<string, string> =>
  usage.calls > 0 || usage.input_tokens + usage.output_tokens > 0
    ? { 'x-should-retry': 'false' }
    : {}

/** Ends the run if it still goes on and removes all that was kept of it. @throws RefineError run_not_found */
export const forgetRun = async (runs: RunService, id: string, owner: string): Promise<void> => {
  await runs.cancel(id, owner)
  await runs.remove(id, owner)
}
