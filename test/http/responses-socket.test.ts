/** What a client of the WebSocket of `/v1/responses` can make the server hold. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import test, { type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import type { RunState } from '../../src/core/run-state.ts'
import { endless, FakeRuns, refinement } from '../support/fake-runs.ts'
import { listen, type TestServer } from '../support/http-server.ts'

interface Said {
  readonly type: string
  readonly status?: number
  readonly error?: { readonly code: string; readonly message: string }
}

const open = async (t: TestContext, { url }: TestServer) => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`)
  t.after(() => socket.terminate())
  const heard: Said[] = []
  let wake = (): void => undefined
  socket.on('message', (data) => {
    heard.push(JSON.parse((data as Buffer).toString()) as Said)
    wake()
  })
  await once(socket, 'open')
  const until = async (isEnough: () => boolean): Promise<void> => {
    while (!isEnough()) await new Promise<void>((resolve) => (wake = resolve))
  }
  const say = (message: object): void => socket.send(JSON.stringify(message))
  return { socket, heard, say, until }
}

const steer = { type: 'response.steer', previous_response_id: 'resp_1', input: 'Shorter.' }

test('a response takes so many hints and then says that it takes no more', async (t) => {
  const server = await listen(t, new FakeRuns(endless(refinement.slice(0, 3))))
  const { say, heard, until } = await open(t, server)
  say({ type: 'response.create', model: 'pebble', input: 'What?' })
  await until(() => heard.some(({ type }) => type === 'response.in_progress'))
  for (let at = 0; at < 500; at++) say(steer)
  const answers = () => heard.filter(({ type }) => type.startsWith('response.steer'))
  await until(() => answers().length === 500)
  const accepted = answers().filter(({ type }) => type === 'response.steer.accepted')
  assert.equal(accepted.length, 64)
  const refused = answers().at(-1)!
  assert.equal(refused.error?.code, 'rate_limit_exceeded')
  assert.match(refused.error.message, /steered 64 times/)
  const { steering } = await server.runs.get('run_1', '')
  assert.equal(steering.length, 64)
})

/** Steering that never comes back. */
class StuckRuns extends FakeRuns {
  steered = 0

  override steer(): Promise<RunState> {
    this.steered++
    return new Promise(() => undefined)
  }
}

test('a flood of messages waits in the client, not in the server', async (t) => {
  const runs = new StuckRuns(endless(refinement.slice(0, 3)))
  const server = await listen(t, runs)
  const { say, heard, until } = await open(t, server)
  say({ type: 'response.create', model: 'pebble', input: 'What?' })
  await until(() => heard.some(({ type }) => type === 'response.in_progress'))
  for (let at = 0; at < 1000; at++) say(steer)
  const [held] = server.app.websocketServer.clients
  while (!held!.isPaused) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(runs.steered, 1)
})

test('faults of a client that does not read are not kept for it without end', async (t) => {
  const server = await listen(t)
  const { socket } = await open(t, server)
  const [held] = server.app.websocketServer.clients
  socket.pause()
  const fault = JSON.stringify({ type: 'nonsense', stream_id: 'a'.repeat(250) })
  while (!held!.isPaused || held!.bufferedAmount === 0) {
    for (let at = 0; at < 1000; at++) socket.send(fault)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(held!.bufferedAmount < 65_536, `buffers ${held!.bufferedAmount} bytes`)
})

test('a socket that is old tells so and ends', async (t) => {
  const server = await listen(t, new FakeRuns(), { limits: { socketSeconds: 0.05 } })
  const { socket, heard } = await open(t, server)
  const [code] = (await once(socket, 'close')) as [number]
  assert.equal(code, 1001)
  assert.equal(heard[0]?.error?.code, 'websocket_connection_limit_reached')
})
