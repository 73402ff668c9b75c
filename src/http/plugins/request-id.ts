/** Every request has an id: the caller's, if it is harmless, else ours; the reply carries it under both usual names. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'

const HARMLESS = /^[A-Za-z0-9_.-]{1,128}$/

export const requestIdOf = (request: Pick<IncomingMessage, 'headers'>): string => {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && HARMLESS.test(given) ? given : `req_${randomUUID()}`
}

/** `x-request-id` is what OpenAI's clients read, `request-id` what Anthropic's do. */
export const registerRequestId = (app: FastifyInstance): void => {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'x-request-id': request.id, 'request-id': request.id })
  })
}
