/** A client of one server, for Node and browsers. */
import { Connection, type CallOptions, type ConnectionOptions } from './connection.ts'
import type { RetryOptions } from './retry.ts'
import { Runs } from './runs.ts'
import { RunSocket } from './socket.ts'
import type { WebSocketConstructor } from './socket-link.ts'
import type { Estimate, List, ModelEntry, RunRequest, StrategyDescription } from './wire.ts'

export interface ClientOptions extends ConnectionOptions {
  /** Needed for `socket` where there is no global one, as in Node 20: that of the package `ws`. */
  readonly WebSocket?: WebSocketConstructor
  /** How streams are taken up again. */
  readonly retry?: RetryOptions
}

export class Client {
  readonly runs: Runs
  readonly #connection: Connection
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    this.#options = options
    this.#connection = new Connection(options)
    this.runs = new Runs(this.#connection, options.retry ?? {})
  }

  /** What the run may cost at most, and what such runs took so far; nothing is run. */
  estimate(request: RunRequest, options: CallOptions = {}): Promise<Estimate> {
    return this.#connection.json('/v1/estimates', { ...options, method: 'POST', body: request })
  }

  async strategies(options: CallOptions = {}): Promise<readonly StrategyDescription[]> {
    return (await this.#connection.json<List<StrategyDescription>>('/v1/strategies', options)).data
  }

  /** Models alone, and each with every strategy, as one id. */
  async models(options: CallOptions = {}): Promise<readonly ModelEntry[]> {
    return (await this.#connection.json<List<ModelEntry>>('/v1/models', options)).data
  }

  /** A socket for many runs; whoever opened it closes it. @throws TypeError where there is no WebSocket. */
  socket(): RunSocket {
    const global = (globalThis as { readonly WebSocket?: WebSocketConstructor }).WebSocket
    const create = this.#options.WebSocket ?? global
    if (create === undefined) {
      throw new TypeError('There is no global WebSocket here; give one to createClient.')
    }
    return new RunSocket(this.#connection, create, this.#options.retry ?? {})
  }
}

/** @throws TypeError when `baseUrl` is not an http address. */
export const createClient = (options: ClientOptions): Client => new Client(options)
