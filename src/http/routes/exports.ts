/** `/v1/exports`: runs as training data, one JSON record a line, as fast as the client reads and no faster. */
import { Readable } from 'node:stream'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { ExportQuery } from '../../exports/export-query.ts'
import { ExportRecord } from '../../exports/export-schema.ts'
import { PROBLEM_RESPONSES } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'

const EXPORT_SCHEMA = {
  operationId: 'exportRuns',
  summary: 'Runs of the caller as training data',
  description:
    'JSON lines, oldest run first. A connection that breaks has an incomplete last line: drop it, and go on with the ' +
    '`cursor` of the last complete one as `after`. The same runs give the same records.',
  tags: ['exports'],
  querystring: ExportQuery,
  response: {
    200: {
      description: 'Records, one a line.',
      content: { 'application/jsonl': { schema: ExportRecord } },
    },
    ...PROBLEM_RESPONSES,
  },
}

async function* lines(records: AsyncIterable<object>): AsyncGenerator<string, void, void> {
  for await (const record of records) yield `${JSON.stringify(record)}\n`
}

/** Lines made ahead of the reader: they may be long. */
const AHEAD = 4

export const registerExports = (
  instance: FastifyInstance,
  { exports, cancellation }: HttpContext,
): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const options = { schema: EXPORT_SCHEMA, exposeHeadRoute: false }
  app.get('/v1/exports', options, async (request, reply) => {
    const records = exports.open(request.query, request.owner)
    // An abort cuts the connection, so that nobody takes a part for the whole.
    const signal = cancellation.signalFor(reply)
    const body = Readable.from(lines(records), { signal, highWaterMark: AHEAD })
    return reply.type('application/jsonl; charset=utf-8').send(body)
  })
}
