import assert from 'node:assert/strict'
import { connect } from 'node:net'
import test from 'node:test'
import { gzipSync } from 'node:zlib'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { FakeRuns } from '../support/fake-runs.ts'
import { buildServer, listen } from '../support/http-server.ts'

const json = { 'content-type': 'application/json' }

/** Body, status, and a word that the answer must name. */
const BAD: readonly [string, unknown, number, string][] = [
  ['an unknown strategy', { input: 'a', strategy: 'magic' }, 404, 'magic'],
  ['an unknown model', { input: 'a', model: 'granite' }, 404, 'granite'],
  ['a number for text', { input: 5 }, 400, '/input'],
  ['text for a number', { input: 'a', seed: '7' }, 400, '/seed'],
  ['an unknown field', { input: 'a', colour: 'red' }, 400, '/colour'],
  ['an unknown field deep inside', { input: 'a', budget: { euros: 1 } }, 400, '/budget/euros'],
  ['no question', {}, 400, '/input'],
  ['no messages', { messages: [] }, 400, '/messages'],
  ['two questions', { input: 'a', messages: [{ role: 'user', content: 'b' }] }, 400, '/input'],
  [
    'an answer at the end',
    { messages: [{ role: 'assistant', content: 'b' }] },
    400,
    '/messages/0/role',
  ],
  ['a strange role', { messages: [{ role: 'robot', content: 'b' }] }, 400, '/messages/0/role'],
  ['an empty message', { messages: [{ role: 'user', content: '' }] }, 400, '/messages/0/content'],
  ['a negative budget', { input: 'a', budget: { calls: -1 } }, 400, '/budget/calls'],
  ['an absurd budget', { input: 'a', budget: { tokens: 1e300 } }, 400, '/budget/tokens'],
  ['a fraction of a call', { input: 'a', budget: { calls: 1.5 } }, 400, '/budget/calls'],
  ['a stream in the background', { input: 'a', stream: true, background: true }, 400, '/stream'],
  ['a list', [], 400, 'body'],
  ['nothing but null', null, 400, 'body'],
]

for (const [name, payload, status, word] of BAD) {
  test(`${name} is refused with ${status}, naming ${word}`, async (t) => {
    const app = await buildServer(t)
    const request = { method: 'POST', headers: json, payload: JSON.stringify(payload) } as const
    const reply = await app.inject({ ...request, url: '/v1/runs' })
    assert.equal(reply.statusCode, status)
    assert.match(String(reply.headers['content-type']), /^application\/problem\+json/)
    const { detail, error, title, type, status: told } = reply.json()
    assert.ok(detail.includes(word), detail)
    assert.equal(error.message, detail)
    assert.equal(told, status)
    assert.ok(title.length > 0 && type.startsWith('urn:'))
  })
}

test('broken JSON is the caller’s fault', async (t) => {
  const app = await buildServer(t)
  const cases = [
    ['{', /not valid JSON/],
    ['input=a', /not valid JSON/],
    ['{"__proto__": {"a": 1}}', /No key may be `__proto__`/],
    ['{"a": {"constructor": {"prototype": 1}}}', /No key may be `__proto__`, nor `constructor`/],
  ] as const
  for (const [payload, said] of cases) {
    const reply = await app.inject({ method: 'POST', url: '/v1/runs', headers: json, payload })
    assert.equal(reply.statusCode, 400)
    assert.match(reply.json().detail, said)
  }
})

test('a query holds what JSON would hold, and nothing that could only be guessed', async (t) => {
  const app = await buildServer(t)
  const bad = [
    'limit=true',
    'limit=1.5',
    'limit=0x10',
    'limit=%2010',
    'limit=',
    'limit=1&limit=2',
    'order=up',
  ]
  for (const query of bad) {
    const reply = await app.inject(`/v1/runs?${query}`)
    assert.equal(reply.statusCode, 400, query)
    assert.match(reply.json().detail, /^\/(limit|order) must be/)
  }
  for (const query of ['minimum_margin=true', 'consented_only=yes', 'minimum_margin=1e400'])
    assert.equal((await app.inject(`/v1/exports?format=sft&${query}`)).statusCode, 400, query)
  const good = 'format=sft&minimum_margin=1e-2&consented_only=true&where=a%3Dtrue'
  assert.equal((await app.inject('/v1/runs?limit=10')).statusCode, 200)
  assert.equal((await app.inject(`/v1/exports?${good}`)).statusCode, 200)
})

