import assert from 'node:assert/strict'
import test from 'node:test'
import type { ExperimentResults } from '../../src/experiments/results-schema.ts'
import { serve, workplace, type Call } from './server.ts'

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
