import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import test from 'node:test'
import { WebSocket } from 'ws'
import { createClient } from '../../src/client/index.ts'
import { measureRun } from '../../src/experiments/automatic-metrics.ts'
import type { ExperimentResults } from '../../src/experiments/results-schema.ts'
import { serve, workplace, type Call, type Reply } from './server.ts'

const EXPERIMENT = {
  key: 'batch',
  status: 'running',
  arms: ['a', 'b'].map((name) => ({ name, weight: 0.5, strategy: 'single' })),
  metrics: [{ name: 'correct', type: 'boolean', direction: 'up', primary: true }],
}

const ask = async (call: Call, unit: string): Promise<string> => {
  const { status, body } = await call('POST', '/v1/runs', {
    input: `What is ${unit}?`,
    experiment: { key: 'batch', unit },
  })
  assert.equal(status, 200, JSON.stringify(body))
  return body['id'] as string
}

const counted = async (call: Call): Promise<readonly [runs: number, good: number]> => {
  const reply = await call('GET', '/v1/experiments/batch/results')
  const { arms } = reply.body as unknown as ExperimentResults
  const own = arms.map(({ metrics }) => metrics['correct']!)
  const good = own.map(({ count, mean }) => count * (mean ?? 0))
  return [
    own.reduce((sum, { count }) => sum + count, 0),
    Math.round(good.reduce((sum, each) => sum + each, 0)),
  ]
}

const row = (run_id: string, value: unknown, metric = 'correct') => ({
  run_id,
  metric,
  value,
  source: 'test',
})

const codeOf = ({ body }: Reply): unknown => (body['error'] as { readonly code: string }).code

const prepare = async (t: Parameters<typeof serve>[0], units: readonly string[]) => {
  const { call } = await serve(t, workplace())
  assert.equal((await call('POST', '/v1/experiments', EXPERIMENT)).status, 201)
  const ids = await Promise.all(units.map((unit) => ask(call, unit)))
  return { call, ids }
}

test('many rows are taken in one request and counted when it is answered', async (t) => {
  const { call, ids } = await prepare(t, ['u1', 'u2', 'u3'])
  const data = ids.map((id, index) => row(id, index !== 0))
  const { status, body } = await call('POST', '/v1/feedback', { data })
  assert.equal(status, 201, JSON.stringify(body))
  assert.equal(new Set(body['ids'] as string[]).size, 3)
  assert.deepEqual(await counted(call), [3, 2])
  const kept = (await call('GET', `/v1/runs/${ids[1]}/feedback`)).body['data'] as { id: string }[]
  assert.deepEqual(
    kept.map(({ id }) => id),
    [(body['ids'] as string[])[1]],
  )
})

test('of two rows on one run in a request the later one counts', async (t) => {
  const { call, ids } = await prepare(t, ['u1'])
  await call('POST', '/v1/feedback', { data: [row(ids[0]!, false), row(ids[0]!, true)] })
  assert.deepEqual(await counted(call), [1, 1])
})

test('rows at fault are all pointed at, and none of the request is kept', async (t) => {
  const { call, ids } = await prepare(t, ['u1', 'u2'])
  const data = [
    row(ids[0]!, true),
    row('run_none', true),
    row(ids[1]!, 'yes'),
    row(ids[1]!, 1, 'auto.cost'),
  ]
  const { status, body } = await call('POST', '/v1/feedback', { data })
  assert.equal(status, 400)
  assert.match(body['detail'] as string, /^3 of 4 rows cannot be taken, so none was/)
  assert.deepEqual(
    (body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer),
    ['/data/1/run_id', '/data/2/value', '/data/3/metric'],
  )
  assert.deepEqual((await call('GET', `/v1/runs/${ids[0]}/feedback`)).body['data'], [])
  assert.deepEqual(await counted(call), [0, 0])
})

test('a request has 1 to 1,000 rows with their fields', async (t) => {
  const { call, ids } = await prepare(t, ['u1'])
  const pointersOf = async (data: unknown[]): Promise<string[]> => {
    const { status, body } = await call('POST', '/v1/feedback', { data })
    assert.equal(status, 400)
    return (body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer)
  }
  assert.deepEqual(await pointersOf([]), ['/data'])
  assert.deepEqual(await pointersOf(Array(1001).fill(row(ids[0]!, true))), ['/data'])
  assert.deepEqual(await pointersOf([row(ids[0]!, true), { run_id: ids[0] }]), [
    '/data/1/metric',
    '/data/1/value',
    '/data/1/source',
  ])
})

const meansOf = async (call: Call): Promise<Record<string, number | null>> => {
  const reply = await call('GET', '/v1/experiments/sources/results')
  const { arms } = reply.body as unknown as ExperimentResults
  const own = arms.find(({ exposures }) => exposures === 1)!
  return Object.fromEntries(Object.entries(own.metrics).map(([name, { mean }]) => [name, mean]))
}

