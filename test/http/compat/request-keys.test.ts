import assert from 'node:assert/strict'
import test from 'node:test'
import OpenAI from 'openai'
import { endless, FakeRuns, refinement } from '../../support/fake-runs.ts'
import { listen } from '../../support/http-server.ts'

const input = 'What is 6 × 7?'

test('a response in the background that is asked for again under its key is the same one', async (t) => {
  const { url, runs } = await listen(t, new FakeRuns(endless()))
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
  const ask = (text: string) =>
    client.responses.create(
      { model: 'pebble:best-of-n', input: text, background: true },
      { idempotencyKey: 'k1', headers: { 'Idempotency-Key': 'k1' } },
    )
  const [first, again] = [await ask(input), await ask(input)]
  assert.equal(first.id, again.id)
  assert.equal(runs.requests.length, 1)
  await assert.rejects(ask('Another question'), { status: 422 })
})

test('nobody’s time-out ends a response or a run in the background', async (t) => {
  const { url, runs } = await listen(t)
  const headers = { 'content-type': 'application/json', 'x-stainless-timeout': '600' }
  const send = (path: string, body: object, more = {}) =>
    fetch(url + path, {
      method: 'POST',
      headers: { ...headers, ...more },
      body: JSON.stringify(body),
    })
  await send('/v1/responses', { model: 'pebble', input, background: true })
  await send('/v1/runs', { input, background: true })
  await send('/v1/runs', { input }, { prefer: 'respond-async' })
  await send('/v1/runs', { input })
  assert.deepEqual(
    runs.requests.map(({ background, deadline_seconds }) => [background, deadline_seconds]),
    [
      [true, undefined],
      [true, undefined],
      [true, undefined],
      [undefined, 598],
    ],
  )
})

test('a time-out that is no deadline, of less than a second or more than a day, is not refused', async (t) => {
  const { url, runs } = await listen(t)
  const make = (seconds: string, name = 'x-stainless-timeout') =>
    fetch(`${url}/v1/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', [name]: seconds },
      body: JSON.stringify({ input }),
    })
  for (const seconds of ['0', '172800', 'Infinity', 'NaN']) {
    assert.equal((await make(seconds)).status, 200, seconds)
  }
  assert.ok(runs.requests.every(({ deadline_seconds: deadline }) => deadline === undefined))
  assert.equal((await make('0', 'x-deadline-seconds')).status, 400)
})

const chat = { id: 'chat-1', messages: [{ role: 'user', parts: [{ type: 'text', text: input }] }] }
const idOf = async (reply: Response): Promise<string | undefined> =>
  /"run_id":"(\w+)"/.exec(await reply.text())?.[1]

test('a chat that asks again under its key gets the answer under way, and that of a run that ended', async (t) => {
  const { url, runs } = await listen(t, new FakeRuns(endless(refinement.slice(0, 3))))
  const ask = (key: string) =>
    fetch(`${url}/v1/ui/chat`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(chat),
    })
  const first = await ask('a')
  const again = await ask('a')
  assert.equal(again.headers.get('idempotency-replayed'), 'true')
  assert.deepEqual(runs.cancelled, [])
  const other = ask('b')
  assert.deepEqual([await idOf(first), await idOf(again)], ['run_1', 'run_1'])
  assert.deepEqual(runs.cancelled, ['run_1'], 'another request is another answer')
  assert.equal(await idOf(await ask('a')), 'run_1')
  await runs.cancel('run_2', '')
  assert.equal(await idOf(await other), 'run_2')
})
