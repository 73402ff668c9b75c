import test, { type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { probeWhile } from '../../loadtest/probe.ts'
import { reportTable } from '../../loadtest/report.ts'
import { fullRate, loadJson, loadSockets, loadStreams } from '../../loadtest/scenarios.ts'
import { SocketClient } from '../../loadtest/socket-client.ts'
import { streamRun } from '../../loadtest/stream-client.ts'
import { loopbackUrl } from '../../loadtest/target.ts'

interface Event {
  readonly type: string
  readonly sequence: number
}

const EVENTS: readonly Event[] = [
  'run.created',
  'candidate.created',
  'candidate.delta',
  'answer.revised',
  'run.completed',
].map((type, index) => ({ type, sequence: index + 1 }))

/** A server that answers every run with the same events. */
const serve = async (t: TestContext, events: readonly Event[] = EVENTS, status = 200) => {
  const bodies: unknown[] = []
  const streamTo = (response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'text/event-stream' })
    response.end(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''))
  }
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const run = body === '' ? {} : (JSON.parse(body) as { stream?: boolean })
      if (body !== '') bodies.push(run)
      if (run.stream === true) streamTo(response)
      else response.end('{}')
    })
  })
  const sockets = new WebSocketServer({
    server,
    path: '/v1/ws',
    handleProtocols: (offered) => offered.has('whetstone.v1') && 'whetstone.v1',
  })
  sockets.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { type: string; stream_id: string }
      bodies.push(message)
      for (const event of events)
        socket.send(JSON.stringify({ ...event, stream_id: message.stream_id }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.closeAllConnections()
    server.close()
  })
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), bodies }
}

const createAgent = (t: TestContext): Agent => {
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  return agent
}

const never = new AbortController().signal

test('only a server on this machine may be put under load', () => {
  for (const address of ['http://127.0.0.1:8080', 'http://localhost:1', 'http://[::1]:80'])
    assert.equal(loopbackUrl(address).protocol, 'http:')
  for (const address of [
    'http://example.com',
    'https://127.0.0.1',
    'http://10.0.0.1:80',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'nonsense',
  ])
    assert.throws(() => loopbackUrl(address), /Only a server on this machine .* not/)
})

test('a stream is timed to its first event, its first revision and its end', async (t) => {
  const { url, bodies } = await serve(t)
  const timing = await streamRun(url, { input: 'q' }, createAgent(t), never)
  assert.equal(timing.error, undefined)
  assert.equal(timing.events, EVENTS.length)
  assert.ok(timing.firstEvent! >= 0)
  assert.ok(timing.firstRevision! >= timing.firstEvent!)
  assert.ok(timing.end! >= timing.firstRevision!)
  assert.deepEqual(bodies, [{ input: 'q', stream: true }])
})

const faults: readonly [string, readonly Event[], number, RegExp][] = [
  ['a gap', EVENTS.toSpliced(2, 1), 200, /event 4 came in the place of 3/],
  ['no end', EVENTS.slice(0, -1), 200, /ended before the run did/],
  ['an event after the end', [...EVENTS, { type: 'warning', sequence: 6 }], 200, /after the end/],
  ['a failed run', EVENTS.with(4, { type: 'run.failed', sequence: 5 }), 200, /run\.failed/],
  ['a status that refuses', [], 503, /status 503/],
]

for (const [fault, events, status, expected] of faults) {
  test(`a stream with ${fault} counts as an error`, async (t) => {
    const { url } = await serve(t, events, status)
    const { error } = await streamRun(url, {}, createAgent(t), never)
    assert.match(error!, expected)
  })
}

test('a stream that is out of time counts as an error', async (t) => {
  const { url } = await serve(t)
  const { error } = await streamRun(url, {}, createAgent(t), AbortSignal.abort())
  assert.equal(error, 'out of time')
})

test('many runs share one socket, each with its own stream', async (t) => {
  const { url, bodies } = await serve(t)
  const client = await SocketClient.connect(url, never)
  t.after(() => client.close())
  const timings = await Promise.all(
    Array.from({ length: 5 }, () => client.run({ input: 'q' }, never)),
  )
  for (const { error, events } of timings) {
    assert.equal(error, undefined)
    assert.equal(events, EVENTS.length)
  }
  const ids = (bodies as { stream_id: string; type: string }[]).map(({ stream_id }) => stream_id)
  assert.equal(new Set(ids).size, 5)
  assert.deepEqual(bodies[0], { type: 'run.create', stream_id: ids[0], run: { input: 'q' } })
})

test('an error frame ends its run with the message', async (t) => {
  const frame = { type: 'error', sequence: 0, status: 503, error: { message: 'too many' } }
  const { url } = await serve(t, [frame])
  const client = await SocketClient.connect(url, never)
  t.after(() => client.close())
  assert.equal((await client.run({}, never)).error, 'status 503: too many')
})

test('a socket that closes ends its runs with an error', async (t) => {
  const { url } = await serve(t, EVENTS.slice(0, 2))
  const client = await SocketClient.connect(url, never)
  const running = client.run({}, never)
  client.close()
  assert.equal((await running).error, 'the socket was closed')
})

test('the rate of events is that of the time in which all streams were open', () => {
  const watched = (...arrivals: number[]) => ({ arrivals })
  const timings = [watched(900, 1000, 1400), watched(1999, 2000, 2500)]
  assert.equal(fullRate(timings, { from: 1000, to: 2000 }), 3)
})

test('a stream has as many samples that write at once as its burst is large', async (t) => {
  const { url, bodies } = await serve(t)
  await loadStreams(url, { streams: 1, seconds: 0.1, burst: 1 })
  await loadSockets(url, { streams: 1, seconds: 0.1, burst: 4 })
  const own = { model: 'scripted', input: 'What is 17 times 24?' }
  assert.deepEqual(bodies[0], { ...own, strategy: 'single', stream: true })
  const { run } = bodies.at(-1) as { run: object }
  assert.deepEqual(run, { ...own, strategy: 'best-of-n', options: { n: 4 } })
})

test('each scenario counts its runs and finds no errors, and the table shows them', async (t) => {
  const { url } = await serve(t)
  const load = { streams: 4, seconds: 0.5, burst: 4 }
  for (const scenario of [loadStreams, loadSockets]) {
    const { result, probe } = await probeWhile(url, () => scenario(url, load))
    assert.equal(result.errors, 0)
    assert.ok(result.runs >= 4)
    assert.equal(result.first_revision.count, result.runs)
    assert.equal(probe.server, undefined)
    assert.ok(probe.health.count >= 1)
    assert.equal(probe.healthErrors, 0)
    const table = reportTable([{ ...result, probe }])
    assert.match(
      table,
      new RegExp(
        `^${result.scenario}: 4 streams, .* 4 at a time\\), 0 errors\n  each run: .*"n":4`,
      ),
    )
    assert.match(table, /first revision +\d+ +[\d.]+/)
  }
})

test('whole answers are loaded by connections', async (t) => {
  const { url, bodies } = await serve(t)
  const result = await loadJson(url, { streams: 2, seconds: 1 })
  assert.equal(result.errors, 0)
  assert.ok(result.latency.count > 0 && result.requests_per_second > 0)
  assert.deepEqual(bodies[0], {
    model: 'scripted',
    strategy: 'single',
    input: 'What is 17 times 24?',
  })
})
