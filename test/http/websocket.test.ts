import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import test, { type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import { endless, FakeRuns, refinement } from '../support/fake-runs.ts'
import { FloodRuns, settled } from '../support/flood-runs.ts'
import { listen, type TestServer } from '../support/http-server.ts'

type Message = Record<string, unknown> & { type: string }

interface Client {
  readonly socket: WebSocket
  say(message: unknown): void
  /** The next message, waited for. */
  hear(): Promise<Message>
  /** Everything up to and with the first message that fits. */
  hearUntil(fits: (message: Message) => boolean): Promise<Message[]>
}

const open = async (
  t: TestContext,
  { url }: TestServer,
  protocols: string[] = ['whetstone.v1'],
): Promise<Client> => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, protocols)
  t.after(() => socket.terminate())
  const heard: Message[] = []
  let wake = (): void => undefined
  socket.on('message', (data) => {
    heard.push(JSON.parse((data as Buffer).toString()) as Message)
    wake()
  })
  await once(socket, 'open')
  const hear = async (): Promise<Message> => {
    while (heard.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return heard.shift()!
  }
  const hearUntil = async (fits: (message: Message) => boolean): Promise<Message[]> => {
    const messages: Message[] = []
    for (;;) {
      const message = await hear()
      messages.push(message)
      if (fits(message)) return messages
    }
  }
  const say = (message: unknown): void =>
    socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  return { socket, say, hear, hearUntil }
}

const create = (stream_id: string) => ({ type: 'run.create', stream_id, run: { input: 'What?' } })

test('two runs share a socket, each event with its stream', async (t) => {
  const server = await listen(t)
  const client = await open(t, server)
  assert.equal(client.socket.protocol, 'whetstone.v1')
  client.say(create('a'))
  client.say(create('b'))
  let ended = 0
  const messages = await client.hearUntil(({ type }) => type === 'run.completed' && ++ended === 2)
  for (const [stream, run] of [
    ['a', 'run_1'],
    ['b', 'run_2'],
  ] as const) {
    const own = messages.filter(({ stream_id }) => stream_id === stream)
    const log = server.runs.entries.get(run)!.events
    assert.deepEqual(
      own,
      log.map((event) => ({ ...event, stream_id: stream })),
    )
  }
  const order = messages.slice(-10).map(({ stream_id }) => stream_id)
  assert.ok(order.includes('a') && order.includes('b'), 'busy streams take turns')
})

test('a run outlives its socket and is taken up on another', async (t) => {
  const server = await listen(t, new FakeRuns(endless(refinement.slice(0, 5))))
  const first = await open(t, server, [])
  first.say(create('a'))
  await first.hearUntil(({ sequence }) => sequence === 3)
  first.socket.close()
  await once(first.socket, 'close')
  const second = await open(t, server)
  second.say({ type: 'run.subscribe', stream_id: 'x', run_id: 'run_1', after: 3 })
  assert.equal((await second.hear())['sequence'], 4)
  assert.deepEqual(server.runs.cancelled, [])
  second.say({ type: 'run.cancel', run_id: 'run_1' })
  const messages = await second.hearUntil(({ type }) => type === 'run.cancelled')
  assert.deepEqual(
    messages.map(({ sequence }) => sequence),
    [5, 6, 7],
  )
})

test('a stream that was left is silent and its name is free again', async (t) => {
  const server = await listen(t, new FakeRuns(endless(refinement.slice(0, 3))))
  const client = await open(t, server)
  client.say(create('a'))
  await client.hearUntil(({ sequence }) => sequence === 4)
  client.say(create('a'))
  const conflict = await client.hear()
  assert.deepEqual([conflict.type, conflict['status']], ['message.refused', 409])
  client.say({ type: 'run.unsubscribe', stream_id: 'a' })
  assert.deepEqual(await client.hear(), { type: 'run.unsubscribed', stream_id: 'a' })
  client.say({ type: 'run.subscribe', stream_id: 'a', run_id: 'run_1', after: 3 })
  assert.equal((await client.hear())['sequence'], 4)
})

