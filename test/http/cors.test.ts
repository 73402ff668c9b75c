import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { loadConfig } from '../../src/config.ts'
import { openPage } from '../support/browser.ts'
import { FakeRuns } from '../support/fake-runs.ts'
import { buildServer, listen } from '../support/http-server.ts'

const APP = 'https://app.example'
const KEYS = [{ name: 'ann', sha256: createHash('sha256').update('secret').digest('hex') }]

/** What the clients of OpenAI and Anthropic and ours send from a browser. */
const SENT = [
  'authorization',
  'x-api-key',
  'anthropic-version',
  'anthropic-beta',
  'anthropic-dangerous-direct-browser-access',
  'openai-organization',
  'x-stainless-retry-count',
  'traceparent',
  'last-event-id',
  'idempotency-key',
  'content-type',
].join(', ')

const preflight = (app: FastifyInstance, origin: string, url = '/v1/chat/completions') =>
  app.inject({
    method: 'OPTIONS',
    url,
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': SENT,
    },
  })

test('pages of other origins are left out unless they are named', async (t) => {
  const app = await buildServer(t)
  assert.equal((await preflight(app, APP)).statusCode, 405)
  const reply = await app.inject({ url: '/v1/models', headers: { origin: APP } })
  assert.ok(!Object.keys(reply.headers).some((name) => name.startsWith('access-control')))
})

test('a preflight needs no key and allows every header that clients send', async (t) => {
  const app = await buildServer(t, undefined, { origins: [APP], keys: KEYS })
  const { statusCode, headers } = await preflight(app, APP)
  assert.equal(statusCode, 204)
  assert.equal(headers['access-control-allow-origin'], APP)
  assert.equal(headers['access-control-allow-headers'], SENT)
  assert.match(String(headers['access-control-allow-methods']), /POST.*PATCH.*DELETE/)
  assert.equal(headers['access-control-allow-credentials'], undefined)
  const elsewhere = await preflight(app, 'https://app.example.evil')
  assert.equal(elsewhere.headers['access-control-allow-origin'], undefined)
})

test('replies, errors among them, can be read by the pages that were named', async (t) => {
  const app = await buildServer(t, undefined, {
    origins: [APP, 'http://localhost:3000'],
    keys: KEYS,
  })
  for (const [key, status] of [
    ['secret', 200],
    ['wrong', 401],
  ] as const) {
    const headers = { origin: 'http://localhost:3000', 'x-api-key': key }
    const reply = await app.inject({ url: '/v1/models', headers })
    assert.equal(reply.statusCode, status)
    assert.equal(reply.headers['access-control-allow-origin'], 'http://localhost:3000')
    assert.equal(reply.headers['access-control-expose-headers'], '*')
    assert.match(String(reply.headers.vary), /origin/i)
  }
})

test('other requests with OPTIONS are refused as before, and unknown paths are unknown', async (t) => {
  const app = await buildServer(t, undefined, { origins: ['*'] })
  const plain = await app.inject({ method: 'OPTIONS', url: '/v1/runs' })
  assert.deepEqual([plain.statusCode, plain.headers.allow], [405, 'POST, GET, HEAD'])
  assert.equal((await app.inject({ url: '/v1/nowhere' })).statusCode, 404)
  assert.equal((await preflight(app, APP)).headers['access-control-allow-origin'], '*')
})

/** A page that holds nothing, of an origin of its own. */
const servePage = async (t: TestContext): Promise<string> => {
  const server = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>App</title>'),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('in a browser a page of another origin streams a run and opens a socket, one not named cannot', async (t) => {
  const origin = await servePage(t)
  const { url } = await listen(t, new FakeRuns(), { origins: [origin], keys: KEYS })
  const { page } = await openPage(t)
  await page.goto(origin)
  const seen = await page.evaluate(async (api) => {
    const reply = await fetch(`${api}/v1/runs`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer secret',
        'content-type': 'application/json',
        'idempotency-key': 'k1',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        'x-stainless-lang': 'js',
        'last-event-id': '0',
      },
      body: JSON.stringify({ input: 'What is 6 × 7?', stream: true }),
    })
    const text = await reply.text()
    const socket = new WebSocket(`${api.replace('http', 'ws')}/v1/ws`, [
      'whetstone.v1',
      `bearer.${btoa('secret')}`,
    ])
    const opened = await new Promise((resolve) => {
      socket.addEventListener('open', () => resolve(true))
      socket.addEventListener('error', () => resolve(false))
    })
    return { text, opened, id: reply.headers.get('x-request-id') }
  }, url)
  assert.match(seen.text, /event: run\.completed/)
  assert.match(seen.id ?? '', /^req_/)
  assert.equal(seen.opened, true)

  await page.goto(await servePage(t))
  const refused = await page.evaluate(
    (api) => fetch(`${api}/v1/models`, { headers: { 'x-api-key': 'secret' } }).then(String, String),
    url,
  )
  assert.match(refused, /TypeError/)
})

test('origins come from the flag or the file, and one that no browser sends is refused', () => {
  const flag = { 'cors-origin': 'https://a.example, http://localhost:3000,chrome-extension://abc' }
  const { origins } = loadConfig(flag, {})
  assert.deepEqual(origins, [
    'https://a.example',
    'http://localhost:3000',
    'chrome-extension://abc',
  ])
  assert.deepEqual(loadConfig({}, { WHETSTONE_CORS_ORIGIN: '*' }).origins, ['*'])
  assert.deepEqual(loadConfig({}, {}).origins, [])
  for (const wrong of [
    'https://a.example/',
    'https://a.example:443',
    'a.example',
    'HTTPS://A',
    'a,',
  ]) {
    assert.throws(() => loadConfig({ 'cors-origin': wrong }, {}), /--cors-origin/, wrong)
  }
})
