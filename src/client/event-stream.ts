/** Server-sent events of a run, over fetch: taken up again behind the last event seen wherever the connection breaks. */
import { createParser } from 'eventsource-parser'
import type { CallOptions, Connection } from './connection.ts'
import { Backoff, type RetryOptions } from './retry.ts'
import { connectionFailed, WhetstoneError } from './whetstone-error.ts'
import { isTerminal, type RunEvent } from './wire.ts'

export interface FollowOptions extends CallOptions {
  /** Sequence to go on behind. Default: 0, the whole log. */
  readonly after?: number
}

/** The server says something every 15 s; a connection silent for three times as long is taken for dead. */
const SILENCE_MS = 45_000

/** Characters of one event at most; a whole answer is one. */
const MAX_EVENT_LENGTH = 16 * 1024 * 1024

type Reader = ReadableStreamDefaultReader<Uint8Array>

const readChunk = async (reader: Reader): Promise<Uint8Array | undefined> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(connectionFailed('The server fell silent.')), SILENCE_MS)
  })
  try {
    return (await Promise.race([reader.read(), silence])).value
  } catch (thrown) {
    if (thrown instanceof WhetstoneError) throw thrown
    throw connectionFailed('The connection broke.', thrown)
  } finally {
    clearTimeout(timer)
  }
}

/** The events of one reply; holds those of one chunk at most. Leaving it ends the connection. */
export async function* readEvents(response: Response): AsyncGenerator<RunEvent, void, void> {
  if (response.body === null) return
  const ready: RunEvent[] = []
  const parser = createParser({
    maxBufferSize: MAX_EVENT_LENGTH,
    onEvent: ({ data }) => void ready.push(JSON.parse(data) as RunEvent),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw error
    },
  })
  const decoder = new TextDecoder()
  // Not `for await`: not every browser can iterate over a stream.
  const reader = response.body.getReader() as Reader
  try {
    for (;;) {
      const chunk = await readChunk(reader)
      if (chunk === undefined) return
      parser.feed(decoder.decode(chunk, { stream: true }))
      yield* ready.splice(0)
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/**
 * The events of a run above `after`, each once and in order, to the last.
 * @throws WhetstoneError when the server refuses, or when `retry.attempts` in a row bring nothing new; the signal's
 * reason when it aborts.
 */
export async function* followRun(
  connection: Connection,
  runId: string,
  { after = 0, signal }: FollowOptions,
  retry: RetryOptions,
): AsyncGenerator<RunEvent, void, void> {
  const path = `/v1/runs/${encodeURIComponent(runId)}/events`
  const backoff = new Backoff(retry)
  let last = after
  for (;;) {
    try {
      const headers = { accept: 'text/event-stream', 'last-event-id': String(last) }
      const init = { headers, ...(signal === undefined ? {} : { signal }) }
      const response = await connection.request(path, init)
      if (response.status === 204) return // the run had ended before
      for await (const event of readEvents(response)) {
        signal?.throwIfAborted()
        if (event.sequence <= last) continue
        last = event.sequence
        backoff.reset()
        yield event
        if (isTerminal(event)) return
      }
      throw connectionFailed('The stream ended before the run did.')
    } catch (error) {
      await backoff.wait(error, signal)
    }
  }
}