test('bad messages are answered with errors and the socket lives', async (t) => {
  const client = await open(t, await listen(t))
  const cases: readonly [unknown, number, RegExp][] = [
    ['{', 400, /JSON/],
    ['null', 400, /type/],
    [{ type: 'run.fly', stream_id: 'a' }, 400, /run\.create/],
    [{ type: 'constructor' }, 400, /run\.create/],
    [{ ...create('a'), colour: 'red' }, 400, /colour/],
    [{ type: 'run.create', stream_id: 'a', run: { input: 5 } }, 400, /\/run\/input/],
    [{ type: 'run.create', stream_id: 'a', run: { input: 'a', strategy: 'magic' } }, 404, /magic/],
    [{ type: 'run.subscribe', stream_id: 'a', run_id: 'run_9' }, 404, /run_9/],
  ]
  for (const [message, status, words] of cases) {
    client.say(message)
    const answer = await client.hear()
    assert.deepEqual([answer.type, answer['status']], ['error', status])
    assert.match((answer['error'] as { message: string }).message, words)
  }
  client.say({ type: 'ping', stream_id: 'p' })
  assert.deepEqual(await client.hear(), { type: 'pong', stream_id: 'p' })
})

test('what is wrong with a message beside a stream does not read like its end', async (t) => {
  const client = await open(t, await listen(t, new FakeRuns(endless(refinement.slice(0, 3)))))
  client.say(create('a'))
  await client.hearUntil(({ sequence }) => sequence === 4)
  const steering = { action: 'drop', candidate: 7 }
  const feedback = { metric: 'm', value: 1, source: 'u' }
  const cases: readonly [Record<string, unknown>, number][] = [
    [{ type: 'run.steer', stream_id: 'a', run_id: 'run_1', steering }, 400],
    [{ type: 'run.steer', stream_id: 'a', run_id: 'run_1', steering: {} }, 400],
    [{ type: 'run.steer', stream_id: 'a', run_id: 'run_9', steering }, 404],
    [{ type: 'run.cancel', stream_id: 'a', run_id: 'run_9' }, 404],
    [{ type: 'run.cancel', run_id: 'run_9' }, 404],
    [{ type: 'run.cancel', stream_id: 'a' }, 400],
    [{ type: 'run.subscribe', stream_id: 'a', run_id: 'run_9' }, 409],
    [{ type: 'run.create', stream_id: 'a', run: { input: 5 } }, 400],
    [{ type: 'run.unsubscribe', stream_id: 'b' }, 400],
    [{ type: 'feedback.create', stream_id: 'a', run_id: 'run_9', feedback }, 404],
  ]
  for (const [message, status] of cases) {
    client.say(message)
    const { error, ...told } = await client.hear()
    const { type: refused, stream_id } = message
    const named = stream_id === undefined ? {} : { stream_id }
    assert.deepEqual(told, { type: 'message.refused', refused, ...named, status })
    assert.ok((error as { message: string }).message.length > 0)
  }
  client.say({ type: 'run.fly', stream_id: 'a' })
  const { type, stream_id } = await client.hear()
  assert.deepEqual([type, stream_id], ['error', undefined])
  client.say({ type: 'run.cancel', run_id: 'run_1' })
  const [end] = await client.hearUntil((message) => message.type === 'run.cancelled')
  assert.equal(end?.['stream_id'], 'a', 'the stream has gone on')
})

test('feedback can be given on the socket', async (t) => {
  const server = await listen(t)
  const client = await open(t, server)
  client.say(create('a'))
  await client.hearUntil(({ type }) => type === 'run.completed')
  const feedback = { metric: 'correct', value: false, source: 'user' }
  client.say({ type: 'feedback.create', run_id: 'run_1', feedback })
  assert.equal((await client.hear()).type, 'feedback.created')
  assert.equal(server.runs.notes[0]?.value, false)
})

test('a socket has at most its share of streams', async (t) => {
  const runs = new FakeRuns(endless())
  const client = await open(t, await listen(t, runs, { limits: { streamsPerSocket: 1 } }))
  client.say(create('a'))
  await client.hear()
  client.say(create('b'))
  const answer = await client.hear()
  assert.deepEqual([answer['stream_id'], answer['status']], ['b', 429])
})

