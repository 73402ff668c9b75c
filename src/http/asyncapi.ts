/** The contract of the WebSockets as AsyncAPI 3, made from the schemas that the sockets themselves are checked by. */
import type { TSchema } from 'typebox'
import { EVENT_SCHEMAS } from '../core/event.ts'
import { RESPONSES_CLIENT_MESSAGES } from './compat/openai-responses-message.ts'
import { RESPONSES_SERVER_MESSAGES } from './compat/openai-responses-reply.ts'
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
type Schemas = Readonly<Record<string, TSchema>>

/** What each message of the client is answered with, beside `error` and `message.refused`; an event is any of the run or the response. */
const REPLIES: Readonly<
  Record<keyof typeof CLIENT_MESSAGES | keyof typeof RESPONSES_CLIENT_MESSAGES, string>
> = {
  'run.create': 'Answered with run events.',
  'run.subscribe': 'Answered with run events.',
  'run.unsubscribe': 'Answered with run.unsubscribed.',
  'run.cancel': 'Has no reply of its own.',
  'run.steer': 'Answered with run.steer.accepted.',
  'feedback.create': 'Answered with feedback.created.',
  ping: 'Answered with pong.',
  'response.create': 'Answered with the events of the response. A field that is null is absent.',
  'response.retrieve': 'Answered with the events of the response above `starting_after`.',
  'response.steer': 'Answered with response.steer.accepted or response.steer.failed.',
}

const DESCRIPTION =
  'Many runs on one WebSocket. Nothing is tied to the connection: when it closes, runs go on, and `run.subscribe` with ' +
  '`after` takes a stream up again behind the last event received. Messages are handled in order. The key, where the ' +
  'server has keys, goes as `Authorization: Bearer`; a page offers the subprotocol `ticket.<ticket>`, with one of ' +
  '`POST /v1/ws-tickets`, or `bearer.<base64url of the key>`.'

const RESPONSES_DESCRIPTION =
  'OpenAI’s responses, as its client opens them. Those with one `stream_id` run one after the other, others at the same ' +
  'time. When the socket closes, a response in the background goes on, one that is stored for 30 seconds, and one with ' +
  '`store: false` ends; `response.retrieve`, or `GET /v1/responses/{id}`, takes it up again.'

const typeOf = (schema: TSchema): string =>
  (schema as TSchema & { properties: { type: { const: string } } }).properties.type.const

const message = (name: string, payload: Json, description?: string): Json => ({
  name,
  title: name,
  contentType: 'application/json',
  ...(description === undefined ? {} : { summary: description }),
  payload,
})

const messagesOf = (schemas: Schemas, components: Components): Messages =>
  Object.fromEntries(
    Object.entries(schemas).map(([type, schema]) => [
      type,
      message(
        type,
        withReferences(plain(schema), components),
        Object.hasOwn(REPLIES, type) ? REPLIES[type as keyof typeof REPLIES] : undefined,
      ),
    ]),
  )

const runEvents = (components: Components): Messages => {
  const ofStream = {
    type: 'object',
    required: ['stream_id'],
    properties: { stream_id: plain(StreamId) },
  }
  return Object.fromEntries(
    EVENT_SCHEMAS.map((schema) => {
      const payload = { allOf: [withReferences(plain(schema), components), ofStream] }
      return [typeOf(schema), message(typeOf(schema), payload)] as const
    }),
  )
}

interface Socket {
  /** Before the types in the names of its messages, for two sockets may have one type. */
  readonly prefix: string
  readonly about: { readonly [field: string]: Json }
  readonly received: Messages
  readonly sent: Messages
}

const socketsOf = (components: Components): Record<string, Socket> => ({
  socket: {
    prefix: '',
    about: { address: '/v1/ws', title: 'Subprotocol whetstone.v1', description: DESCRIPTION },
    received: messagesOf(CLIENT_MESSAGES, components),
    sent: { ...runEvents(components), ...messagesOf(SERVER_MESSAGES, components) },
  },
  responses: {
    prefix: 'openai.',
    about: { address: '/v1/responses', description: RESPONSES_DESCRIPTION },
    received: messagesOf(RESPONSES_CLIENT_MESSAGES, components),
    sent: messagesOf(RESPONSES_SERVER_MESSAGES, components),
  },
})

const channelOf = ({ prefix, about, received, sent }: Socket): Json => ({
  ...about,
  messages: Object.fromEntries(
    Object.keys({ ...received, ...sent }).map((type) => [
      type,
      { $ref: `#/components/messages/${prefix}${type}` },
    ]),
  ),
  bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
})

/** Seen from the server: it receives what clients say. */
const operationsOf = (channel: string, { received, sent }: Socket): [string, Json][] => {
  const operation = (action: 'send' | 'receive', summary: string, messages: Messages): Json => ({
    action,
    channel: { $ref: `#/channels/${channel}` },
    summary,
    messages: Object.keys(messages).map((type) => ({
      $ref: `#/channels/${channel}/messages/${type}`,
    })),
  })
  return [
    [`${channel}.hear`, operation('receive', 'What a client may say.', received)],
    [`${channel}.say`, operation('send', 'Events of the streams, and replies.', sent)],
  ]
}

const namedMessages = ({ prefix, received, sent }: Socket): [string, Json][] =>
  Object.entries({ ...received, ...sent }).map(([type, each]) => [prefix + type, each])

/** Plain data, ready to be written as YAML. */
export const asyncapiDocument = (version: string): Json => {
  const components: Components = new Map()
  const sockets = Object.entries(socketsOf(components))
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Whetstone sockets',
      version,
      description: 'Runs on `/v1/ws`, and OpenAI’s responses on `/v1/responses`.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      local: { host: '127.0.0.1:8080', protocol: 'ws', description: 'Where `npm start` listens.' },
    },
    channels: Object.fromEntries(sockets.map(([name, socket]) => [name, channelOf(socket)])),
    operations: Object.fromEntries(sockets.flatMap(([name, each]) => operationsOf(name, each))),
    components: {
      messages: Object.fromEntries(sockets.flatMap(([, each]) => namedMessages(each))),
      schemas: sortedComponents(components),
    },
  }
}
