import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test, { type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import {
  createClient,
  type ClientOptions,
  type RunEvent,
  type RunSocket,
} from '../../src/client/index.ts'
import { MAX_HELD } from '../../src/client/socket-stream.ts'
import { endless, FakeRuns, refinement, scripted, type Body } from '../support/fake-runs.ts'
import { listen, type TestServer } from '../support/http-server.ts'

const retry = { attempts: 3, delayMs: 1 }

const open = (
  t: TestContext,
  { url }: TestServer,
  options: Partial<ClientOptions> = {},
): RunSocket => {
  const socket = createClient({ baseUrl: url, retry, WebSocket, ...options }).socket()
  t.after(() => socket.close())
  return socket
}

const all = async (events: AsyncIterable<RunEvent>): Promise<RunEvent[]> => {
  const found: RunEvent[] = []
  for await (const event of events) found.push(event)
  return found
}

/** Sockets that die with their n-th event. */
const dyingAfter = (events: number) =>
  class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      let heard = 0
      this.on('message', () => {
        if (++heard === events) this.terminate()
      })
    }
  }

test('many runs share a socket, each with its own log', async (t) => {
  const server = await listen(t)
  const socket = open(t, server)
  const logs = await Promise.all(
    Array.from({ length: 10 }, () => all(socket.stream({ input: 'What?' }))),
  )
  assert.equal(new Set(logs.map(([first]) => first!.run_id)).size, 10)
  for (const log of logs) {
    assert.deepEqual(log, server.runs.entries.get(log[0]!.run_id)!.events)
  }
  assert.equal(server.app.websocketServer.clients.size, 1)
})

test('a run goes on where its socket died, behind any event', async (t) => {
  const server = await listen(t)
  for (let events = 1; events <= refinement.length; events++) {
    const socket = open(t, server, { WebSocket: dyingAfter(events) })
    const log = await all(socket.stream({ input: 'What?' }))
    assert.deepEqual(log, server.runs.entries.get(`run_${events}`)!.events, `died at ${events}`)
    socket.close()
  }
})

test('a run is taken up behind any event', async (t) => {
  const server = await listen(t)
  const socket = open(t, server)
  const log = await all(socket.stream({ input: 'What?' }))
  for (let after = 0; after < log.length; after++) {
    assert.deepEqual(await all(socket.events('run_1', { after })), log.slice(after))
  }
})

test('a reader that is slow holds a bounded number of events and misses none', async (t) => {
  const deltas: Body[] = Array.from({ length: 2 * MAX_HELD }, (_, at) => ({
    type: 'candidate.delta',
    candidate: 0,
    text: `${at} `,
  }))
  const bodies = [refinement[0]!, ...deltas, refinement.at(-1)!]
  const server = await listen(t, new FakeRuns(scripted(bodies)))
  const socket = open(t, server)
  const heard: number[] = []
  for await (const { sequence } of socket.stream({ input: 'What?' })) {
    if (sequence === 1) await socket.ping() // by then the server has sent what it may
    heard.push(sequence)
  }
  assert.deepEqual(
    heard,
    Array.from({ length: bodies.length + 1 }, (_, at) => at + 1),
  )
})

test('breaking off cancels a run that was started, not one that was only watched', async (t) => {
  const server = await listen(t, new FakeRuns(endless(refinement.slice(0, 3))))
  const socket = open(t, server)
  for await (const event of socket.stream({ input: 'What?' }, { onLeave: 'continue' })) {
    if (event.type === 'candidate.delta') break
  }
  for await (const event of socket.events('run_1')) if (event.type === 'candidate.delta') break
  await socket.ping()
  assert.deepEqual(server.runs.cancelled, [])
  const stop = new AbortController()
  const cancelled = new Promise<string>((resolve) => (server.runs.onCancel = resolve))
  await assert.rejects(
    async () => {
      for await (const event of socket.stream({ input: 'What?' }, { signal: stop.signal }))
        if (event.type === 'candidate.delta') stop.abort(new Error('enough'))
    },
    { message: 'enough' },
  )
  assert.equal(await cancelled, 'run_2')
})

test('steering, cancel, feedback and ping are answered', async (t) => {
  const server = await listen(t, new FakeRuns(endless(refinement.slice(0, 3))))
  const socket = open(t, server)
  const log: RunEvent[] = []
  for await (const event of socket.stream({ input: 'What?' })) {
    log.push(event)
    if (event.type === 'candidate.delta' && event.text === '41.') {
      await socket.steer('run_1', { action: 'hint', text: 'Count again.' })
      await socket.cancel('run_1')
    }
  }
  assert.deepEqual(
    log.slice(-2).map(({ type }) => type),
    ['run.steered', 'run.cancelled'],
  )
  const note = await socket.feedback('run_1', { metric: 'correct', value: false, source: 'user' })
  assert.equal(note.run_id, 'run_1')
  await assert.rejects(socket.cancel('run_9'), { code: 'run_not_found', status: 404 })
})

test('what the server refuses is thrown where it was asked for', async (t) => {
  const socket = open(t, await listen(t))
  await assert.rejects(all(socket.stream({ input: 'What?', strategy: 'none' })), {
    code: 'unknown_strategy',
    param: 'strategy',
  })
  await assert.rejects(all(socket.stream({ input: 'What?', budget: { calls: 0 } })), {
    fields: [{ pointer: '/run/budget/calls', message: 'must be >= 1' }],
  })
  assert.equal((await all(socket.stream({ input: 'What?' }))).at(-1)?.type, 'run.completed')
})

test('the key goes with the socket, and a wrong one is told as such', async (t) => {
  const keys = [{ name: 'ann', sha256: createHash('sha256').update('secret').digest('hex') }]
  const server = await listen(t, new FakeRuns(), { keys })
  await assert.rejects(all(open(t, server).stream({ input: 'What?' })), { status: 401 })
  const log = await all(open(t, server, { apiKey: 'secret' }).stream({ input: 'What?' }))
  assert.equal(log.at(-1)?.type, 'run.completed')
})

test('a socket that was closed fails what is still read, and nobody’s silence is waited for', async (t) => {
  const server = await listen(t, new FakeRuns(endless(refinement.slice(0, 3))))
  const socket = open(t, server)
  await assert.rejects(
    async () => {
      for await (const event of socket.stream({ input: 'What?' }))
        if (event.type === 'candidate.delta') socket.close()
    },
    { code: 'connection_failed' },
  )
  const nowhere = createClient({ baseUrl: 'http://127.0.0.1:9', retry, WebSocket }).socket()
  await assert.rejects(all(nowhere.events('run_1')), { code: 'connection_failed' })
})
