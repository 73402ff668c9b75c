import assert from 'node:assert/strict'
import test from 'node:test'
import type { ExperimentResults } from '../../src/experiments/results-schema.ts'
import { serve, workplace, type Call } from './server.ts'

const EXPERIMENT = {
  key: 'looks',
  status: 'running',
  arms: ['a', 'b'].map((name) => ({ name, weight: 0.5, strategy: 'single' })),
  metrics: [{ name: 'correct', type: 'boolean', direction: 'up', primary: true }],
  stop: {
    minimum_units: 50,
    planned_looks: { number: 2, units: 600, spending: 'pocock' },
  },
}

const RATES: Readonly<Record<string, number>> = { a: 4, b: 6 }

/** Units from one number to another, each with feedback: in the tens of an arm, so many succeed. */
const live = async (call: Call, from: number, to: number): Promise<void> => {
  const units = Array.from({ length: to - from }, (_, index) => ({ unit: `u${from + index}` }))
  const { body } = await call('POST', '/v1/experiments/looks/exposures', { data: units })
  const seen: Record<string, number> = { a: from, b: from }
  const data = (body['data'] as { id: string; arm: string }[]).map(({ id, arm }) => ({
    run_id: id,
    metric: 'correct',
    value: seen[arm]!++ % 10 < RATES[arm]!,
    source: 'test',
  }))
  assert.equal((await call('POST', '/v1/feedback', { data })).status, 201)
}

const results = async (call: Call): Promise<ExperimentResults> =>
  (await call('GET', '/v1/experiments/looks/results')).body as unknown as ExperimentResults

test('planned looks are taken over HTTP, stand after a restart and are in the report', async (t) => {
  const folder = workplace()
  const first = await serve(t, folder)
  assert.equal((await first.call('POST', '/v1/experiments', EXPERIMENT)).status, 201)
  await live(first.call, 0, 240)
  assert.equal((await results(first.call)).planned_looks!.next, 300)
  await live(first.call, 240, 330)
  const taken = (await results(first.call)).planned_looks!.taken
  assert.deepEqual(
    taken.map(({ units, share }) => [units, share]),
    [[330, 0.55]],
  )
  await first.close()
  const second = await serve(t, folder)
  await live(second.call, 330, 620)
  const { planned_looks, decision } = await results(second.call)
  assert.deepEqual(planned_looks!.taken[0], taken[0])
  assert.deepEqual([planned_looks!.taken.length, planned_looks!.next], [2, null])
  assert.deepEqual([decision.action, decision.arm], ['ship', 'b'])
  const page = (await second.call('GET', '/v1/experiments/looks/report')).body['text'] as string
  assert.match(page, /α is spent like Pocock over 2 looks, the last at 600 units/)
  assert.match(page, /All looks are taken\./)
  assert.match(page, /Ship b/)
})

test('what cannot be planned is refused over HTTP, with the field', async (t) => {
  const { call } = await serve(t)
  const stop = { planned_looks: { number: 2, units: 100 } }
  const { status, body } = await call('POST', '/v1/experiments', { ...EXPERIMENT, stop })
  const { param } = body['error'] as { param: string }
  assert.deepEqual([status, param], [400, 'stop.planned_looks.units'])
})
