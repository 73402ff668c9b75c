/** Runs on a server, by its client. */
import { Client } from '../client/client.ts'
import type { ConnectionOptions } from '../client/connection.ts'
import type { RetryOptions } from '../client/retry.ts'
import type { ModelEntry } from '../client/wire.ts'
import type { RunEvent } from '../core/event.ts'
import type { ModelDescription, StrategyDescription } from '../runs/run-service.ts'
import type { RunClient } from './run-client.ts'
import { fromServer, toServerError } from './server-error.ts'

export interface RemoteOptions extends ConnectionOptions {
  readonly retry?: RetryOptions
}

const CANCEL_MS = 5000
const LIST_MS = 30_000

/** The server lists each model with every strategy too. */
const describe = (entries: readonly ModelEntry[]): readonly ModelDescription[] =>
  entries
    .filter(({ strategy }) => strategy === null)
    .map(({ id, owned_by: adapter, capabilities, context_length, price }) => ({
      id,
      adapter,
      capabilities,
      context_length,
      price,
    }))

class Remote implements RunClient {
  readonly #client: Client

  constructor(options: RemoteOptions) {
    this.#client = new Client(options)
  }

  async *start(
    request: Parameters<RunClient['start']>[0],
    signal: AbortSignal,
  ): AsyncGenerator<RunEvent, void, void> {
    try {
      yield* this.#client.runs.stream(request, { signal })
    } catch (thrown) {
      if (!signal.aborted) throw toServerError(thrown)
    }
  }

  async cancel(id: string): Promise<void> {
    await fromServer(this.#client.runs.cancel(id, { signal: AbortSignal.timeout(CANCEL_MS) }))
  }

  strategies(): Promise<readonly StrategyDescription[]> {
    return fromServer(this.#client.strategies({ signal: AbortSignal.timeout(LIST_MS) }))
  }

  async models(): Promise<readonly ModelDescription[]> {
    const signal = AbortSignal.timeout(LIST_MS)
    return describe(await fromServer(this.#client.models({ signal })))
  }
}

/** A client of the server at a URL. */
export const remoteRuns = (options: RemoteOptions): RunClient => new Remote(options)
