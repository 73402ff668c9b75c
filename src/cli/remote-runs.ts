/** Runs on a server: server-sent events over fetch, taken up again where a connection broke. */
import { createParser } from 'eventsource-parser'
import { RefineError } from '../core/errors.ts'
import { isTerminal, type RunEvent } from '../core/event.ts'
import type { ModelDescription, StrategyDescription } from '../runs/run-service.ts'
import type { RunClient } from './run-client.ts'
import { Attempts, requestServer, type Server } from './server-request.ts'

export interface RemoteOptions extends Server {
  /** Attempts to take a broken stream up again before giving up; each waits twice as long as the one before. */
  readonly maxAttempts?: number
  /** Milliseconds before the first of them. */
  readonly retryDelay?: number
}

/** Characters of one event at most; a whole answer is one. */
const MAX_EVENT_LENGTH = 16 * 1024 * 1024

async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<RunEvent, void, void> {
  const ready: RunEvent[] = []
  const parser = createParser({
    maxBufferSize: MAX_EVENT_LENGTH,
    onEvent: ({ data }) => void ready.push(JSON.parse(data) as RunEvent),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw error
    },
  })
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    yield* ready.splice(0)
  }
}

class Remote implements RunClient {
  readonly #options: RemoteOptions

  constructor(options: RemoteOptions) {
    this.#options = options
  }

  async *start(
    request: Parameters<RunClient['start']>[0],
    signal: AbortSignal,
  ): AsyncGenerator<RunEvent, void, void> {
    let last: RunEvent | undefined
    const attempts = new Attempts(this.#options.maxAttempts, this.#options.retryDelay)
    while (!signal.aborted) {
      try {
        const body = JSON.stringify({ ...request, stream: true })
        const response =
          last === undefined
            ? await this.#request('v1/runs', { method: 'POST', body, signal })
            : await this.#request(this.#eventsPath(last), { signal })
        for await (const event of readEvents(response.body!)) {
          last = event
          attempts.reset()
          yield event
          if (isTerminal(event)) return
        }
        throw new RefineError('upstream_unavailable', 'The stream ended before the run did.')
      } catch (thrown) {
        if (signal.aborted) return
        if (last === undefined) throw thrown
        await attempts.wait(thrown, signal)
      }
    }
  }

  async cancel(id: string): Promise<void> {
    const path = `v1/runs/${encodeURIComponent(id)}/cancel`
    const response = await this.#request(path, {
      method: 'POST',
      signal: AbortSignal.timeout(5000),
    })
    await response.body?.cancel()
  }

  strategies(): Promise<readonly StrategyDescription[]> {
    return this.#list<StrategyDescription>('v1/strategies')
  }

  models(): Promise<readonly ModelDescription[]> {
    return this.#list<ModelDescription>('v1/models')
  }

  #eventsPath({ run_id, sequence }: RunEvent): string {
    return `v1/runs/${encodeURIComponent(run_id)}/events?after=${sequence}`
  }

  async #list<Entry>(path: string): Promise<readonly Entry[]> {
    const response = await this.#request(path, { signal: AbortSignal.timeout(30_000) })
    const { data } = (await response.json()) as { readonly data?: readonly Entry[] }
    return data ?? []
  }

  #request(path: string, init: RequestInit): Promise<Response> {
    return requestServer(this.#options, path, init)
  }
}

/** A client of the server at a URL. */
export const remoteRuns = (options: RemoteOptions): RunClient => new Remote(options)