test('a flood of messages is answered in order', async (t) => {
  const client = await open(t, await listen(t))
  for (let at = 0; at < 500; at++) client.say({ type: 'ping', stream_id: `p${at}` })
  for (let at = 0; at < 500; at++) assert.equal((await client.hear())['stream_id'], `p${at}`)
})

test('a peer that does not read makes the server buffer next to nothing', async (t) => {
  const runs = new FloodRuns()
  const server = await listen(t, runs)
  const client = await open(t, server)
  client.socket.pause()
  client.say(create('a'))
  client.say(create('b'))
  await settled(runs)
  const [held] = server.app.websocketServer.clients
  t.diagnostic(`took ${runs.taken} events of 10 kB, buffers ${held!.bufferedAmount} bytes`)
  assert.ok(runs.taken < 2000, `took ${runs.taken} of 40000 events`)
  assert.ok(held!.bufferedAmount < 2 * 1024 * 1024, `buffers ${held!.bufferedAmount} bytes`)
  client.socket.terminate()
  while (!runs.returned) await new Promise((resolve) => setImmediate(resolve))
})

test('a message that is too long closes the socket, which the server outlives', async (t) => {
  const server = await listen(t, new FakeRuns(), { limits: { messageBytes: 1000 } })
  const client = await open(t, server)
  client.socket.on('error', () => undefined)
  client.say('x'.repeat(2000))
  assert.equal((await once(client.socket, 'close'))[0], 1009)
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200)
})

test('a peer that answers no ping is cut off', async (t) => {
  const server = await listen(t, new FakeRuns(), { limits: { pingSeconds: 0.02 } })
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/ws`, { autoPong: false })
  const pings: Buffer[] = []
  socket.on('ping', (data) => pings.push(data))
  assert.equal((await once(socket, 'close'))[0], 1006)
  assert.equal(pings.length, 2)
})

const refusal = async (url: string, protocols: string[], headers: object): Promise<number> => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, protocols, {
    headers: headers as Record<string, string>,
  })
  socket.on('error', () => undefined)
  return new Promise((resolve) => {
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode!))
    socket.on('open', () => {
      socket.terminate()
      resolve(101)
    })
  })
}

test('pages of other sites may not open a socket', async (t) => {
  const { url } = await listen(t, new FakeRuns(), { origins: ['https://app.example'] })
  assert.equal(await refusal(url, [], { origin: 'https://evil.example' }), 403)
  assert.equal(await refusal(url, [], { origin: 'null' }), 403)
  assert.equal(await refusal(url, [], { origin: 'https://app.example' }), 101)
  assert.equal(await refusal(url, [], { origin: url }), 101)
  const open = await listen(t, new FakeRuns(), { origins: ['*'] })
  assert.equal(await refusal(open.url, [], { origin: 'https://evil.example' }), 101)
})

test('a socket needs a key where requests do, and a browser can give it as a subprotocol', async (t) => {
  const keys = [{ name: 'ann', sha256: createHash('sha256').update('secret').digest('hex') }]
  const { url } = await listen(t, new FakeRuns(), { keys })
  assert.equal(await refusal(url, ['whetstone.v1'], {}), 401)
  assert.equal(await refusal(url, ['whetstone.v1'], { authorization: 'Bearer secret' }), 101)
  const encoded = Buffer.from('secret').toString('base64url')
  assert.equal(await refusal(url, ['whetstone.v1', `bearer.${encoded}`], {}), 101)
})

test('an ordinary request to the socket’s address is told so', async (t) => {
  const { url } = await listen(t)
  const reply = await fetch(`${url}/v1/ws`)
  assert.equal(reply.status, 400)
  assert.match(((await reply.json()) as { detail: string }).detail, /WebSocket/)
})

test('a server that closes says so to its sockets', async (t) => {
  const server = await listen(t)
  const client = await open(t, server)
  const closed = once(client.socket, 'close')
  await server.app.close()
  assert.equal((await closed)[0], 1001)
})
