/**
 * Tells when nobody waits for a reply any more. Fastify's own `request.signal` aborts as soon as the body of a POST was
 * read (fastify issue 4690), so the signal is made from the response: closed before it was written means gone.
 */
import type { FastifyInstance, FastifyReply } from 'fastify'

export class Cancellation {
  readonly #waiting = new Set<AbortController>()

  /** Aborts when the client leaves before the reply is complete, or when the server closes. */
  signalFor(reply: FastifyReply): AbortSignal {
    const { raw } = reply
    const controller = new AbortController()
    if (raw.destroyed) {
      controller.abort()
      return controller.signal
    }
    this.#waiting.add(controller)
    raw.once('close', () => {
      this.#waiting.delete(controller)
      if (!raw.writableFinished) controller.abort()
    })
    return controller.signal
  }

  /** Lets go of every reply that is still open: a hijacked one would keep the server from closing for ever. */
  abortAll(): void {
    for (const controller of this.#waiting) controller.abort()
    this.#waiting.clear()
  }
}

export const registerCancellation = (app: FastifyInstance): Cancellation => {
  const cancellation = new Cancellation()
  app.addHook('preClose', async () => cancellation.abortAll())
  return cancellation
}
