/** `/metrics`: the numbers of this process, for Prometheus. */
import type { FastifyInstance } from 'fastify'
import { PROBLEM_RESPONSES } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'

const SCHEMA = {
  operationId: 'getMetrics',
  summary: 'Metrics for Prometheus',
  description: 'Needs a key like everything else: Prometheus can send one as a bearer token.',
  tags: ['operation'],
  response: {
    200: {
      description: 'Prometheus text format.',
      content: { 'text/plain': { schema: { type: 'string' } } },
    },
    ...PROBLEM_RESPONSES,
  },
}

export const registerMetrics = (app: FastifyInstance, { metrics }: HttpContext): void => {
  app.get('/metrics', { schema: SCHEMA }, async (_, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  )
}
