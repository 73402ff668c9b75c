import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { assertWithin } from '../support/within.ts'
import test from 'node:test'
import type { RunEvent } from '../../src/core/event.ts'
import { foldRun } from '../../src/core/run-state.ts'
import { endless, FakeRuns, refinement } from '../support/fake-runs.ts'
import { FloodRuns, settled } from '../support/flood-runs.ts'
import { listen } from '../support/http-server.ts'
import { post, readEvents } from '../support/sse-client.ts'

const INPUT = { input: 'What is 6 × 7?' }

/** Resolves with the milliseconds between the call and the cancellation of a run. */
const untilCancelled = (runs: FakeRuns): Promise<number> => {
  const start = performance.now()
  return new Promise((resolve) => {
    runs.onCancel = () => resolve(performance.now() - start)
  })
}

test('a streamed run is its log, event by event', async (t) => {
  const { url, runs } = await listen(t)
  const stream = await readEvents(`${url}/v1/runs`, post({ ...INPUT, stream: true }))
  assert.equal(stream.response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  assert.equal(stream.response.headers.get('cache-control'), 'no-cache, no-transform')
  assert.match(stream.response.headers.get('x-request-id') ?? '', /^req_/)
  const events = await stream.rest()
  const log = runs.entries.get('run_1')!.events
  assert.deepEqual(
    events.map(({ data }) => JSON.parse(data)),
    log,
  )
  assert.deepEqual(
    events.map(({ id, event }) => [id, event]),
    log.map(({ sequence, type }) => [String(sequence), type]),
  )
  const folded = foldRun(events.map(({ data }) => JSON.parse(data) as RunEvent))
  assert.deepEqual(folded, await (await fetch(`${url}/v1/runs/run_1`)).json())
})

test('a stream taken up behind any event gives exactly the rest of the log', async (t) => {
  const { url, runs } = await listen(t)
  await (await fetch(`${url}/v1/runs`, post(INPUT))).json()
  const log = runs.entries.get('run_1')!.events
  for (let after = 0; after <= log.length; after++) {
    const rest = log.slice(after).map(({ sequence }) => String(sequence))
    const byQuery = await readEvents(`${url}/v1/runs/run_1/events?after=${after}`)
    assert.deepEqual(
      (await byQuery.rest()).map(({ id }) => id),
      rest,
    )
    const headers = { 'last-event-id': String(after) }
    const byHeader = await readEvents(`${url}/v1/runs/run_1/events?after=0`, { headers })
    assert.deepEqual(
      (await byHeader.rest()).map(({ id }) => id),
      rest,
    )
    assert.equal(byHeader.response.status, after === log.length ? 204 : 200)
  }
})

test('a bad place to go on from, or an unknown run, is refused before the stream', async (t) => {
  const { url } = await listen(t)
  await (await fetch(`${url}/v1/runs`, post(INPUT))).json()
  const headers = { 'last-event-id': 'abc' }
  assert.equal((await fetch(`${url}/v1/runs/run_1/events`, { headers })).status, 400)
  assert.equal((await fetch(`${url}/v1/runs/run_1/events?after=-1`)).status, 400)
  assert.equal((await fetch(`${url}/v1/runs/run_9/events`)).status, 404)
})

test('a client that leaves a streamed run cancels it within 100 ms', async (t) => {
  const { url, runs } = await listen(t, new FakeRuns(endless(refinement.slice(0, 3))))
  await assertWithin(t, 100, async () => {
    const stream = await readEvents(`${url}/v1/runs`, post({ ...INPUT, stream: true }))
    await stream.next()
    const cancelled = untilCancelled(runs)
    stream.leave()
    return cancelled
  })
})

test('a client that leaves while it waits cancels the run within 100 ms', async (t) => {
  const { url, runs } = await listen(t, new FakeRuns(endless()))
  const { script } = runs
  await assertWithin(t, 100, async () => {
    const leaving = new AbortController()
    const started = new Promise<void>((resolve) => {
      runs.script = (request, signal) => {
        resolve()
        return script(request, signal)
      }
    })
    const reply = fetch(`${url}/v1/runs`, { ...post(INPUT), signal: leaving.signal })
    await started
    const cancelled = untilCancelled(runs)
    leaving.abort()
    await assert.rejects(reply)
    return cancelled
  })
})

test('a client that stays, and a reader of the events that leaves, cancel nothing', async (t) => {
  const { url, runs } = await listen(t)
  await (await fetch(`${url}/v1/runs`, post(INPUT))).json()
  runs.script = endless(refinement.slice(0, 3))
  await (await fetch(`${url}/v1/runs`, post({ ...INPUT, background: true }))).json()
  const reader = await readEvents(`${url}/v1/runs/run_2/events`)
  await reader.next()
  const entry = runs.entries.get('run_2')!
  reader.leave()
  // The reader is gone for the service when its waiter is: then a cancellation would have come.
  while (entry.wakers.size > 0) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(runs.cancelled, [])
})

test('an idle stream gets a heartbeat', async (t) => {
  const limits = { heartbeatSeconds: 0.02 }
  const { url } = await listen(t, new FakeRuns(endless()), { limits })
  const response = await fetch(`${url}/v1/runs`, post({ ...INPUT, stream: true }))
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!text.includes(': still here\n\n')) text += (await reader.read()).value
  assert.ok(text.startsWith('retry: 2000\n\n'))
  await reader.cancel()
})

const stall = async (url: string): Promise<Socket> => {
  const { port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.pause()
  socket.write('GET /v1/runs/run_1/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
  return socket
}

const closed = async (socket: Socket): Promise<void> => {
  while (!socket.closed) await new Promise((resolve) => setImmediate(resolve))
}

test('a reader that stalls makes the server buffer next to nothing, and is let go', async (t) => {
  const runs = new FloodRuns()
  const { url, app } = await listen(t, runs, { limits: { stallSeconds: 0.5 } })
  const held: Socket[] = []
  app.server.on('connection', (socket) => held.push(socket))
  await runs.create(INPUT, '')
  const client = await stall(url)
  await settled(runs)
  t.diagnostic(`took ${runs.taken} events of 10 kB, buffers ${held[0]!.writableLength} bytes`)
  assert.ok(runs.taken < 2000, `took ${runs.taken} of 20000 events`)
  assert.ok(held[0]!.writableLength < 2 * 1024 * 1024, `buffers ${held[0]!.writableLength} bytes`)
  await closed(held[0]!)
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(runs.returned, 'the source was returned')
  client.destroy()
})

test('a reader that leaves while the server waits for it lets the source go', async (t) => {
  const runs = new FloodRuns()
  const { url, app } = await listen(t, runs)
  const held: Socket[] = []
  app.server.on('connection', (socket) => held.push(socket))
  await runs.create(INPUT, '')
  const client = await stall(url)
  await settled(runs)
  assert.equal(runs.returned, false)
  client.destroy()
  await closed(held[0]!)
  while (!runs.returned) await new Promise((resolve) => setImmediate(resolve))
})

test('a server that closes ends its streams', async (t) => {
  const { url, app } = await listen(t, new FakeRuns(endless(refinement.slice(0, 3))))
  await (await fetch(`${url}/v1/runs`, post({ ...INPUT, background: true }))).json()
  const stream = await readEvents(`${url}/v1/runs/run_1/events`)
  await stream.next()
  const rest = stream.rest()
  await app.close()
  assert.equal((await rest).length, 3)
})
