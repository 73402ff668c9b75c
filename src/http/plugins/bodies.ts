/** What bodies are taken: JSON, and nothing else. An empty one is no body, whatever its headers say. */
import type { FastifyInstance } from 'fastify'

export const registerBodies = (app: FastifyInstance): void => {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string' },
    (request, body, done) => {
      if (body === '') done(null)
      else void parse(request, body, done)
    },
  )
}
