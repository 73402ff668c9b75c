import assert from 'node:assert/strict'
import test from 'node:test'
import { Quotas } from '../../src/runs/quotas.ts'
import { buildRunner, forever, wordModel } from './support.ts'

const limited = { code: 'rate_limited' }

test('requests are given out evenly, and each owner has its own', () => {
  let now = 0
  const requests = { quota: 2, windowSeconds: 60 }
  const quotas = new Quotas(
    () => ({ requests }),
    () => now,
  )
  quotas.enter('ann')
  quotas.enter('ann')
  assert.throws(() => quotas.enter('ann'), { ...limited, retryAfter: 30 })
  quotas.enter('bob')
  now = 30
  quotas.enter('ann')
  assert.throws(() => quotas.enter('ann'), limited)
  const [status] = quotas.status('ann')
  assert.deepEqual(status, {
    name: 'requests',
    quota: 2,
    windowSeconds: 60,
    remaining: 0,
    resetSeconds: 60,
  })
})

test('tokens are counted when a run ends, may be overdrawn once, and come back', () => {
  let now = 0
  const quotas = new Quotas(
    () => ({ tokens: { quota: 100, windowSeconds: 100 } }),
    () => now,
  )
  const leave = quotas.enter('')
  leave(150)
  assert.equal(quotas.status('')[0]!.remaining, 0)
  assert.throws(() => quotas.enter(''), { ...limited, retryAfter: 51 })
  now = 51
  quotas.enter('')
})

test('a run holds its place among the concurrent ones until it ends', async (t) => {
  const quotas = new Quotas(() => ({ concurrentRuns: 1 }))
  const { runner } = buildRunner(t, { model: wordModel(['one'], forever), quotas })
  const id = await runner.create({ input: 'Go.' }, '')
  await assert.rejects(runner.create({ input: 'Go.' }, ''), limited)
  assert.equal(runner.quota('')[0]!.remaining, 0)
  await runner.cancel(id, '')
  await runner.drain(1).catch(() => undefined)
  assert.equal(runner.quota('')[0]!.remaining, 1)
})

test('a run that is not admitted gives its place and its request back', async (t) => {
  const requests = { quota: 10, windowSeconds: 1e9 }
  const quotas = new Quotas(() => ({ requests, concurrentRuns: 2 }))
  const model = wordModel(['one'], forever)
  const { runner } = buildRunner(t, { model, quotas, running: 1, waiting: 0 })
  await runner.create({ input: 'Go.' }, '')
  await assert.rejects(runner.create({ input: 'Go.' }, ''), { code: 'overloaded' })
  assert.deepEqual(
    runner.quota('').map(({ remaining }) => remaining),
    [9, 1],
  )
})
