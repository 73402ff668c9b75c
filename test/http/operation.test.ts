import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, get, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'node:test'
import { WebSocket } from 'ws'
import { Metrics } from '../../src/http/metrics.ts'
import type { Problem } from '../../src/http/problem.ts'
import { SocketTickets, TICKET_LIFETIME } from '../../src/http/socket-tickets.ts'
import { explain } from '../../src/storage/outage.ts'
import { endless, FakeRuns } from '../support/fake-runs.ts'
import { buildServer, listen } from '../support/http-server.ts'
import { post, readEvents } from '../support/sse-client.ts'

const INPUT = { input: 'What is 6 × 7?' }
const keys = [{ name: 'ann', sha256: createHash('sha256').update('secret').digest('hex') }]
const authorization = 'Bearer secret'

test('replies and streams tell what the key may still use', async (t) => {
  const runs = new FakeRuns()
  runs.quotas = [
    { name: 'requests', quota: 100, windowSeconds: 60, remaining: 42, resetSeconds: 17 },
    { name: 'tokens', quota: 5000, windowSeconds: 60, remaining: 10, resetSeconds: 60 },
    { name: 'concurrent-runs', quota: 4, windowSeconds: undefined, remaining: 3, resetSeconds: 1 },
  ]
  const { url } = await listen(t, runs)
  const stream = await readEvents(`${url}/v1/runs`, post({ ...INPUT, stream: true }))
  const plain = await fetch(`${url}/v1/models`)
  for (const { headers } of [stream.response, plain]) {
    assert.equal(
      headers.get('ratelimit-policy'),
      '"requests";q=100;w=60, "tokens";q=5000;w=60;qu="tokens", "concurrent-runs";q=4;qu="concurrent-requests"',
    )
    assert.equal(
      headers.get('ratelimit'),
      '"requests";r=42;t=17, "tokens";r=10;t=60, "concurrent-runs";r=3;t=1',
    )
    assert.equal(headers.get('x-ratelimit-remaining-requests'), '42')
    assert.equal(headers.get('x-ratelimit-reset-tokens'), '60s')
  }
  stream.leave()
  assert.equal((await fetch(`${url}/healthz`)).headers.get('ratelimit'), null)
})

test('metrics count runs, tokens, streams, sockets and what the store did not take', async (t) => {
  const runs = new FakeRuns()
  runs.load = () => ({ running: 0, waiting: 0, unstored: 3, storeRetries: 2, lostEvents: 1 })
  const { url } = await listen(t, runs)
  const state = (await (await fetch(`${url}/v1/runs`, post(INPUT))).json()) as never
  for (const observer of runs.observers) observer.ended(state, 0.2)
  runs.script = endless()
  const stream = await readEvents(`${url}/v1/runs`, post({ ...INPUT, stream: true }))
  const chat = { model: 'pebble', messages: [{ role: 'user', content: 'Go.' }], stream: true }
  const leaving = new AbortController()
  const init = { ...post(chat), signal: leaving.signal }
  await fetch(`${url}/v1/chat/completions`, init)
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'whetstone.v1')
  await once(socket, 'open')
  const reply = await fetch(`${url}/metrics`)
  assert.match(String(reply.headers.get('content-type')), /^text\/plain/)
  const text = await reply.text()
  for (const line of [
    'whetstone_runs_total{status="completed",strategy="best-of-n"} 1',
    'whetstone_tokens_total{direction="output"} 50',
    'whetstone_model_calls_total 3',
    'whetstone_first_text_seconds_count 1',
    'whetstone_runs_now{status="queued"} 0',
    'whetstone_open_streams 2',
    'whetstone_open_sockets 1',
    'whetstone_events_unstored 3',
    'whetstone_store_retries_total 2',
    'whetstone_events_lost_total 1',
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line} is not in\n${text}`)
  }
  assert.match(text, /whetstone_event_loop_delay_seconds\{quantile="0.99"\} [\d.e-]+/)
  stream.leave()
  leaving.abort()
  socket.terminate()
})

test('a database that is away is a 503 that says when to come back', async (t) => {
  const runs = new FakeRuns()
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  t.mock.method(runs, 'get', () => Promise.reject(explain(refused)))
  const { url } = await listen(t, runs)
  const reply = await fetch(`${url}/v1/runs/run_1`)
  assert.equal(reply.status, 503)
  assert.equal(reply.headers.get('retry-after'), '1')
  assert.equal(((await reply.json()) as Problem).error.code, 'storage_unavailable')
})

test('a stream whose reader left before it began is not counted as open', async (t) => {
  const metrics = new Metrics(new FakeRuns())
  t.after(() => metrics.close())
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const counted = async () => /open_streams (\d+)/.exec(await metrics.text())?.[1]
  for (const [leavesFirst, expected] of [
    [true, '0'],
    [false, '1'],
  ] as const) {
    const asked = once(server, 'request') as Promise<[unknown, ServerResponse]>
    const reader = get({ port, host: '127.0.0.1' }).on('error', () => undefined)
    const [, raw] = await asked
    const gone = once(raw, 'close')
    if (leavesFirst) {
      reader.destroy()
      await gone
    }
    metrics.countStream(raw)
    assert.equal(await counted(), expected)
    reader.destroy()
    await gone
    assert.equal(await counted(), '0')
  }
})

const open = (url: string, query: string, headers: object, protocols: string[] = []) => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws${query}`, protocols, {
    headers: headers as Record<string, string>,
  })
  socket.on('error', () => undefined)
  return new Promise<number>((resolve) => {
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode!))
    socket.on('open', () => {
      socket.terminate()
      resolve(101)
    })
  })
}

