/** What bodies are taken: JSON, and nothing else. An empty one is no body, whatever its headers say. */
import type { FastifyInstance } from 'fastify'
import { checkDepth } from '../json-text.ts'

export const registerBodies = (app: FastifyInstance): void => {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string' },
    (request, body, done) => {
      if (body === '') return done(null)
      try {
        checkDepth(body)
      } catch (error) {
        return done(error as Error)
      }
      return void parse(request, body, done)
    },
  )
}
