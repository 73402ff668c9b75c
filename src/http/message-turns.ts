/**
 * The messages of one socket, handled one after the other. No more than a few are read ahead of their handling: behind
 * them the socket is paused, so that a flood waits in the client that sends it.
 */
import type { WebSocket } from '@fastify/websocket'

const MOST_PENDING = 8

export class MessageTurns {
  readonly #socket: WebSocket
  #handled: Promise<void> = Promise.resolve()
  #pending = 0

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  /** `handle` must not reject. A reply that it waits for holds up the messages behind it, too. */
  add(handle: () => Promise<void>): void {
    this.#pending++
    if (this.#pending >= MOST_PENDING) this.#socket.pause()
    this.#handled = this.#handled.then(handle).finally(() => {
      this.#pending--
      if (this.#pending < MOST_PENDING && this.#socket.isPaused) this.#socket.resume()
    })
  }
}