test('JSON nested without end is refused rather than followed', async (t) => {
  const app = await buildServer(t)
  const payload = `{"input":"a","metadata":{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`
  const reply = await app.inject({ method: 'POST', url: '/v1/runs', headers: json, payload })
  assert.equal(reply.statusCode, 400)
  assert.match(reply.json().detail, /64 levels/)
})

test('anything but JSON is an unsupported media type', async (t) => {
  const app = await buildServer(t)
  for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded']) {
    const headers = { 'content-type': type }
    const reply = await app.inject({ method: 'POST', url: '/v1/runs', headers, payload: 'a=1' })
    assert.deepEqual([reply.statusCode, reply.json().error.code], [415, 'unsupported_media_type'])
  }
})

test('a body that is packed, or no text in UTF-8, is told so and not taken for something else', async (t) => {
  const app = await buildServer(t)
  const send = async (payload: Buffer, headers: Record<string, string> = {}) => {
    const told = { 'content-type': 'application/json', ...headers }
    const reply = await app.inject({ method: 'POST', url: '/v1/runs', payload, headers: told })
    return [reply.statusCode, reply.json().detail]
  }
  const text = JSON.stringify({ input: 'Grüße' })
  const [packed, plain] = [gzipSync(text), Buffer.from(text)]
  assert.deepEqual(await send(packed, { 'content-encoding': 'gzip' }), [
    415,
    'The body must come as it is, without content-encoding.',
  ])
  assert.deepEqual(await send(Buffer.from(text, 'latin1')), [400, 'The body is not valid UTF-8'])
  assert.equal((await send(plain, { 'content-encoding': 'identity' }))[0], 200)
  const charset = { 'content-type': 'application/json; charset=utf-8' }
  assert.equal((await send(Buffer.concat([Buffer.from('\ufeff'), plain]), charset))[0], 200)
})

test('a wrong path is told from a wrong method', async (t) => {
  const app = await buildServer(t)
  const wrongPath = await app.inject('/v1/nowhere')
  assert.deepEqual([wrongPath.statusCode, wrongPath.json().error.code], [404, 'not_found'])
  const wrongMethod = await app.inject({ method: 'PUT', url: '/v1/runs/run_1' })
  assert.equal(wrongMethod.statusCode, 405)
  assert.match(String(wrongMethod.headers.allow), /GET/)
  const wrongBytes = await app.inject('/v1/runs/%E0%A4%A')
  assert.equal(wrongBytes.statusCode, 400)
  assert.match(String(wrongBytes.headers['content-type']), /^application\/problem\+json/)
})

test('what is too long to be read, or no HTTP at all, gets a problem like any other', async (t) => {
  const { url } = await listen(t)
  const { port } = new URL(url)
  const ask = async (text: string): Promise<string> => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(text)
    return String(Buffer.concat(await socket.toArray()))
  }
  const long = await ask(`GET /v1/runs?after=${'x'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`)
  assert.match(long, /^HTTP\/1\.1 431 .*application\/problem\+json.*"code":"headers_too_large"/s)
  const odd = await ask('HELLO\r\n\r\n')
  assert.match(odd, /^HTTP\/1\.1 400 .*application\/problem\+json.*"code":"invalid_request"/s)
})

test('an unexpected error keeps its text inside and is logged once', async (t) => {
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const runs = new FakeRuns()
  runs.create = async () => {
    throw new Error('password=hunter2')
  }
  const app = await buildServer(t, runs, { log: pino({ level: 'info' }, sink) })
  const reply = await app.inject({ method: 'POST', url: '/v1/runs', payload: { input: 'a' } })
  assert.equal(reply.statusCode, 500)
  assert.equal(reply.json().error.code, 'internal')
  assert.ok(!reply.body.includes('hunter2'))
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, /hunter2/)
})
