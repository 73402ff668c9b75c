import assert from 'node:assert/strict'
import test from 'node:test'
import type { ExperimentResults } from '../../src/experiments/results-schema.ts'
import { serve, workplace, type Call } from './server.ts'

const EXPERIMENT = {
  key: 'outside',
  status: 'running',
  arms: ['a', 'b'].map((name) => ({ name, weight: 0.5, strategy: 'single' })),
  metrics: [
    { name: 'correct', type: 'boolean', direction: 'up', primary: true },
    { name: 'rating', type: 'number', direction: 'up', covariate: 'before' },
  ],
}

interface Row {
  readonly id?: string | null
  readonly arm: string
  readonly reason: string
}

const ask = async (call: Call, what: string, data: readonly object[]) => {
  const reply = await call('POST', `/v1/experiments/outside/${what}`, { data })
  return { ...reply, rows: reply.body['data'] as readonly Row[] }
}

const sumOf = async (
  call: Call,
  of: (arm: ExperimentResults['arms'][number]) => number,
): Promise<number> => {
  const reply = await call('GET', '/v1/experiments/outside/results')
  const { arms } = reply.body as unknown as ExperimentResults
  return arms.reduce((sum, arm) => sum + of(arm), 0)
}

const UNITS = Array.from({ length: 40 }, (_, index) => ({ unit: `user-${index}` }))

test('units that work elsewhere get the arms that their runs would get, and only exposures count', async (t) => {
  const { call } = await serve(t, workplace())
  await call('POST', '/v1/experiments', EXPERIMENT)
  const assigned = await ask(call, 'assignments', UNITS)
  assert.equal(assigned.status, 200)
  assert.equal(await sumOf(call, ({ exposures }) => exposures), 0)
  const exposed = await ask(call, 'exposures', UNITS)
  assert.equal(exposed.status, 201)
  assert.deepEqual(
    exposed.rows.map(({ arm }) => arm),
    assigned.rows.map(({ arm }) => arm),
  )
  const run = await call('POST', '/v1/runs', {
    input: 'What?',
    experiment: { key: 'outside', unit: 'user-3' },
  })
  assert.equal((run.body['assignment'] as Row).arm, assigned.rows[3]!.arm)
  assert.deepEqual((await ask(call, 'exposures', UNITS)).rows, exposed.rows)
  assert.equal(await sumOf(call, ({ exposures }) => exposures), UNITS.length)
})

test('feedback on an exposure counts in its arm, and nothing else has its id', async (t) => {
  const { call, close } = await serve(t, workplace())
  await call('POST', '/v1/experiments', EXPERIMENT)
  const { rows } = await ask(call, 'exposures', [{ unit: 'u', covariates: { before: 2 } }])
  const said = { run_id: rows[0]!.id, metric: 'correct', value: true, source: 'test' }
  assert.equal((await call('POST', '/v1/feedback', { data: [said] })).status, 201)
  assert.equal(await sumOf(call, ({ metrics }) => metrics['correct']!.count), 1)
  const stray = { ...said, run_id: 'exposure_none' }
  const { status, body } = await call('POST', '/v1/feedback', { data: [said, stray] })
  const { errors } = body as { errors?: { pointer: string }[] }
  assert.deepEqual([status, errors?.[0]?.pointer], [400, '/data/1/run_id'])
  await close()
})

test('a row at fault is named, and units without a part have no id', async (t) => {
  const { call } = await serve(t, workplace())
  await call('POST', '/v1/experiments', { ...EXPERIMENT, coverage: 0.001 })
  const { rows } = await ask(call, 'exposures', UNITS)
  const uncovered = rows.filter(({ reason }) => reason === 'uncovered')
  assert.ok(uncovered.length > 30 && uncovered.every(({ id, arm }) => id === null && arm === 'a'))
  const forced = await ask(call, 'exposures', [{ unit: 'u', variant: 'b' }])
  assert.deepEqual([forced.rows[0]!.arm, forced.rows[0]!.reason], ['b', 'forced'])
  const wrong = await ask(call, 'exposures', [{ unit: 'u' }, { unit: 'v', variant: 'c' }])
  const { errors } = wrong.body as { errors?: { pointer: string }[] }
  assert.deepEqual([wrong.status, errors?.[0]?.pointer], [400, '/data/1/variant'])
  const missing = await call('POST', '/v1/experiments/none/exposures', { data: [{ unit: 'u' }] })
  assert.equal(missing.status, 404)
})

