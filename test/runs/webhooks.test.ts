import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type TestContext } from 'node:test'
import { isPublicAddress, publicLookup } from '../../src/runs/public-address.ts'
import { readWebhookSecret, signWebhook } from '../../src/runs/webhook.ts'
import { WebhookDispatcher } from '../../src/runs/webhook-dispatcher.ts'
import { checkWebhookUrl, postWebhook } from '../../src/runs/webhook-request.ts'
import type { DeliveryStore } from '../../src/core/run-store.ts'
import { buildRunner, silent, temporaryFolder } from './support.ts'

const SECRET = Buffer.from('0123456789abcdef0123456789abcdef')
const { signal } = new AbortController()

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A receiver that answers with the statuses given, the last one for ever. */
const receiver = async (t: TestContext, ...statuses: readonly number[]) => {
  const received: Received[] = []
  let wake = (): void => undefined
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      received.push({ headers: request.headers, body })
      response.writeHead(statuses[Math.min(received.length, statuses.length) - 1]!).end('x')
      wake()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const until = async (count: number): Promise<void> => {
    while (received.length < count) await new Promise<void>((resolve) => (wake = resolve))
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received, until }
}

const dispatcher = (store: DeliveryStore, delays: readonly number[] = [0, 1, 1]) =>
  new WebhookDispatcher({ store, secrets: [SECRET], allowPrivate: true, log: silent, delays })

const emptied = async (store: DeliveryStore): Promise<void> => {
  while ((await store.due(Infinity, 1)).length > 0) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a signature is that of Standard Webhooks, one for each secret', () => {
  const body = '{"type":"run.completed"}'
  const one = 'v1,H/BuoN3hAyanAsArKzLAJ+ZsYXM6Wi05T7LIgvGyR78='
  assert.equal(signWebhook([SECRET], 'msg_1', 1_760_000_000, body), one)
  const other = Buffer.alloc(32, 1)
  const both = signWebhook([SECRET, other], 'msg_1', 1_760_000_000, body).split(' ')
  assert.equal(both.length, 2)
  assert.equal(both[0], one)
})

test('a secret is read as whsec_ and base64, and refused without being told', () => {
  assert.deepEqual(readWebhookSecret(`whsec_${SECRET.toString('base64')}\n`), SECRET)
  for (const text of ['whsec_', 'whsec_c2hvcnQ=', SECRET.toString('base64'), 'whsec_!!!!']) {
    assert.throws(() => readWebhookSecret(text), /must be whsec_ and 24 to 64 bytes/)
  }
})

test('only addresses of the public internet count as public', () => {
  for (const address of [
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '::1',
    '::',
    '::ffff:8.8.8.8',
    'fe80::1',
    'fc00::1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
    'nonsense',
  ]) {
    assert.equal(isPublicAddress(address), false, address)
  }
  for (const address of ['8.8.8.8', '172.32.0.1', '2606:4700::1111']) {
    assert.equal(isPublicAddress(address), true, address)
  }
})

test('an address that leads inside is refused, as a number, as a name, and when the name is looked up', async () => {
  for (const url of [
    'https://example.com/\0',
    'https://example.com/a b',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://0x7f.1/',
    'https://localhost/',
    'https://a.localhost./',
    'http://example.com/',
    'https://user:pw@example.com/',
    'file:///etc/passwd',
    'nonsense',
  ]) {
    assert.throws(() => checkWebhookUrl(url, false), /\/webhook\/url/, url)
  }
  assert.equal(checkWebhookUrl('https://example.com/hook', false).hostname, 'example.com')
  const error = await new Promise((resolve) => publicLookup('localhost', {}, resolve))
  assert.match(String(error), /does not lead to a public address/)
  await assert.rejects(postWebhook(false)('https://127.0.0.1/', {}, '', signal), /public/)
})

