/** Connections that die on the server's side at every event of a run that goes on: what is taken up behind it is the rest. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { WebSocket } from 'ws'
import { FakeRuns, refinement, type Script } from '../support/fake-runs.ts'
import { listen, type TestServer } from '../support/http-server.ts'
import { post } from '../support/sse-client.ts'

interface Numbered {
  readonly sequence: number
}

/** One event a turn of the event loop, so that the run goes on while its readers come and go. */
const unhurried: Script = async function* () {
  for (const body of refinement) {
    await turn()
    await turn()
    yield body
  }
}

/** Reads what follows `after` and tells of each event; resolves when the stream ends or its connection dies. */
type Read = (after: number, see: (event: Numbered) => void) => Promise<void>

/** Reads the whole, with the connection cut once `at` events have been seen. */
const readWithCut = async (at: number, cut: () => void, read: Read): Promise<Numbered[]> => {
  const seen: Numbered[] = []
  await read(0, (event) => {
    seen.push(event)
    if (seen.length === at) cut()
  })
  // What was on its way when the connection died has come, or comes again.
  await read(seen.at(-1)!.sequence, (event) => void seen.push(event))
  return seen
}

const readSse = async (
  url: string,
  headers: object,
  see: (data: string) => void,
): Promise<void> => {
  const ask = () => fetch(url, { headers: headers as Record<string, string> })
  // A connection that was kept open for the next request may have been cut with the others.
  const reply = await ask().catch(ask)
  if (reply.status === 204) return
  assert.equal(reply.status, 200)
  const events = reply
    .body!.pipeThrough(new TextDecoderStream() as never)
    .pipeThrough(new EventSourceParserStream())
  try {
    for await (const { data } of events) see(data)
  } catch {
    // the connection was cut
  }
}

const begin = async (t: TestContext): Promise<TestServer> => listen(t, new FakeRuns(unhurried))
const create = async (address: string, body: object): Promise<string> => {
  const ask = () => fetch(address, post(body))
  const reply = await ask().catch(ask)
  return ((await reply.json()) as { id: string }).id
}

const startRun = ({ url }: TestServer): Promise<string> =>
  create(`${url}/v1/runs`, { input: 'What is 6 × 7?', background: true })

const last = refinement.length + 1

test('server-sent events cut at any event are taken up whole', async (t) => {
  const server = await begin(t)
  for (let at = 1; at <= last; at++) {
    const id = await startRun(server)
    const read: Read = (after, see) =>
      readSse(`${server.url}/v1/runs/${id}/events`, { 'last-event-id': String(after) }, (data) =>
        see(JSON.parse(data) as Numbered),
      )
    const seen = await readWithCut(at, () => server.app.server.closeAllConnections(), read)
    assert.deepEqual(seen, server.runs.entries.get(id)!.events)
  }
})

test('a socket cut at any event is replaced by another that gives the rest', async (t) => {
  const server = await begin(t)
  for (let at = 1; at <= last; at++) {
    const id = await startRun(server)
    const read: Read = (after, see) =>
      new Promise((resolve) => {
        const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/ws`, 'whetstone.v1')
        socket.on('open', () =>
          socket.send(JSON.stringify({ type: 'run.subscribe', stream_id: 's', run_id: id, after })),
        )
        socket.on('message', (data) => {
          const { stream_id: _, ...event } = JSON.parse((data as Buffer).toString())
          see(event as Numbered)
          if (event.type === 'run.completed') socket.close()
        })
        socket.on('error', () => undefined)
        socket.on('close', () => resolve())
        if (after === last) socket.on('open', () => socket.close())
      })
    const cut = (): void => server.app.websocketServer.clients.forEach((peer) => peer.terminate())
    const seen = await readWithCut(at, cut, read)
    assert.deepEqual(seen, server.runs.entries.get(id)!.events)
  }
})

interface ResponseEvent {
  readonly type: string
  readonly sequence_number: number
  readonly response?: { readonly id: string }
}

/** Says the message when the socket is open, and hears what comes until the response ends or the socket does. */
const hearResponse = (server: TestServer, message: object, see: (event: ResponseEvent) => void) =>
  new Promise<void>((resolve) => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/responses`)
    socket.on('open', () => socket.send(JSON.stringify(message)))
    socket.on('message', (data) => {
      const event = JSON.parse((data as Buffer).toString()) as ResponseEvent
      see(event)
      if (event.type === 'response.completed') socket.close()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve())
  })

for (const background of [false, true]) {
  const kind = background ? 'in the background' : 'that is stored'
  test(`a response ${kind} whose socket is cut at any event is taken up whole, on another and over HTTP`, async (t) => {
    const server = await begin(t)
    const ask = { type: 'response.create', model: 'pebble', input: 'What is 6 × 7?', background }
    const whole: ResponseEvent[] = []
    await hearResponse(server, ask, (event) => whole.push(event))
    assert.ok(whole.length > 15)
    const cut = (): void => server.app.websocketServer.clients.forEach((peer) => peer.terminate())
    for (let at = 1; at < 2 * whole.length; at++) {
      const seen: ResponseEvent[] = []
      await hearResponse(server, ask, (event) => {
        seen.push(event)
        if (seen.length === Math.ceil(at / 2)) cut()
      })
      const { id } = seen[0]!.response!
      const starting_after = seen.at(-1)!.sequence_number
      if (starting_after === whole.length - 1) continue // all of it had come
      const address = `${server.url}/v1/responses/${id}?stream=true&starting_after=${starting_after}`
      const take = (event: ResponseEvent): void => void seen.push(event)
      const from = { type: 'response.retrieve', response_id: id, starting_after }
      if (at % 2 === 0) await hearResponse(server, from, take)
      else await readSse(address, {}, (data) => take(JSON.parse(data) as ResponseEvent))
      const told = seen.map(({ type, sequence_number }) => [type, sequence_number])
      assert.deepEqual(
        told,
        whole.map(({ type, sequence_number }) => [type, sequence_number]),
      )
    }
    assert.deepEqual(server.runs.cancelled, [])
  })
}

test('a response cut at any event is taken up whole', async (t) => {
  const server = await begin(t)
  const address = `${server.url}/v1/responses`
  const whole: ResponseEvent[] = []
  const body = { model: 'pebble', input: 'What is 6 × 7?', background: true }
  const id = await create(address, body)
  await readSse(`${address}/${id}?stream=true`, {}, (data) => void whole.push(JSON.parse(data)))
  assert.ok(whole.length > 15)
  const numbers = whole.map(({ sequence_number }) => sequence_number)
  assert.deepEqual(numbers, [...whole.keys()])
  for (let at = 1; at <= whole.length; at++) {
    const again = await create(address, body)
    const read: Read = (after, see) => {
      const from = after === 0 ? '' : `&starting_after=${after - 1}`
      return readSse(`${address}/${again}?stream=true${from}`, {}, (data) => {
        const event = JSON.parse(data) as ResponseEvent
        see({ ...event, sequence: event.sequence_number + 1 })
      })
    }
    const seen = await readWithCut(at, () => server.app.server.closeAllConnections(), read)
    const kept: ResponseEvent[] = []
    await readSse(`${address}/${again}?stream=true`, {}, (data) => void kept.push(JSON.parse(data)))
    const numbered = kept.map((event) => ({ ...event, sequence: event.sequence_number + 1 }))
    assert.deepEqual(seen, numbered)
    assert.equal(seen.length, whole.length)
  }
})