test('sources stand beside one another, and a later value of a source replaces its earlier one', async (t) => {
  const { call } = await serve(t, workplace())
  const metric = { type: 'boolean', direction: 'up' }
  const metrics = [
    { ...metric, name: 'by-users', feedback: 'correct', source: 'user', primary: true },
    { ...metric, name: 'by-judge', feedback: 'correct', source: 'judge' },
    { ...metric, name: 'correct' },
  ]
  const definition = { ...EXPERIMENT, key: 'sources', metrics }
  assert.equal((await call('POST', '/v1/experiments', definition)).status, 201)
  const run = { input: 'What?', experiment: { key: 'sources', unit: 'u1' } }
  const { id } = (await call('POST', '/v1/runs', run)).body
  const say = async (value: boolean, source: string): Promise<void> => {
    const payload = { metric: 'correct', value, source }
    assert.equal((await call('POST', `/v1/runs/${String(id)}/feedback`, payload)).status, 201)
  }
  await say(false, 'user')
  await say(true, 'user')
  await say(false, 'judge')
  assert.deepEqual(await meansOf(call), { 'by-users': 1, 'by-judge': 0, correct: 0 })
})

test('names of implicit feedback have a meaning, whether or not there is an experiment', async (t) => {
  const { call, ids } = await prepare(t, ['u1'])
  const { body: alone } = await call('POST', '/v1/runs', { input: 'What?' })
  for (const id of [ids[0]!, alone['id'] as string]) {
    const say = async (metric: string, value: unknown): Promise<string> => {
      const payload = { metric, value, source: 'user' }
      const reply = await call('POST', `/v1/runs/${id}/feedback`, payload)
      return reply.status === 201
        ? 'kept'
        : (reply.body['errors'] as { pointer: string }[])[0]!.pointer
    }
    assert.equal(await say('implicit.copied', true), 'kept')
    assert.equal(await say('implicit.edited', 0.25), 'kept')
    assert.equal(await say('implicit.edited', 1.5), '/value')
    assert.equal(await say('implicit.regenerated', 1), '/value')
    assert.equal(await say('implicit.liked', true), '/metric')
  }
})

const faults: readonly [object, string][] = [
  [{ name: 'implicit.liked' }, '/metrics/0/name'],
  [{ name: 'implicit.edited', type: 'boolean' }, '/metrics/0/type'],
  [{ name: 'shared', feedback: 'implicit.copied', type: 'number' }, '/metrics/0/type'],
  [{ name: 'auto.failed', source: 'user' }, '/metrics/0/source'],
  [{ name: 'failed', feedback: 'auto.failed' }, '/metrics/0/feedback'],
]

for (const [metric, pointer] of faults) {
  test(`a metric ${JSON.stringify(metric)} is refused at ${pointer}`, async (t) => {
    const { call } = await serve(t, workplace())
    const metrics = [{ type: 'boolean', direction: 'up', primary: true, ...metric }]
    const { status, body } = await call('POST', '/v1/experiments', { ...EXPERIMENT, metrics })
    assert.equal(status, 400)
    assert.equal((body['errors'] as { pointer: string }[])[0]!.pointer, pointer)
  })
}

test('whether an answer keeps the form that was asked for is measured, where one was', async (t) => {
  const { runs, call } = await serve(t, workplace())
  const { body } = await call('POST', '/v1/runs', { input: 'What is 1 + 1?' })
  const run = await runs.get(body['id'] as string, '')
  const measured = (schema_valid: boolean | null) =>
    measureRun(
      'auto.schema_valid',
      { ...run, measures: { ...run.measures!, schema_valid } },
      undefined,
    )
  assert.equal(measureRun('auto.schema_valid', run, undefined), undefined)
  assert.deepEqual([true, false, null].map(measured), [true, false, undefined])
})

test('every actor has a word of its own, and what nobody in particular says replaces only itself', async (t) => {
  const { call, ids } = await prepare(t, ['u1'])
  const say = async (value: boolean, said: object = {}): Promise<void> => {
    const body = { metric: 'correct', value, source: 'rater', ...said }
    const { status } = await call('POST', `/v1/runs/${ids[0]}/feedback`, body)
    assert.equal(status, 201)
  }
  await say(true, { actor: 'ann' })
  await say(false, { actor: 'bob' })
  assert.deepEqual(await counted(call), [2, 1])
  await say(true, { actor: 'bob' })
  assert.deepEqual(await counted(call), [2, 2])
  await say(false)
  await say(false, { source: 'other' })
  assert.deepEqual(await counted(call), [3, 2])
  const exported = await call('GET', '/v1/exports?format=sft')
  const { metrics } = JSON.parse(exported.body['text'] as string) as Record<
    'metrics',
    Record<string, number>
  >
  assert.equal(metrics['correct'], 2 / 3)
})