test('a redirect is not followed, wherever it leads: it counts as not delivered', async (t) => {
  const inside = await receiver(t, 204)
  const server = createServer((_, response) => {
    response.writeHead(307, { location: inside.url }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  assert.equal(await postWebhook(true)(`http://127.0.0.1:${port}/`, {}, '{}', signal), 307)
  assert.equal(inside.received.length, 0)
})

test('each secret signs while receivers change over', async (t) => {
  const { url, received, until } = await receiver(t, 204)
  const secrets = [SECRET, Buffer.alloc(32, 7)]
  const { runner } = buildRunner(t, {
    webhooks: (store) => new WebhookDispatcher({ store, secrets, allowPrivate: true, log: silent }),
  })
  await runner.create({ input: 'Go.', webhook: { url } }, '')
  await until(1)
  const { headers, body } = received[0]!
  const timestamp = Number(headers['webhook-timestamp'])
  const id = String(headers['webhook-id'])
  const signatures = String(headers['webhook-signature']).split(' ')
  assert.deepEqual(
    signatures,
    secrets.map((secret) => signWebhook([secret], id, timestamp, body)),
  )
})

test('the end of a run is delivered, signed, and tried again under the same id until it arrives', async (t) => {
  const { url, received, until } = await receiver(t, 500, 302, 204)
  let webhooks: WebhookDispatcher | undefined
  const { runner, store } = buildRunner(t, {
    webhooks: (deliveries) => (webhooks = dispatcher(deliveries)),
  })
  const id = await runner.create({ input: 'Go.', webhook: { url } }, '')
  await until(3)
  await emptied(store.deliveries)
  assert.equal(new Set(received.map(({ headers }) => headers['webhook-id'])).size, 1)
  const { headers, body } = received[2]!
  const timestamp = Number(headers['webhook-timestamp'])
  assert.ok(Math.abs(timestamp - Date.now() / 1000) < 60)
  assert.equal(
    headers['webhook-signature'],
    signWebhook([SECRET], String(headers['webhook-id']), timestamp, body),
  )
  const message = JSON.parse(body) as { type: string; data: { id: string; answer: object } }
  assert.deepEqual([message.type, message.data.id], ['run.completed', id])
  assert.notEqual(message.data.answer, null)
  await webhooks?.close()
  assert.equal(received.length, 3)
})

test('only the ends that were asked for are told, and a run without a webhook tells nobody', async (t) => {
  const { url } = await receiver(t, 204)
  const { runner, store } = buildRunner(t, { webhooks: dispatcher })
  const id = await runner.create({ input: 'Go.', webhook: { url, events: ['run.failed'] } }, '')
  await runner.ended(id, '', signal)
  await runner.ended(await runner.create({ input: 'Go.' }, ''), '', signal)
  assert.deepEqual(await store.deliveries.due(Infinity, 10), [])
})

test('an address that answers 410 gets no more, and is refused from then on', async (t) => {
  const { url, until } = await receiver(t, 410)
  const { runner, store } = buildRunner(t, { webhooks: dispatcher })
  await runner.create({ input: 'Go.', webhook: { url } }, '')
  await until(1)
  await emptied(store.deliveries)
  await assert.rejects(runner.create({ input: 'Go.', webhook: { url } }, ''), /410 Gone/)
  await runner.create({ input: 'Go.', webhook: { url } }, 'bob')
})

test('a delivery is given up when the schedule ends', async (t) => {
  const { url, until, received } = await receiver(t, 500)
  const { runner, store } = buildRunner(t, { webhooks: dispatcher })
  await runner.create({ input: 'Go.', webhook: { url } }, '')
  await until(3)
  await emptied(store.deliveries)
  assert.equal(received.length, 3)
})

test('what was not delivered before a restart is delivered after it', async (t) => {
  const folder = temporaryFolder()
  const { url, until, received } = await receiver(t, 503, 204)
  const slow = (store: DeliveryStore) => dispatcher(store, [0, 500])
  const first = buildRunner(t, { folder, webhooks: slow })
  await first.runner.create({ input: 'Go.', webhook: { url } }, '')
  await until(1)
  await first.runner.drain(1)
  assert.equal((await first.store.deliveries.due(Infinity, 10)).length, 1)
  await first.store.close()
  const second = buildRunner(t, { folder, webhooks: slow })
  await second.runner.recover()
  await until(2)
  await emptied(second.store.deliveries)
  assert.equal(received[0]!.headers['webhook-id'], received[1]!.headers['webhook-id'])
})

test('each try of a webhook is a span of its own of the trace of its run, also after a restart', async (t) => {
  const folder = temporaryFolder()
  const { url, until, received } = await receiver(t, 503, 204, 204)
  const slow = (store: DeliveryStore) => dispatcher(store, [0, 500])
  const first = buildRunner(t, { folder, webhooks: slow })
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const trace = { traceId, flags: '01', state: 'congo=t61rcWkgMzE' }
  await first.runner.create({ input: 'Go.', webhook: { url } }, '', trace)
  await until(1)
  await first.runner.drain(1)
  await first.store.close()
  const second = buildRunner(t, { folder, webhooks: slow })
  await second.runner.recover()
  await until(2)
  const parents = received.map(({ headers: { traceparent, tracestate } }) => {
    assert.equal(tracestate, trace.state)
    return new RegExp(`^00-${traceId}-([\\da-f]{16})-01$`).exec(String(traceparent))?.[1]
  })
  assert.equal(new Set(parents).size, 2)
  assert.ok(!parents.includes(undefined))
  await second.runner.create({ input: 'Go.', webhook: { url } }, '')
  await until(3)
  assert.equal(received[2]!.headers['traceparent'], undefined)
})

const DELIVERY = {
  id: 'msg_1',
  run_id: 'run_1',
  owner: '',
  url: 'http://localhost/',
  body: '{}',
  attempts: 0,
  due: 0,
}

/** Lets all go on that waits for neither a timer nor the network. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** With a store that fails whatever is named, until it is told otherwise. */
const withFailing = (t: TestContext, name: 'due' | 'settle') => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const state = { isDown: true, posts: 0, kept: [DELIVERY] }
  const calls = {
    due: async () => state.kept,
    nextDue: async () => undefined,
    settle: async () => void (state.kept = []),
  }
  const store = new Proxy(calls as unknown as DeliveryStore, {
    get: (target, key) =>
      key === name && state.isDown
        ? () => Promise.reject(new Error('disk full'))
        : Reflect.get(target, key),
  })
  const webhooks = new WebhookDispatcher({
    store,
    secrets: [SECRET],
    allowPrivate: true,
    log: silent,
    post: async () => (state.posts++, 204),
  })
  t.after(() => webhooks.close())
  webhooks.wake()
  return state
}

for (const [what, fails, whileDown, afterwards] of [
  ['a delivery that arrived but cannot be noted is not sent again and again', 'settle', 1, 2],
  ['deliveries that cannot be looked up are looked up again by and by', 'due', 0, 1],
] as const) {
  test(what, async (t) => {
    const state = withFailing(t, fails)
    await turns()
    assert.equal(state.posts, whileDown)
    state.isDown = false
    t.mock.timers.tick(60_000)
    await turns()
    assert.deepEqual([state.posts, state.kept], [afterwards, []])
  })
}

test('a server without a secret refuses webhooks', async (t) => {
  const { runner } = buildRunner(t)
  const webhook = { url: 'https://example.com/' }
  await assert.rejects(runner.create({ input: 'Go.', webhook }, ''), /signing secret/)
})
