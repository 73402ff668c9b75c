/** How large bodies may be, each and all together. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import test from 'node:test'
import { endless, FakeRuns } from '../support/fake-runs.ts'
import { buildServer, listen } from '../support/http-server.ts'
import { post } from '../support/sse-client.ts'

const json = { 'content-type': 'application/json' }

test('a body is as large as its route allows: conversations may hold images', async (t) => {
  const app = await buildServer(t)
  const send = (url: string, size: number) =>
    app.inject({
      method: 'POST',
      url,
      headers: json,
      payload: JSON.stringify({ input: 'x'.repeat(size) }),
    })
  const [small, large] = [await send('/v1/feedback', 1_048_576), await send('/v1/runs', 20_971_520)]
  assert.deepEqual([small.statusCode, large.statusCode], [413, 413])
  assert.match(small.json().detail, /1048576 bytes/)
  assert.match(large.json().detail, /20971520 bytes/)
})

const IMAGE = `data:image/png;base64,${'A'.repeat(4_000_000)}`

test('an image of some megabytes comes through every route that takes a conversation', async (t) => {
  const { url } = await listen(t, new FakeRuns())
  const openAi = { type: 'image_url', image_url: { url: IMAGE } }
  const user = (content: unknown) => [{ role: 'user', content }]
  const source = { type: 'base64', media_type: 'image/png', data: IMAGE.split(',')[1] }
  const file = { type: 'file', mediaType: 'image/png', url: IMAGE }
  const bodies: Record<string, object> = {
    '/v1/runs': { messages: user([openAi]) },
    '/v1/estimates': { messages: user([openAi]) },
    '/v1/chat/completions': { messages: user([openAi]) },
    '/v1/responses': { input: user([{ type: 'input_image', image_url: IMAGE }]) },
    '/v1/messages': { max_tokens: 9, messages: user([{ type: 'image', source }]) },
    '/v1/ui/chat': { id: 'c', messages: [{ role: 'user', parts: [file] }] },
  }
  for (const [route, body] of Object.entries(bodies)) {
    const reply = await fetch(`${url}${route}`, post(body))
    assert.equal(reply.status, 200, `${route}: ${await reply.text()}`)
  }
})

test('a body that is too large is refused while it comes, whatever its headers say', async (t) => {
  const { url } = await listen(t, new FakeRuns())
  let sent = 0
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 65_536
      controller.enqueue(new Uint8Array(65_536).fill(32))
    },
  })
  const init = { method: 'POST', headers: json, body: endless, duplex: 'half' } as RequestInit
  const reply = await fetch(`${url}/v1/feedback`, init)
  assert.equal(reply.status, 413)
  assert.ok(sent < 32 * 1_048_576, `took ${sent} bytes`)
})

test('bodies of all requests have a bound together, which runs under way count for', async (t) => {
  const runs = new FakeRuns(endless())
  const { url } = await listen(t, runs, { limits: { bodiesBytes: 9_000_000 } })
  const body = {
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: IMAGE } }] }],
  }
  const send = () => fetch(`${url}/v1/runs`, post({ ...body, background: true }))
  assert.deepEqual([(await send()).status, (await send()).status], [202, 202])
  const refused = await send()
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
  const small = await fetch(`${url}/v1/runs`, post({ input: 'What?', background: true }))
  assert.equal(small.status, 202)
  await runs.cancel('run_1', '')
  const again = async (): Promise<number> => (await send()).status
  while ((await again()) !== 202);
})

test('the body of a caller that leaves counts no longer, in the middle of it or behind it', async (t) => {
  const { url } = await listen(t, new FakeRuns(endless()), { limits: { bodiesBytes: 900_000 } })
  const image = { type: 'image_url', image_url: { url: IMAGE.slice(0, 600_000) } }
  const body = { messages: [{ role: 'user', content: [image] }] }
  const isRoom = async (): Promise<void> => {
    while ((await fetch(`${url}/v1/estimates`, post(body))).status !== 200);
  }
  const half = connect(Number(new URL(url).port), '127.0.0.1')
  const head = 'POST /v1/runs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n'
  const begun = `${head}content-length: 700000\r\n\r\n"${'x'.repeat(600_000)}`
  await new Promise((resolve) => half.write(begun, resolve))
  half.destroy()
  await isRoom()
  const leaving = new AbortController()
  const init = { ...post({ ...body, stream: true }), signal: leaving.signal }
  assert.equal((await fetch(`${url}/v1/runs`, init)).status, 200)
  assert.equal((await fetch(`${url}/v1/estimates`, post(body))).status, 503)
  leaving.abort()
  await isRoom()
})
