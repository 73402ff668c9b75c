import assert from 'node:assert/strict'
import test from 'node:test'
import type { ExperimentResults } from '../../src/experiments/results-schema.ts'
import { serve, workplace, type Call, type Reply } from './server.ts'

const number = { type: 'number', direction: 'up' }
const EXPERIMENT = {
  key: 'extreme',
  status: 'running',
  arms: ['a', 'b'].map((name) => ({ name, weight: 0.5, strategy: 'single' })),
  metrics: [
    { ...number, name: 'rating', primary: true, covariate: 'before' },
    { ...number, name: 'per-word', denominator: 'words' },
    { ...number, name: 'delay', quantile: 0.5 },
  ],
}

const prepare = async (t: Parameters<typeof serve>[0]) => {
  const { call } = await serve(t, workplace())
  assert.equal((await call('POST', '/v1/experiments', EXPERIMENT)).status, 201)
  const data = Array.from({ length: 8 }, (_, index) => ({ unit: `u${index}` }))
  const { body } = await call('POST', '/v1/experiments/extreme/exposures', { data })
  const ids = (body['data'] as { readonly id: string }[]).map(({ id }) => id)
  const say = (metric: string, value: number): Promise<Reply> =>
    call('POST', '/v1/feedback', {
      data: ids.map((run_id) => ({ run_id, metric, value, source: 'test' })),
    })
  return { call, say }
}

const meansOf = async (call: Call, metric: string): Promise<(number | null)[]> => {
  const { body } = await call('GET', '/v1/experiments/extreme/results')
  return (body as unknown as ExperimentResults).arms.map(({ metrics }) => metrics[metric]!.mean)
}

test('values whose squares cannot be added up are refused by name, and later ones still count', async (t) => {
  const { call, say } = await prepare(t)
  for (const metric of ['rating', 'words', 'before']) {
    const { status, body } = await say(metric, -1e200)
    assert.equal(status, 400, metric)
    const [error] = body['errors'] as { pointer: string; message: string }[]
    assert.equal(error!.pointer, '/data/0/value')
    assert.match(error!.message, /must be between −1e100 and 1e100/)
  }
  for (const value of [1e100, 2]) assert.equal((await say('rating', value)).status, 201)
  assert.equal((await say('unheard-of', 1e200)).status, 201, 'nobody adds it up')
  assert.deepEqual((await call('GET', '/v1/experiments/extreme/results')).status, 200)
})

test('covariates that cannot be squared are refused by their row', async (t) => {
  const { call } = await prepare(t)
  const data = [{ unit: 'u9', covariates: { before: 1e200 } }]
  const { status, body } = await call('POST', '/v1/experiments/extreme/exposures', { data })
  const [error] = body['errors'] as { pointer: string }[]
  assert.deepEqual([status, error!.pointer], [400, '/data/0/covariates/before'])
})

test('a quantile takes no value below zero, which it would count as zero', async (t) => {
  const { call, say } = await prepare(t)
  const { status, body } = await say('delay', -3)
  const [error] = body['errors'] as { pointer: string; message: string }[]
  assert.deepEqual([status, error!.pointer], [400, '/data/0/value'])
  assert.match(error!.message, /must not be below 0: "delay".*quantile/)
  assert.equal((await say('delay', 0)).status, 201)
  assert.deepEqual(await meansOf(call, 'delay'), [0, 0])
})
