import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import asyncapi from '@asyncapi/parser'
import { Compile } from 'typebox/compile'
import { WebSocket } from 'ws'
import { parse } from 'yaml'
import { contentText } from '../src/core/conversation.ts'
import { EVENT_SCHEMAS } from '../src/core/event.ts'
import { asyncapiDocument } from '../src/http/asyncapi.ts'
import { RESPONSES_CLIENT_MESSAGES } from '../src/http/compat/openai-responses-message.ts'
import { RESPONSES_SERVER_MESSAGES } from '../src/http/compat/openai-responses-reply.ts'
import { CLIENT_MESSAGES } from '../src/http/websocket-message.ts'
import { SERVER_MESSAGES } from '../src/http/websocket-reply.ts'
import { endless, FakeRuns, refinement, scripted, usage, type Body } from './support/fake-runs.ts'
import { listen } from './support/http-server.ts'
import { contractText, converse } from './support/socket-contract.ts'

const root = path.resolve(import.meta.dirname, '../..')

test('the sockets’ contract in the repository is that of the server (npm run openapi)', () => {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    version: string
  }
  assert.deepEqual(parse(contractText), asyncapiDocument(version))
})

test('the sockets’ contract is valid AsyncAPI 3', async () => {
  const { document, diagnostics } = await new asyncapi.Parser().parse(contractText)
  const faults = diagnostics.filter(({ severity }) => severity <= 1)
  assert.deepEqual(
    // The parser knows of newer versions of the format itself; nothing else may be wrong.
    faults.filter(({ code }) => code !== 'asyncapi-latest-version'),
    [],
  )
  const typesOf = (channel: string): string[] =>
    document!
      .channels()
      .get(channel)!
      .messages()
      .all()
      .map((message) => message.name()!)
  const own = Object.keys({ ...CLIENT_MESSAGES, ...SERVER_MESSAGES })
  assert.equal(typesOf('socket').length, EVENT_SCHEMAS.length + own.length)
  const responses = { ...RESPONSES_CLIENT_MESSAGES, ...RESPONSES_SERVER_MESSAGES }
  assert.deepEqual(typesOf('responses'), Object.keys(responses))
})

test('a live conversation on /v1/ws, every message of it, is valid by the file', async (t) => {
  const { check, typesOf, open, until, said, heardTypes } = converse(t, 'socket')
  const ofType = (type: string) => until((message) => message['type'] === type)
  const brief = await listen(t, new FakeRuns(), { limits: { socketSeconds: 0.5 } })
  await open(brief.url) // tells that it expires
  const server = await listen(t, new FakeRuns(endless(refinement.slice(0, -1))))
  const say = await open(server.url)
  // What is wrong behind a reference is found as well.
  for (const run of [{ input: 5 }, { input: 'a', budget: { calls: 'many' } }, { colour: 'red' }])
    assert.throws(() => check('hear', { type: 'run.create', stream_id: 'a', run }))
  say({ type: 'run.create', stream_id: 'a', run: { input: 'What?', options: {}, seed: 1 } })
  await ofType('answer.revised')
  const feedback = { metric: 'm', value: 1, source: 'u' }
  say({ type: 'feedback.create', run_id: 'run_1', feedback, idempotency_key: 'k' })
  say({ type: 'run.steer', run_id: 'run_1', steering: { action: 'hint', text: 'Again.' } })
  await ofType('run.steered')
  say({ type: 'run.subscribe', stream_id: 'b', run_id: 'run_none', after: 0 })
  await ofType('error')
  say({ type: 'run.cancel', stream_id: 'a', run_id: 'run_none' })
  await ofType('message.refused')
  say({ type: 'run.unsubscribe', stream_id: 'a' })
  say({ type: 'run.subscribe', stream_id: 'c', run_id: 'run_1', after: 1 })
  say({ type: 'run.cancel', run_id: 'run_1' })
  await ofType('run.cancelled')
  say({ type: 'ping' })
  await ofType('pong')
  await ofType('session.expiring')
  assert.deepEqual([...said].toSorted(), typesOf('hear').toSorted(), 'all that a client may say')
  const heard = heardTypes()
  assert.deepEqual(
    Object.keys(SERVER_MESSAGES).filter((type) => !heard.includes(type)),
    [],
    'all that the server replies',
  )
})

const answered = (more: object, reason: 'stop' | 'length' = 'stop'): Body[] => [
  ...refinement.slice(0, 3),
  { type: 'candidate.completed', candidate: 0, finish_reason: reason, usage: { output_tokens: 2 } },
  {
    type: 'run.completed',
    answer: { text: 'It is 41.', candidate: 0, revision: 1, score: null, ...more },
    usage,
    stop_reason: 'finished',
  },
]

const CALL = {
  id: 'call_1',
  type: 'function',
  function: { name: 'look', arguments: '{}' },
} as const
const error = { code: 'upstream_unavailable', message: 'Nobody answers.' }

/** A run for each way in which a response may go, by what is asked. */
const SCRIPTS: Readonly<Record<string, readonly Body[]>> = {
  'Refine.': refinement,
  'Be short.': answered({}, 'length'),
  'Call.': answered({ text: '', tool_calls: [CALL] }),
  'Fail.': [{ type: 'run.failed', answer: null, usage, error }],
}

test('a live conversation on /v1/responses, every message of it, is valid by the file', async (t) => {
  const { check, typesOf, open, until, said, heardTypes } = converse(t, 'responses')
  const brief = await listen(t, new FakeRuns(), { limits: { socketSeconds: 0.5 } })
  await open(brief.url) // tells that it expires
  const runs = new FakeRuns(({ messages = [] }, signal) => {
    const script = SCRIPTS[contentText(messages.at(-1)!)]
    return (script === undefined ? endless(refinement.slice(0, 3)) : scripted(script))({}, signal)
  })
  const say = await open((await listen(t, runs)).url)
  const create = { type: 'response.create', model: 'pebble' }
  for (const fault of [{}, { input: 5 }, { input: 'a', colour: 'red' }, { input: 'a', tools: 1 }])
    assert.throws(() => check('hear', { ...create, ...fault }))
  for (const [at, input] of Object.keys(SCRIPTS).entries())
    say({ ...create, input, stream_id: `lane-${at}`, stream: true })
  say({ ...create, input: 'Wait.', background: true, refine: { show: 'full' } })
  const { response } = await until(({ type }) => type === 'response.queued')
  const { id } = response as { id: string }
  const ofType = (type: string) => until((message) => message['type'] === type)
  say({ type: 'response.steer', previous_response_id: id, input: 'Shorter.' })
  await ofType('response.steer.accepted')
  say({ type: 'response.steer', previous_response_id: 'resp_none', input: 'Shorter.' })
  await ofType('response.steer.failed')
  say({ type: 'response.retrieve', response_id: 'resp_none', stream_id: 'x', starting_after: 1 })
  await until(({ type, stream_id }) => type === 'error' && stream_id === 'x')
  await until(({ type, stream_id }) => type === 'error' && stream_id === undefined)
  for (const type of typesOf('say')) await ofType(type)
  assert.deepEqual(heardTypes().toSorted(), typesOf('say').toSorted(), 'all that it says')
  assert.deepEqual([...said].toSorted(), typesOf('hear').toSorted(), 'all that a client may say')
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
  say({ type: 'run.create', stream_id: 'a', run: { input: 'What?' } })
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
