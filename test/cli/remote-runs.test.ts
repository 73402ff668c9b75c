import test, { type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RefineError } from '../../src/core/errors.ts'
import type { RunEvent } from '../../src/core/event.ts'
import { remoteRuns } from '../../src/cli/remote-runs.ts'
import { listen } from '../support/http-server.ts'
import { assertWithin } from '../support/within.ts'
import { RUN } from './fixtures.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void

const serve = async (t: TestContext, handler: Handler) => {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => handler(request, response, body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const frame = (event: RunEvent): string =>
  `id: ${event.sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

const collect = async (events: AsyncIterable<RunEvent>): Promise<RunEvent[]> => {
  const all: RunEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

const never = new AbortController().signal

test('a run is started with a stream and its events are read, in whatever pieces they come', async (t) => {
  const seen: string[] = []
  const baseUrl = await serve(t, ({ method, url: path, headers }, response, body) => {
    seen.push(`${method} ${path} ${headers.authorization} ${body}`)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const bytes = Buffer.from(`: hello\n\n${RUN.map(frame).join('')}`)
    for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7))
    response.end()
  })
  const runs = remoteRuns({ baseUrl, apiKey: 'secret' })
  assert.deepEqual(await collect(runs.start({ input: 'q' }, never)), RUN)
  assert.deepEqual(seen, [
    'POST /v1/runs Bearer secret {"grace_seconds":30,"input":"q","stream":true}',
  ])
})

test('a broken stream is taken up again behind the last event', async (t) => {
  const paths: string[] = []
  const baseUrl = await serve(t, ({ url: path = '', headers }, response) => {
    const after = Number(headers['last-event-id'] ?? 0)
    paths.push(`${path} ${after}`)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const next = RUN.slice(after, after + 6)
    const isLast = next.at(-1) === RUN.at(-1)
    response.write(next.map(frame).join(''), () => {
      if (isLast) response.end()
      else response.destroy()
    })
  })
  const events = await collect(
    remoteRuns({ baseUrl, retry: { delayMs: 1 } }).start({ input: 'q' }, never),
  )
  assert.deepEqual(events, RUN)
  assert.deepEqual(paths, ['/v1/runs 0', '/v1/runs/run_1/events 6', '/v1/runs/run_1/events 12'])
})

test('a stream that never comes back is given up after the attempts', async (t) => {
  const paths: string[] = []
  const baseUrl = await serve(t, ({ url: path = '' }, response) => {
    paths.push(path)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(paths.length === 1 ? frame(RUN[0]!) : '')
  })
  const runs = remoteRuns({ baseUrl, retry: { attempts: 2, delayMs: 1 } })
  await assert.rejects(collect(runs.start({ input: 'q' }, never)), /stream ended before the run/)
  const events = '/v1/runs/run_1/events'
  assert.deepEqual(paths, ['/v1/runs', events, events, events, '/v1/runs/run_1/cancel'])
})

test('an abort ends the wait for the next attempt', async (t) => {
  const baseUrl = await serve(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(frame(RUN[0]!))
  })
  const runs = remoteRuns({ baseUrl, retry: { delayMs: 60_000, maxDelayMs: 60_000 } })
  await assertWithin(t, 10_000, async () => {
    const start = performance.now()
    const events = await collect(runs.start({ input: 'q' }, AbortSignal.timeout(500)))
    assert.equal(events.length, 1)
    return performance.now() - start
  })
})

test('what the server refuses is told with its words and its code', async (t) => {
  const baseUrl = await serve(t, (_request, response) => {
    response.writeHead(404, { 'content-type': 'application/problem+json' })
    response.end(
      JSON.stringify({ detail: 'There is no model "x".', error: { code: 'unknown_model' } }),
    )
  })
  await assert.rejects(
    collect(remoteRuns({ baseUrl }).start({ input: 'q' }, never)),
    (thrown) =>
      thrown instanceof RefineError &&
      thrown.code === 'unknown_model' &&
      thrown.message === 'The server answered 404: There is no model "x".',
  )
})

test('where no server answers, its address is told', async (t) => {
  const baseUrl = await serve(t, (request) => request.socket.destroy())
  await assert.rejects(
    remoteRuns({ baseUrl }).models(),
    (thrown) => thrown instanceof RefineError && thrown.message.includes(baseUrl),
  )
})

test('an abort ends the events without an error, cancels the run and closes the connection', async (t) => {
  const controller = new AbortController()
  let closed = (): void => undefined
  const left = new Promise<void>((resolve) => (closed = resolve))
  const paths: string[] = []
  const baseUrl = await serve(t, ({ url: path = '' }, response) => {
    paths.push(path)
    if (path.endsWith('/cancel')) {
      response.end('{}')
      return
    }
    response.on('close', closed)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(frame(RUN[0]!))
  })
  const events: RunEvent[] = []
  for await (const event of remoteRuns({ baseUrl }).start({ input: 'q' }, controller.signal)) {
    events.push(event)
    controller.abort()
  }
  await left
  assert.equal(events.length, 1)
  assert.deepEqual(paths, ['/v1/runs', '/v1/runs/run_1/cancel'])
})

test('a stream that breaks before its first event is no run to go on with', async (t) => {
  let requests = 0
  const baseUrl = await serve(t, (_request, response) => {
    requests++
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end()
  })
  await assert.rejects(
    collect(remoteRuns({ baseUrl }).start({ input: 'q' }, never)),
    (thrown) => thrown instanceof RefineError && thrown.code === 'upstream_unavailable',
  )
  assert.equal(requests, 1)
})

test('cancel, lists and a base path reach their routes', async (t) => {
  const paths: string[] = []
  const baseUrl = await serve(t, ({ method, url: path }, response) => {
    paths.push(`${method} ${path}`)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ object: 'list', data: [{ name: 'single' }] }))
  })
  const runs = remoteRuns({ baseUrl: `${baseUrl}/base` })
  await runs.cancel('run_1')
  assert.deepEqual(await runs.strategies(), [{ name: 'single' }])
  await runs.models()
  assert.deepEqual(paths, [
    'POST /base/v1/runs/run_1/cancel',
    'GET /base/v1/strategies',
    'GET /base/v1/models',
  ])
})

test('models are those alone, without each with a strategy, and with their adapters', async (t) => {
  const { url: baseUrl } = await listen(t)
  const models = await remoteRuns({ baseUrl }).models()
  assert.deepEqual(
    models.map(({ id, adapter }) => [id, adapter]),
    [['pebble', 'onnx']],
  )
})
