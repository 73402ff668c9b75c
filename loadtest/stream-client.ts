/** One run over server-sent events. */
import { once } from 'node:events'
import { request, type Agent, type IncomingMessage } from 'node:http'
import { frameReader, readEvent } from './event-head.ts'
import { RunWatch, type RunTiming } from './run-watch.ts'

const reasonOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)

/** Starts a run with a stream and reads it to the end. Never rejects: what went wrong is in the timing. */
export const streamRun = async (
  url: URL,
  run: object,
  agent: Agent,
  signal: AbortSignal,
): Promise<RunTiming> => {
  const watch = new RunWatch()
  const read = frameReader((data) => watch.see(readEvent(data)))
  try {
    const call = request(new URL('/v1/runs', url), {
      method: 'POST',
      agent,
      signal,
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    })
    call.end(JSON.stringify({ ...run, stream: true }))
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    response.setEncoding('utf8')
    if (response.statusCode !== 200) watch.fail(`status ${response.statusCode}`)
    response.on('data', read)
    await once(response, 'end')
  } catch (thrown) {
    watch.fail(signal.aborted ? 'out of time' : reasonOf(thrown))
  }
  return watch.timing()
}
