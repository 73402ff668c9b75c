/** One WebSocket at a time to `/v1/ws`: opened when it is needed, and watched, because a dead connection says nothing. */
import type { Connection } from './connection.ts'
import { connectionFailed, WhetstoneError } from './whetstone-error.ts'

/** What is used of a WebSocket; the browser's, Node 22's and that of the package `ws` all fit. */
export interface WebSocketLike {
  readonly readyState: number
  send(data: string): void
  close(code?: number, reason?: string): void
  addEventListener(type: 'open' | 'close' | 'error', listener: () => void): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike

export interface LinkHandlers {
  readonly onMessage: (message: Record<string, unknown>) => void
  /** The open connection is gone. */
  readonly onDown: () => void
}

const SUBPROTOCOL = 'whetstone.v1'
const OPEN = 1
/** A connection on which nothing came for one such time is asked for a sign, and given up after a second one. */
const SILENCE_MS = 25_000
const OPENING_MS = 15_000

const base64url = (text: string): string => {
  const bytes = new TextEncoder().encode(text)
  const base64 = btoa(String.fromCharCode(...bytes))
  return base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

export class SocketLink {
  readonly #connection: Connection
  readonly #create: WebSocketConstructor
  readonly #handlers: LinkHandlers
  #socket: WebSocketLike | undefined
  #opening: Promise<void> | undefined

  constructor(connection: Connection, create: WebSocketConstructor, handlers: LinkHandlers) {
    this.#connection = connection
    this.#create = create
    this.#handlers = handlers
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === OPEN
  }

  /** Does nothing when it is open. @throws WhetstoneError when the server refuses or cannot be reached. */
  open(): Promise<void> {
    if (this.isOpen) return Promise.resolve()
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  /** Lost when the connection is not open: what must arrive is said again when it opens. */
  send(message: object): void {
    if (this.isOpen) this.#socket?.send(JSON.stringify(message))
  }

  close(): void {
    this.#socket?.close(1000)
    this.#socket = undefined
  }

  async #connect(): Promise<void> {
    const { baseUrl, apiKey } = this.#connection
    // A browser can set no headers on a socket, so the key goes as a subprotocol, everywhere.
    const key = apiKey === undefined ? [] : [`bearer.${base64url(apiKey)}`]
    const socket = new this.#create(`${baseUrl.replace(/^http/, 'ws')}/v1/ws`, [
      SUBPROTOCOL,
      ...key,
    ])
    const isOpen = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => socket.close(), OPENING_MS)
      const settle = (value: boolean) => () => {
        clearTimeout(timer)
        resolve(value)
      }
      socket.addEventListener('open', settle(true))
      socket.addEventListener('error', settle(false))
      socket.addEventListener('close', settle(false))
    })
    if (!isOpen) throw await this.#whyRefused()
    this.#use(socket)
  }

  /** A socket does not say why it was refused; an ordinary request to its address does. */
  async #whyRefused(): Promise<WhetstoneError> {
    const failed = connectionFailed(`No socket opens at ${this.#connection.baseUrl}.`)
    try {
      await this.#connection.request('/v1/ws')
      return failed
    } catch (error) {
      if (!(error instanceof WhetstoneError)) return failed
      return error.status === 401 || error.status === 403 ? error : failed
    }
  }

  #use(socket: WebSocketLike): void {
    this.#socket = socket
    const watch = this.#watch(socket)
    socket.addEventListener('message', ({ data }) => {
      watch.heard()
      if (typeof data === 'string' && this.#socket === socket) {
        this.#handlers.onMessage(JSON.parse(data) as Record<string, unknown>)
      }
    })
    socket.addEventListener('close', () => {
      watch.stop()
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.#handlers.onDown()
    })
  }

  #watch(socket: WebSocketLike): { heard: () => void; stop: () => void } {
    let silences = 0
    const timer = setInterval(() => {
      if (++silences > 2) socket.close()
      else if (silences === 2) socket.send(JSON.stringify({ type: 'ping' }))
    }, SILENCE_MS)
    return {
      heard: () => {
        silences = 0
      },
      stop: () => clearInterval(timer),
    }
  }
}