test('the same key gives the same feedback, which counts once and does not take back what came later', async (t) => {
  const { call, ids } = await prepare(t, ['u1', 'u2'])
  const key = { 'idempotency-key': '"k 1"' }
  const one = { metric: 'correct', value: true, source: 'test' }
  const url = `/v1/runs/${ids[0]}/feedback`
  const sent = await Promise.all([call('POST', url, one, key), call('POST', url, one, key)])
  assert.deepEqual(sent[0].body, sent[1].body)
  await call('POST', url, { ...one, value: false })
  assert.deepEqual((await call('POST', url, one, key)).body, sent[0].body)
  assert.deepEqual(await counted(call), [1, 0])
  assert.equal(((await call('GET', url)).body['data'] as unknown[]).length, 2)
  const other = await call('POST', url, { ...one, value: false }, key)
  assert.deepEqual([other.status, codeOf(other)], [422, 'idempotency_mismatch'])
  const elsewhere = await call('POST', `/v1/runs/${ids[1]}/feedback`, one, key)
  assert.notEqual(elsewhere.body['id'], sent[0].body['id'])

  const data = ids.map((id) => row(id, true))
  const batch = await call('POST', '/v1/feedback', { data }, key)
  assert.deepEqual((await call('POST', '/v1/feedback', { data }, key)).body, batch.body)
  assert.deepEqual(await counted(call), [2, 2])
  for (const rows of [data.slice(0, 1), [...data, data[0]]]) {
    assert.equal((await call('POST', '/v1/feedback', { data: rows }, key)).status, 422)
  }
})

test('feedback that comes too late is refused with the time until which it counted', async (t) => {
  const { call } = await serve(t, workplace())
  await call('POST', '/v1/experiments', { ...EXPERIMENT, feedback_days: 1e-9 })
  const id = await ask(call, 'u1')
  const body = { metric: 'correct', value: true, source: 'test' }
  const one = await call('POST', `/v1/runs/${id}/feedback`, body)
  assert.deepEqual([one.status, codeOf(one)], [409, 'conflict'])
  assert.match(String(one.body['detail']), /counted until 20\d\d-.*experiment "batch"/)
  const many = await call('POST', '/v1/feedback', { data: [row(id, true)] })
  const { errors } = many.body as { errors?: { pointer: string }[] }
  assert.deepEqual([many.status, errors?.[0]?.pointer], [400, '/data/0/run_id'])
  const { body: changed } = await call(
    'PATCH',
    '/v1/experiments/batch',
    { feedback_days: 1 },
    { 'if-match': '*' },
  )
  assert.equal(changed['feedback_days'], 1)
  assert.equal((await call('POST', `/v1/runs/${id}/feedback`, body)).status, 201)
  assert.deepEqual(await counted(call), [1, 1])
})

test('feedback is about a revision that was shown, or refused', async (t) => {
  const { call, ids } = await prepare(t, ['u1'])
  const about = (revision: number) => ({ ...row(ids[0]!, true), revision })
  const { run_id, ...said } = about(1)
  assert.equal((await call('POST', `/v1/runs/${run_id}/feedback`, said)).status, 201)
  for (const body of [{ data: [about(1), about(2)] }]) {
    const { status, body: problem } = await call('POST', '/v1/feedback', body)
    const [error] = (problem as { errors: { pointer: string; message: string }[] }).errors
    assert.deepEqual([status, error!.pointer], [400, '/data/1/revision'])
    assert.match(error!.message, /must be at most 1/)
  }
})

test('feedback over the socket with a key counts once, and the key stands for nothing else', async (t) => {
  const { call, app } = await serve(t, workplace())
  await call('POST', '/v1/experiments', EXPERIMENT)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const client = createClient({ baseUrl: `http://127.0.0.1:${port}`, WebSocket })
  const id = await ask(call, 'u1')
  const socket = client.socket()
  t.after(() => socket.close())
  const good = { metric: 'correct', value: true, source: 'user' }
  const key = { idempotencyKey: 'once' }
  const first = await socket.feedback(id, { ...good, actor: 'ann' }, key)
  const again = await socket.feedback(id, { ...good, actor: 'ann' }, key)
  assert.equal(again.id, first.id)
  const other = socket.feedback(id, { ...good, actor: 'ann', value: false }, key)
  await assert.rejects(other, { code: 'idempotency_mismatch' })
  assert.deepEqual(await counted(call), [1, 1])
  await client.runs.feedback(id, { ...good, actor: 'ben', value: false }, key)
  assert.deepEqual(await counted(call), [2, 1], 'keys of another way in are other keys')
})
