/** What a request is told about itself, and what its log lines tell. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { createLog } from '../../src/telemetry/log.ts'
import { buildServer, listen } from '../support/http-server.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

test('the log lines of a request tell the trace that it is part of', async (t) => {
  const lines: string[] = []
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) } })
  const app = await buildServer(t, undefined, { log })
  const tracesFor = async (traceparent: string | undefined): Promise<unknown[]> => {
    lines.length = 0
    const headers = traceparent === undefined ? {} : { traceparent }
    await app.inject({ url: '/v1/runs/none', headers })
    return lines.map((line) => (JSON.parse(line) as { trace_id?: string }).trace_id)
  }
  const traced = await tracesFor(`00-${TRACE}-00f067aa0ba902b7-01`)
  assert.ok(traced.length > 0)
  assert.deepEqual(new Set(traced), new Set([TRACE]))
  for (const none of [undefined, `00-${TRACE}-0000000000000000-01`])
    assert.deepEqual(new Set(await tracesFor(none)), new Set([undefined]))
})

test('the routes of OpenAI tell how long they took, whole answers, streams and errors', async (t) => {
  const { url } = await listen(t)
  const timeOf = async (path: string, body?: object): Promise<string | null> => {
    const response = await fetch(url + path, {
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      headers: { 'content-type': 'application/json' },
    })
    await response.arrayBuffer()
    return response.headers.get('openai-processing-ms')
  }
  const messages = [{ role: 'user', content: 'Why?' }]
  for (const stream of [false, true]) {
    assert.match((await timeOf('/v1/chat/completions', { messages, stream }))!, /^\d+$/)
    assert.match((await timeOf('/v1/responses', { input: 'Why?', stream }))!, /^\d+$/)
    assert.equal(await timeOf('/v1/runs', { input: 'Why?', stream }), null)
  }
  assert.match((await timeOf('/v1/models'))!, /^\d+$/)
  assert.match((await timeOf('/v1/chat/completions', {}))!, /^\d+$/)
  assert.match((await timeOf('/v1/responses/resp_none?stream=true'))!, /^\d+$/)
  assert.equal(await timeOf('/v1/messages', { messages, max_tokens: 1 }), null)
})
