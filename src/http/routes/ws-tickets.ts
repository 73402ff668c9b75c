/** `/v1/ws-tickets`: what a web page needs to open a socket. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { invalidField, RefineError } from '../../core/errors.ts'
import { jsonResponse, PROBLEM_RESPONSES } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { TICKET_LIFETIME } from '../socket-tickets.ts'

const Body = Type.Object(
  {
    origin: Type.Optional(
      Type.String({
        maxLength: 512,
        description: 'Origin of the page that will use it, such as `https://app.example`.',
      }),
    ),
  },
  { additionalProperties: false },
)

const Ticket = Type.Object(
  {
    object: Type.Literal('ws_ticket'),
    ticket: Type.String(),
    expires_at: Type.String({ format: 'date-time' }),
  },
  { $id: 'SocketTicket' },
)

const SCHEMA = {
  operationId: 'createSocketTicket',
  summary: 'A ticket with which a web page opens a WebSocket',
  description:
    'Good once, for 60 seconds, for the key that asked for it and a page of the origin named (else the origin of this ' +
    'request). Used as `/v1/ws?ticket=…`, or as a second subprotocol `ticket.…`.',
  tags: ['runs'],
  body: Type.Union([Body, Type.Null()]),
  response: { 201: jsonResponse('The ticket.', Ticket), ...PROBLEM_RESPONSES },
}

const checkedOrigin = (given: string | undefined): string | undefined => {
  if (given === undefined) return undefined
  if (URL.canParse(given) && new URL(given).origin === given) return given
  throw invalidField('/origin', 'must be an origin such as https://app.example')
}

export const registerSocketTickets = (instance: FastifyInstance, context: HttpContext): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  app.post('/v1/ws-tickets', { schema: SCHEMA }, async (request, reply) => {
    const origin = checkedOrigin(request.body?.origin) ?? request.headers.origin
    const ticket = context.tickets.issue(request.owner, origin)
    if (ticket === undefined) throw new RefineError('rate_limited', 'Too many tickets are unused.')
    const expires = new Date(Date.now() + TICKET_LIFETIME).toISOString()
    return reply
      .code(201)
      .header('cache-control', 'no-store')
      .send({ object: 'ws_ticket', ticket, expires_at: expires })
  })
}
