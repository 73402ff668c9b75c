/** The contract of `/v1/ws` as AsyncAPI 3, made from the schemas the socket itself is checked by. */
import type { TSchema } from 'typebox'
import { EVENT_SCHEMAS } from '../core/event.ts'
import {
  plain,
  sortedComponents,
  withReferences,
  type Components,
  type Json,
} from './schema-components.ts'
import { CLIENT_MESSAGES, StreamId } from './websocket-message.ts'
import { SERVER_MESSAGES } from './websocket-reply.ts'

type Messages = Record<string, Json>

/** What each message of the client is answered with, beside `error`; an event is any of the run. */
const REPLIES: Readonly<Record<keyof typeof CLIENT_MESSAGES, readonly string[]>> = {
  'run.create': ['run events'],
  'run.subscribe': ['run events'],
  'run.unsubscribe': ['run.unsubscribed'],
  'run.cancel': [],
  'run.steer': ['run.steer.accepted'],
  'feedback.create': ['feedback.created'],
  ping: ['pong'],
}

const DESCRIPTION =
  'Many runs on one WebSocket. Nothing is tied to the connection: when it closes, runs go on, and `run.subscribe` with ' +
  '`after` takes a stream up again behind the last event received. Messages are handled in order. The key, where the ' +
  'server has keys, goes as `Authorization: Bearer`; a page offers the subprotocol `ticket.<ticket>`, with one of ' +
  '`POST /v1/ws-tickets`, or `bearer.<base64url of the key>`.'

const typeOf = (schema: TSchema): string =>
  (schema as TSchema & { properties: { type: { const: string } } }).properties.type.const

const message = (name: string, payload: Json, description?: string): Json => ({
  name,
  title: name,
  contentType: 'application/json',
  ...(description === undefined ? {} : { summary: description }),
  payload,
})

const fromClient = (components: Components): Messages =>
  Object.fromEntries(
    Object.entries(CLIENT_MESSAGES).map(([type, schema]) => {
      const [known] = REPLIES[type as keyof typeof CLIENT_MESSAGES]
      const summary = known === undefined ? 'Has no reply of its own.' : `Answered with ${known}.`
      return [type, message(type, withReferences(plain(schema), components), summary)]
    }),
  )

const fromServer = (components: Components): Messages => {
  const ofStream = {
    type: 'object',
    required: ['stream_id'],
    properties: { stream_id: plain(StreamId) },
  }
  const events = EVENT_SCHEMAS.map((schema) => {
    const payload = { allOf: [withReferences(plain(schema), components), ofStream] }
    return [typeOf(schema), message(typeOf(schema), payload)] as const
  })
  const replies = Object.entries(SERVER_MESSAGES).map(
    ([type, schema]) => [type, message(type, withReferences(plain(schema), components))] as const,
  )
  return Object.fromEntries([...events, ...replies])
}

const operation = (action: 'send' | 'receive', summary: string, messages: Messages): Json => ({
  action,
  channel: { $ref: '#/channels/socket' },
  summary,
  messages: Object.keys(messages).map((type) => ({ $ref: `#/channels/socket/messages/${type}` })),
})

/** Plain data, ready to be written as YAML. Seen from the server: it receives what clients say. */
export const asyncapiDocument = (version: string): Json => {
  const components: Components = new Map()
  const [received, sent] = [fromClient(components), fromServer(components)]
  const messages = { ...received, ...sent }
  const references = Object.keys(messages).map((type) => [
    type,
    { $ref: `#/components/messages/${type}` },
  ])
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Whetstone socket',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      local: { host: '127.0.0.1:8080', protocol: 'ws', description: 'Where `npm start` listens.' },
    },
    channels: {
      socket: {
        address: '/v1/ws',
        title: 'Subprotocol whetstone.v1',
        messages: Object.fromEntries(references) as Json,
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
    },
    operations: {
      hear: operation('receive', 'What a client may say.', received),
      say: operation('send', 'Events of the streams, and replies.', sent),
    },
    components: { messages, schemas: sortedComponents(components) },
  }
}
