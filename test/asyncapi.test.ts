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
import { listen } from './support/http-server.ts'

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
