/** One run on a socket, as its reader sees it: events in order, each once, whatever happens to the connection. */
import { isTerminal, type RunEvent, type RunRequest } from './wire.ts'

/**
 * Events held for a reader that is slower than the server. With more the stream is left, and taken up again behind the
 * last of them when they are read: a socket itself can hold nobody back.
 */
export const MAX_HELD = 1024

export type StreamSource =
  | { readonly request: RunRequest }
  | { readonly runId: string; readonly after: number }

export class SocketStream {
  /** Set unless the run exists already. */
  readonly request: RunRequest | undefined
  /** Name on the socket while the server sends; a new one each time it is taken up. */
  name: string | undefined
  runId: string | undefined
  /** Sequence of the last event received. */
  last = 0
  readonly #held: RunEvent[] = []
  #isOver = false
  #error: unknown
  #wake: (() => void) | undefined

  constructor(source: StreamSource) {
    if ('request' in source) {
      this.request = source.request
      return
    }
    this.runId = source.runId
    this.last = source.after
  }

  /** Whether more may come. */
  get isLive(): boolean {
    return !this.#isOver && this.#error === undefined
  }

  /** Whether its terminal event was received. */
  get isOver(): boolean {
    return this.#isOver
  }

  get isFull(): boolean {
    return this.#held.length >= MAX_HELD
  }

  get isEmpty(): boolean {
    return this.#held.length === 0
  }

  /** @returns whether the event was new. */
  push(event: RunEvent): boolean {
    if (!this.isLive || event.sequence <= this.last) return false
    this.runId = event.run_id
    this.last = event.sequence
    this.#held.push(event)
    if (isTerminal(event)) this.#isOver = true
    this.#wake?.()
    return true
  }

  /** What was received before is still read. */
  fail(error: unknown): void {
    if (!this.isLive) return
    this.#error = error
    this.#wake?.()
  }

  /** The next event, undefined after the last. @throws what the stream failed with. */
  async next(): Promise<RunEvent | undefined> {
    for (;;) {
      const event = this.#held.shift()
      if (event !== undefined) return event
      if (this.#isOver) return undefined
      if (this.#error !== undefined) throw this.#error
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
