/**
 * Lets the server close. Node waits for every connection, also for one on which no request ever came, as clients open
 * them in advance: for those it would wait a minute. So connections are ended when the last reply is out.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'

/** Replies still open after this long are cut off: the runs were drained before. */
const GRACE_MS = 5000

export const registerClosing = (app: FastifyInstance): void => {
  const open = new Set<ServerResponse>()
  let isClosing = false
  const endWhenDone = (): void => {
    if (isClosing && open.size === 0) app.server.closeAllConnections()
  }
  app.addHook('onRequest', async (_, { raw }) => {
    open.add(raw)
    raw.once('close', () => {
      open.delete(raw)
      endWhenDone()
    })
  })
  app.addHook('preClose', async () => {
    isClosing = true
    endWhenDone()
    setTimeout(() => app.server.closeAllConnections(), GRACE_MS).unref()
  })
}