test('a ticket opens one socket, for the page it was made for', async (t) => {
  const { url } = await listen(t, new FakeRuns(), { keys })
  const origin = 'https://app.example'
  const ask = async (): Promise<string> => {
    const init = post({ origin })
    const headers = { 'content-type': 'application/json', authorization }
    const reply = await fetch(`${url}/v1/ws-tickets`, { ...init, headers })
    assert.equal(reply.status, 201)
    return ((await reply.json()) as { ticket: string }).ticket
  }
  const ticket = await ask()
  assert.equal(await open(url, `?ticket=${ticket}`, { origin }), 101)
  assert.equal(await open(url, `?ticket=${ticket}`, { origin }), 401)
  assert.equal(await open(url, `?ticket=${await ask()}`, { origin: 'https://evil.example' }), 403)
  assert.equal(await open(url, '', { origin }, ['whetstone.v1', `ticket.${await ask()}`]), 101)
  assert.equal((await fetch(`${url}/v1/models?ticket=${await ask()}`)).status, 401)
})

test('a ticket needs a key, and may be asked for without a body', async (t) => {
  const app = await buildServer(t, new FakeRuns(), { keys })
  const ask = { method: 'POST', url: '/v1/ws-tickets' } as const
  assert.equal((await app.inject(ask)).statusCode, 401)
  assert.equal((await app.inject({ ...ask, headers: { authorization } })).statusCode, 201)
  const bad = { ...ask, headers: { authorization }, payload: { origin: 'app' } }
  assert.equal((await app.inject(bad)).statusCode, 400)
})

test('a ticket is good for a minute', () => {
  const tickets = new SocketTickets()
  const ticket = tickets.issue('ann', undefined, 0)!
  assert.equal(tickets.redeem(ticket, TICKET_LIFETIME), undefined)
  assert.equal(tickets.redeem(tickets.issue('ann', undefined, 0)!, 59_999)?.owner, 'ann')
})

test('a socket is told of its end, and closed', async (t) => {
  const { url } = await listen(t, new FakeRuns(), { limits: { socketSeconds: 0.2 } })
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'whetstone.v1')
  const [data] = (await once(socket, 'message')) as [Buffer]
  assert.equal((JSON.parse(data.toString()) as { type: string }).type, 'session.expiring')
  assert.equal((await once(socket, 'close'))[0], 1001)
})

test('a socket may begin only so many runs a second', async (t) => {
  const limits = { streamsPerSocket: 2, runsPerSecond: 0.001 }
  const { url } = await listen(t, new FakeRuns(), { limits })
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'whetstone.v1')
  t.after(() => socket.terminate())
  await once(socket, 'open')
  const ends = new Promise<string[]>((resolve) => {
    const found: string[] = []
    socket.on('message', (data: Buffer) => {
      const { type, stream_id: id } = JSON.parse(data.toString()) as Record<string, string>
      if (type === 'error' || type === 'run.completed') found.push(`${id} ${type}`)
      if (found.length < 3 && type === 'run.completed') create(`s${found.length}`)
      if (found.length === 3) resolve(found)
    })
  })
  const create = (id: string): void =>
    socket.send(JSON.stringify({ type: 'run.create', stream_id: id, run: INPUT }))
  create('s0')
  assert.deepEqual(await ends, ['s0 run.completed', 's1 run.completed', 's2 error'])
})

test('a run is steered on a socket', async (t) => {
  const { url } = await listen(t, new FakeRuns(endless()))
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'whetstone.v1')
  t.after(() => socket.terminate())
  await once(socket, 'open')
  const types: string[] = []
  const steer = (steering: object): void =>
    socket.send(JSON.stringify({ type: 'run.steer', run_id: 'run_1', steering }))
  const done = new Promise<void>((resolve) => {
    socket.on('message', (data: Buffer) => {
      const { type } = JSON.parse(data.toString()) as { type: string }
      types.push(type)
      if (type === 'run.created') steer({ action: 'hint', text: 'Mind the units.' })
      if (type === 'run.steer.accepted') steer({ action: 'hint' })
      if (type === 'message.refused') resolve()
    })
  })
  socket.send(JSON.stringify({ type: 'run.create', stream_id: 'a', run: INPUT }))
  await done
  assert.deepEqual(types.toSorted(), [
    'message.refused',
    'run.created',
    'run.steer.accepted',
    'run.steered',
  ])
})
