/** `/openapi.json` and `/docs`. */
import type { FastifyInstance } from 'fastify'
import { renderDocs, type OpenApiDocument } from '../docs-page.ts'

const NO_ACTIVE_CONTENT = "default-src 'none'; style-src 'unsafe-inline'"

const HOST = /^[A-Za-z0-9.:[\]-]+$/

export const registerDocs = (app: FastifyInstance): void => {
  app.get('/openapi.json', { schema: { hide: true }, config: { public: true } }, async () =>
    app.swagger(),
  )

  app.get('/docs', { schema: { hide: true }, config: { public: true } }, async (request, reply) => {
    const host = HOST.test(request.host) ? request.host : 'localhost'
    const page = renderDocs(
      app.swagger() as unknown as OpenApiDocument,
      `${request.protocol}://${host}`,
    )
    return reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', NO_ACTIVE_CONTENT)
      .send(page)
  })
}
