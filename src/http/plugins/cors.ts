/** Lets web pages of other origins call the server and read its replies. Off where no origins are named. */
import cors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ANY_ORIGIN } from '../server-options.ts'

/** How long a browser may remember what it was told, in seconds: the most that any takes but Firefox. */
const MAX_AGE = 7200

/**
 * Keys travel in headers that a page sets itself, never in cookies: there is nothing that a browser adds of its own, so any
 * header may be sent, as the clients of OpenAI and Anthropic add new ones all the time, and all may be read.
 */
const optionsFor = (origins: readonly string[]) => ({
  origin: origins.includes(ANY_ORIGIN) ? ANY_ORIGIN : [...origins],
  methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
  exposedHeaders: '*',
  maxAge: MAX_AGE,
})

const isPreflight = ({ method, headers }: FastifyRequest): boolean =>
  method === 'OPTIONS' &&
  headers.origin !== undefined &&
  headers['access-control-request-method'] !== undefined

/** Must come before the hooks that may refuse a request: preflights bring no key, and errors are to be read as well. */
export const registerCors = async (
  app: FastifyInstance,
  origins: readonly string[],
): Promise<void> => {
  if (origins.length === 0) return
  const allowed = optionsFor(origins)
  await app.register(cors, {
    // Other requests with OPTIONS go on to where they are refused like every wrong method.
    delegator: (request, done) =>
      done(
        null,
        request.method !== 'OPTIONS' || isPreflight(request) ? allowed : { origin: false },
      ),
  })
}
