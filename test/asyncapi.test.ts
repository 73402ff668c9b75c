import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import asyncapi from '@asyncapi/parser'
import { Compile } from 'typebox/compile'
import { WebSocket } from 'ws'
import { parse } from 'yaml'
import { EVENT_SCHEMAS } from '../src/core/event.ts'
import { asyncapiDocument } from '../src/http/asyncapi.ts'
import { CLIENT_MESSAGES } from '../src/http/websocket-message.ts'
import { SERVER_MESSAGES } from '../src/http/websocket-reply.ts'
import { endless, FakeRuns, refinement } from './support/fake-runs.ts'
import { listen, type TestServer } from './support/http-server.ts'

const root = path.resolve(import.meta.dirname, '../..')
const text = readFileSync(path.join(root, 'openapi', 'asyncapi.yaml'), 'utf8')

test('the socket’s contract in the repository is that of the server (npm run openapi)', () => {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    version: string
  }
  assert.deepEqual(parse(text), asyncapiDocument(version))
})

test('the socket’s contract is valid AsyncAPI 3', async () => {
  const { document, diagnostics } = await new asyncapi.Parser().parse(text)
  const faults = diagnostics.filter(({ severity }) => severity <= 1)
  assert.deepEqual(
    // The parser knows of newer versions of the format itself; nothing else may be wrong.
    faults.filter(({ code }) => code !== 'asyncapi-latest-version'),
    [],
  )
  const names = document!
    .allMessages()
    .all()
    .map((message) => message.name())
  assert.equal(
    new Set(names).size,
    EVENT_SCHEMAS.length + Object.keys({ ...CLIENT_MESSAGES, ...SERVER_MESSAGES }).length,
  )
})

interface Contract {
  readonly operations: Record<'hear' | 'say', { readonly messages: { readonly $ref: string }[] }>
  readonly components: {
    readonly messages: Record<string, { readonly payload: object }>
    readonly schemas: Record<string, object>
  }
}

/** Checks messages by the file itself, as a client that was generated from it would. */
const byContract = () => {
  const { components, operations } = parse(text) as Contract
  const $defs = components.schemas
  const local = (schema: object): object =>
    JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/')) as object
  const typesOf = (way: 'hear' | 'say'): string[] =>
    operations[way].messages.map(({ $ref }) => $ref.split('/').at(-1)!)
  const check = (way: 'hear' | 'say', message: Record<string, unknown>): void => {
    const type = String(message['type'])
    assert.ok(typesOf(way).includes(type), `${type} is not in the contract`)
    const schema = { ...local(components.messages[type]!.payload), $defs: local($defs) }
    const errors = Compile(schema).Errors(message)
    assert.deepEqual(errors, [], `${JSON.stringify(message)}: ${JSON.stringify(errors)}`)
  }
  return { check, typesOf }
}

test('a live conversation, every message of it, is valid by the file', async (t) => {
  const { check, typesOf } = byContract()
  const heard = new Set<string>()
  let wake = (): void => undefined
  const open = ({ url }: TestServer): WebSocket => {
    const opened = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'whetstone.v1')
    t.after(() => opened.terminate())
    opened.on('message', (data) => {
      const message = JSON.parse((data as Buffer).toString()) as Record<string, unknown>
      check('say', message)
      heard.add(String(message['type']))
      wake()
    })
    return opened
  }
  open(await listen(t, new FakeRuns(), { limits: { socketSeconds: 0.5 } })) // tells that it expires
  const socket = open(await listen(t, new FakeRuns(endless(refinement.slice(0, -1)))))
  await once(socket, 'open')
  const until = async (type: string): Promise<void> => {
    while (!heard.has(type)) await new Promise<void>((resolve) => (wake = resolve))
  }
  const said = new Set<string>()
  const say = (message: Record<string, unknown>): void => {
    check('hear', message)
    said.add(String(message['type']))
    socket.send(JSON.stringify(message))
  }
  // What is wrong behind a reference is found as well.
  for (const run of [{ input: 5 }, { input: 'a', budget: { calls: 'many' } }, { colour: 'red' }])
    assert.throws(() => check('hear', { type: 'run.create', stream_id: 'a', run }))
  say({ type: 'run.create', stream_id: 'a', run: { input: 'What?', options: {}, seed: 1 } })
  await until('answer.revised')
  const feedback = { metric: 'm', value: 1, source: 'u' }
  say({ type: 'feedback.create', run_id: 'run_1', feedback, idempotency_key: 'k' })
  say({ type: 'run.steer', run_id: 'run_1', steering: { action: 'hint', text: 'Again.' } })
  await until('run.steered')
  say({ type: 'run.subscribe', stream_id: 'b', run_id: 'run_none', after: 0 })
  await until('error')
  say({ type: 'run.unsubscribe', stream_id: 'a' })
  say({ type: 'run.subscribe', stream_id: 'c', run_id: 'run_1', after: 1 })
  say({ type: 'run.cancel', run_id: 'run_1' })
  await until('run.cancelled')
  say({ type: 'ping' })
  await until('pong')
  await until('session.expiring')
  assert.deepEqual([...said].toSorted(), typesOf('hear').toSorted(), 'all that a client may say')
  const replies = Object.keys(SERVER_MESSAGES)
  assert.deepEqual(
    replies.filter((type) => !heard.has(type)),
    [],
    'all that the server replies',
  )
})

test('what the server says is in the contract', async (t) => {
  const { url } = await listen(t, new FakeRuns(endless(refinement.slice(0, 4))))
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'whetstone.v1')
  t.after(() => socket.terminate())
  const heard: Record<string, unknown>[] = []
  const pong = new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      const said = JSON.parse((data as Buffer).toString()) as Record<string, unknown>
      heard.push(said)
      if (said['type'] === 'pong') resolve()
    })
  })
  await once(socket, 'open')
  const say = (message: object): void => socket.send(JSON.stringify(message))
  say({ type: 'run.create', stream_id: 'a', run: { input: 'What?' } })
  say({
    type: 'feedback.create',
    run_id: 'run_1',
    feedback: { metric: 'm', value: 1, source: 'u' },
  })
  say({ type: 'run.steer', run_id: 'run_1', steering: { action: 'hint', text: 'Again.' } })
  say({ type: 'run.create', stream_id: 'b', run: { input: '' } })
  say({ type: 'run.unsubscribe', stream_id: 'a' })
  say({ type: 'ping' })
  await pong
  const schemas = new Map<string, object>([
    ...Object.entries(SERVER_MESSAGES),
    ...EVENT_SCHEMAS.map((schema) => {
      const { properties } = schema as typeof schema & { properties: { type: { const: string } } }
      return [properties.type.const, schema] as const
    }),
  ])
  for (const message of heard) {
    const schema = schemas.get(String(message['type']))
    assert.ok(schema !== undefined, String(message['type']))
    assert.deepEqual(Compile(schema).Errors(message), [], JSON.stringify(message))
  }
  const timely = ['session.expiring'] // comes only near the end of a socket's life
  for (const type of Object.keys(SERVER_MESSAGES).filter((name) => !timely.includes(name)))
    assert.ok(
      heard.some((message) => message['type'] === type),
      type,
    )
})