test('what a judge says of every unit makes up for users who are seldom asked, and corrections count', async (t) => {
  const { call } = await serve(t, workplace())
  const source = { type: 'boolean', direction: 'up', feedback: 'correct' }
  const metrics = [
    { ...source, name: 'correct', source: 'user', primary: true, predicted_by: 'by-judge' },
    { ...source, name: 'by-judge', source: 'judge' },
  ]
  const { feedback, ...correct } = metrics[0]!
  await call('POST', '/v1/experiments', { ...EXPERIMENT, metrics: [correct, metrics[1]] })
  const { rows } = await ask(call, 'exposures', UNITS)
  const say = (index: number, value: boolean, from: string) => ({
    run_id: rows[index]!.id,
    metric: feedback,
    value,
    source: from,
  })
  const data = rows.map((_, index) => say(index, index % 4 !== 0, 'judge'))
  await call('POST', '/v1/feedback', { data })
  // Users agree with the judge, but for one, who thinks again.
  const asked = rows
    .slice(0, 20)
    .map((_, index) => say(index, index % 4 !== 0 && index !== 1, 'user'))
  await call('POST', '/v1/feedback', { data: asked })
  const read = async () => {
    const { body } = await call('GET', '/v1/experiments/outside/results')
    const { arms } = body as unknown as ExperimentResults
    return arms.map(({ metrics: own }) => own['correct']!)
  }
  const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)
  const before = await read()
  assert.equal(sum(before.map(({ agreement }) => agreement!.units)), 20)
  assert.equal(sum(before.map(({ agreement }) => agreement!.bias! * agreement!.units)), 1)
  assert.ok(before.some(({ agreement }) => agreement!.kappa! < 1))
  await call('POST', '/v1/feedback', { data: [say(1, true, 'user')] })
  const after = await read()
  assert.deepEqual(
    after.map(({ agreement }) => [agreement!.bias, agreement!.kappa]),
    [
      [0, 1],
      [0, 1],
    ],
  )
  const { body } = await call('GET', '/v1/experiments/outside/report')
  assert.match(
    body['text'] as string,
    /Of a, by-judge is off by 0 in the mean of \d+ units \(κ 1\)/,
  )
})

test('an arm that breaks a guardrail with a kill switch is switched off by the look that shows it', async (t) => {
  const { call } = await serve(t, workplace())
  const metrics = [...EXPERIMENT.metrics, { name: 'harm', type: 'boolean', direction: 'down' }]
  const guardrails = [{ metric: 'harm', margin: 0.05, kill: true }]
  await call('POST', '/v1/experiments', { ...EXPERIMENT, metrics, guardrails })
  const units = Array.from({ length: 200 }, (_, index) => ({ unit: `u${index}` }))
  const { rows } = await ask(call, 'exposures', units)
  const said = (value: boolean, from: readonly Row[]) =>
    from.map(({ id }) => ({ run_id: id, metric: 'harm', value, source: 'test' }))
  const of = (arm: string) => rows.filter((row) => row.arm === arm)
  await call('POST', '/v1/feedback', { data: [...said(false, of('a')), ...said(true, of('b'))] })
  await call('GET', '/v1/experiments/outside/results')
  const { body } = await call('GET', '/v1/experiments/outside')
  const arms = body['arms'] as { killed?: string }[]
  assert.deepEqual(
    [body['version'], arms.map(({ killed }) => killed)],
    [2, [undefined, 'It breaks the guardrail "harm".']],
  )
  const later = await ask(call, 'exposures', units)
  assert.deepEqual([...new Set(later.rows.map(({ reason }) => reason))].toSorted(), [
    'assigned',
    'killed',
  ])
  assert.ok(later.rows.every(({ arm }) => arm === 'a'))
  await call('GET', '/v1/experiments/outside/results')
  assert.equal((await call('GET', '/v1/experiments/outside')).body['version'], 2, 'once is enough')
})
