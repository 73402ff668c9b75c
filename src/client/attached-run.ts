/**
 * A run that its reader waits for: it goes before those in the background, and does not outlive its reader by much. Where
 * the connection breaks it is taken up again; whoever leaves tells the server so.
 */
import type { CallOptions, Connection } from './connection.ts'
import { followRun, readEvents } from './event-stream.ts'
import type { RetryOptions } from './retry.ts'
import { connectionFailed } from './whetstone-error.ts'
import { isTerminal, type RunEvent, type RunRequest } from './wire.ts'

export interface StreamOptions extends CallOptions {
  /** What becomes of the run when the reader leaves before its end. Default: cancel. */
  readonly onLeave?: 'cancel' | 'continue'
}

/** How long the server keeps a run whose connection broke: longer than all tries to come back take together. */
const GRACE_SECONDS = 30

/** A run nobody waits for any more is told so, but not for longer than this. */
const FAREWELL_MS = 5000

/** The reply says where the run is, before anything has happened in it. */
const runIn = (response: Response): string | undefined =>
  response.headers.get('location')?.split('/').at(-1)

const cancelRun = async (connection: Connection, id: string): Promise<void> => {
  const signal = AbortSignal.timeout(FAREWELL_MS)
  const path = `/v1/runs/${encodeURIComponent(id)}/cancel`
  await connection.request(path, { method: 'POST', signal }).catch(() => undefined)
}

/** The promise's value, or the signal's reason as soon as it aborts. */
const orAbort = async <Value>(work: Promise<Value>, signal?: AbortSignal): Promise<Value> => {
  const done = new AbortController()
  const left = new Promise<never>((_, reject) => {
    const options = { once: true, signal: done.signal }
    signal?.addEventListener('abort', () => reject(signal.reason as Error), options)
  })
  try {
    return await Promise.race([work, left])
  } finally {
    done.abort()
  }
}

/** The events of the reply, and behind the last of them those of the run. */
async function* wholeLog(
  connection: Connection,
  response: Response,
  { signal }: CallOptions,
  retry: RetryOptions,
): AsyncGenerator<RunEvent, void, void> {
  let [id, after] = [runIn(response), 0]
  try {
    for await (const event of readEvents(response)) {
      signal?.throwIfAborted()
      ;[id, after] = [event.run_id, event.sequence]
      yield event
      if (isTerminal(event)) return
    }
  } catch (error) {
    signal?.throwIfAborted()
    if (id === undefined) throw error
  }
  if (id === undefined) throw connectionFailed('The stream ended before the run did.')
  yield* followRun(connection, id, { after, ...(signal !== undefined && { signal }) }, retry)
}

/**
 * Starts a run and gives its events to the last. Never sent twice.
 * @throws WhetstoneError when the server refuses, when the connection breaks before the run is known, or when `retry.attempts`
 * in a row bring nothing new; the signal's reason when it aborts.
 */
export async function* attachRun(
  connection: Connection,
  request: RunRequest,
  { signal, onLeave = 'cancel' }: StreamOptions,
  retry: RetryOptions,
): AsyncGenerator<RunEvent, void, void> {
  signal?.throwIfAborted()
  const isKept = onLeave === 'continue'
  const policy = isKept ? { on_disconnect: 'continue' } : { grace_seconds: GRACE_SECONDS }
  const reading = new AbortController()
  const leave = async (id: string | undefined): Promise<void> => {
    if (!isKept && id !== undefined) await cancelRun(connection, id)
    reading.abort()
  }
  const responding = connection.request('/v1/runs', {
    method: 'POST',
    headers: { accept: 'text/event-stream' },
    body: { ...policy, ...request, stream: true },
    signal: reading.signal, // not the caller's: the run may exist already, and without its id nobody could cancel it
  })
  const response = await orAbort(responding, signal).catch((error: unknown) => {
    responding.then((late) => leave(runIn(late))).catch(() => undefined)
    throw error
  })
  const stop = (): void => reading.abort()
  if (signal?.aborted === true) stop()
  signal?.addEventListener('abort', stop, { once: true, signal: reading.signal })
  let [id, isOver] = [runIn(response), false]
  try {
    for await (const event of wholeLog(connection, response, signal ? { signal } : {}, retry)) {
      ;[id, isOver] = [event.run_id, isTerminal(event)]
      yield event
    }
  } finally {
    await leave(isOver ? undefined : id)
  }
}
