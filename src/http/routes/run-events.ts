/** `/v1/runs/{id}/events`: the log of a run, from any event on, as it grows. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { invalidField } from '../../core/errors.ts'
import { PROBLEM_RESPONSES, streamResponse } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { pieceFrames, sendEventStream } from '../sse.ts'
import { RunId } from './runs.ts'

const Query = Type.Object(
  {
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Sequence to go on behind. `Last-Event-ID` goes before it.',
      }),
    ),
  },
  { additionalProperties: false },
)

const Headers = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      description: 'Sequence of the last event seen; browsers send it by themselves.',
    }),
  ),
})

const EVENTS_SCHEMA = {
  operationId: 'streamRunEvents',
  summary: 'Events of a run, stored and live',
  description:
    'Sends the events above `Last-Event-ID` or `after`, then those to come, and ends after the last one. Leaving does ' +
    'not touch the run, but for one whose own caller has left it within its grace period, which then begins anew.' +
    ' 204 tells a reader that comes back after the last event to stay away.',
  tags: ['runs'],
  params: RunId,
  querystring: Query,
  headers: Headers,
  response: {
    200: streamResponse('Events; `id` is the sequence, `event` the type, `data` the event.'),
    204: { description: 'There are no events behind the one named.', type: 'null' },
    ...PROBLEM_RESPONSES,
  },
}

const lastEventId = (header: string | string[] | undefined): number | undefined => {
  if (header === undefined || header === '') return undefined
  const text = String(header)
  if (!/^\d{1,15}$/.test(text)) throw invalidField('/last-event-id', 'must be a sequence number')
  return Number(text)
}

export const registerRunEvents = (
  instance: FastifyInstance,
  { runs, limits, cancellation, attendance }: HttpContext,
): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const options = { schema: EVENTS_SCHEMA, exposeHeadRoute: false } // a HEAD would never end
  app.get('/v1/runs/:id/events', options, async (request, reply) => {
    const { params, query, headers, owner } = request
    const gone = cancellation.signalFor(reply)
    const seen = lastEventId(headers['last-event-id'])
    const { ended_at: endedAt, last_sequence: last } = await runs.get(params.id, owner)
    // A browser's EventSource comes back after every end; only 204 stops it.
    if (seen !== undefined && endedAt !== null && seen >= last) return reply.code(204).send()
    const after = seen ?? query.after ?? 0
    attendance.join(params.id, gone)
    const pieces = runs.pieces(params.id, owner, after, gone)
    const isWhole = await sendEventStream(reply, pieces, limits, pieceFrames)
    if (isWhole && !gone.aborted) attendance.end(params.id)
    return undefined
  })
}
