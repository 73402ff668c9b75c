/** The trace of a caller (W3C Trace Context) goes on in every call of an upstream that its run makes. */
import assert from 'node:assert/strict'
import { on, once } from 'node:events'
import test, { type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import { delta, DONE, finish, startUpstream, stream, usage, type Seen } from '../models/upstream.ts'
import { serveScripted } from './real-server.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'
const headers = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'congo=t61rcWkgMzE' }
const RUN = { input: 'Why?', strategy: 'best-of-n', options: { n: 2, scorer: 'judge' } }

/** A model that takes one sample at a time and refuses its first call, so that a run makes many. */
const serveRemote = async (t: TestContext) => {
  const upstream = await startUpstream(t, (response, _, call) => {
    if (call === 2) return void response.writeHead(503).end() // the first is asked for its models
    stream(response).end(delta('{"score": 7}') + finish('stop') + usage(10, 5) + DONE)
  })
  const model =
    `  - { id: remote, adapter: openai-compatible, base_url: "${upstream.baseUrl}", prompts: full, ` +
    'capabilities: { parallel_samples: emulated } }'
  const calls = (): readonly Seen[] => upstream.seen.filter(({ body }) => 'messages' in body)
  return { ...(await serveScripted(t, model)), calls }
}

const post = async (
  url: string,
  body: object,
  given: Record<string, string>,
): Promise<Response> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...given },
    body: JSON.stringify({ model: 'remote', ...body }),
  })
  await response.arrayBuffer()
  return response
}

/** Checks that every call, tries that failed included, has the trace and a parent of its own; gives their number. */
const checkTraced = (calls: readonly Seen[]): number => {
  const told = calls.map(({ headers: { traceparent } }) => String(traceparent).split('-'))
  for (const [version, trace, , flags] of told)
    assert.deepEqual([version, trace, flags], ['00', TRACE, '01'])
  const parents = new Set([PARENT, ...told.map(([, , parent]) => parent)])
  assert.equal(parents.size, told.length + 1)
  for (const parent of parents) assert.match(parent!, /^[\da-f]{16}$/)
  for (const { headers: sent } of calls) assert.equal(sent['tracestate'], headers.tracestate)
  return told.length
}

test('drafts, judgements and second tries are spans of the trace of the request', async (t) => {
  const { url, calls } = await serveRemote(t)
  assert.equal((await post(`${url}/v1/runs`, RUN, headers)).status, 200)
  // Two drafts, one of them tried twice, and a judgement of each.
  assert.ok(checkTraced(calls()) >= 5, `${calls().length} calls`)
})

test('the trace goes on from every surface', async (t) => {
  const { url, calls } = await serveRemote(t)
  const messages = [{ role: 'user', content: 'Why?' }]
  let before = 0
  for (const [path, body] of [
    ['/v1/chat/completions', { messages, n: 2, stream: true }],
    ['/v1/responses', { input: 'Why?' }],
    ['/v1/messages', { messages, max_tokens: 10 }],
    ['/v1/runs', { input: 'Why?', background: true }],
  ] as const) {
    assert.ok((await post(url + path, body, { ...headers, prefer: 'wait=10' })).ok, path)
    const after = checkTraced(calls())
    assert.ok(after > before, path)
    before = after
  }
})

test('what a socket begins is part of the trace in which it was opened', async (t) => {
  const { url, calls } = await serveRemote(t)
  for (const [path, message, end] of [
    [
      '/v1/ws',
      { type: 'run.create', stream_id: 'a', run: { input: 'Why?', model: 'remote' } },
      'run.completed',
    ],
    [
      '/v1/responses',
      { type: 'response.create', input: 'Why?', model: 'remote' },
      'response.completed',
    ],
  ] as const) {
    const socket = new WebSocket(url.replace('http', 'ws') + path, 'whetstone.v1', { headers })
    t.after(() => socket.terminate())
    await once(socket, 'open')
    const told = on(socket, 'message')
    socket.send(JSON.stringify(message))
    for await (const [data] of told)
      if ((JSON.parse((data as Buffer).toString()) as { type: string }).type === end) break
  }
  assert.ok(checkTraced(calls()) >= 2)
})

test('an invalid traceparent is ignored, and without one no trace is made up', async (t) => {
  const { url, calls } = await serveRemote(t)
  for (const given of [{}, { ...headers, traceparent: `00-${'0'.repeat(32)}-${PARENT}-01` }])
    assert.equal((await post(`${url}/v1/runs`, RUN, given as Record<string, string>)).status, 200)
  assert.ok(calls().length >= 8)
  for (const { headers: sent } of calls())
    assert.deepEqual([sent['traceparent'], sent['tracestate']], [undefined, undefined])
})
