import assert from 'node:assert/strict'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { loadConfig } from '../../src/config.ts'
import { RefineError } from '../../src/core/errors.ts'
import { Experiments } from '../../src/experiments/experiments.ts'
import { runIdAt } from '../../src/runs/created-records.ts'
import { Retention, type RetentionDays } from '../../src/runs/retention.ts'
import { definition } from '../experiments/definition.ts'
import { serve, workplace } from '../experiments/server.ts'
import { IN_MEMORY, openSqliteStore } from '../../src/storage/sqlite.ts'
import { count } from '../experiments/load.ts'
import { buildRunner, silent } from './support.ts'

const DAY = 86_400_000
const START = Date.parse('2030-01-01T00:00:00.000Z')

const open = async (t: TestContext, days: RetentionDays) => {
  const store = openSqliteStore(IN_MEMORY)
  t.after(() => store.close())
  const clock = { now: START }
  const experiments = await Experiments.open({
    store: store.experiments,
    log: silent,
    now: () => new Date(clock.now),
  })
  const retention = new Retention({ days, store, experiments, log: silent, now: () => clock.now })
  return { store, experiments, retention, clock }
}

test('units of a phase go when it has been over for long enough, and its results stay', async (t) => {
  const { experiments, retention, clock } = await open(t, { facts: 10 })
  await experiments.definitions.create(definition({ status: 'running' }))
  const expose = async (unit: string): Promise<void> => {
    const caller = { conversation: unit, question: unit, mayForce: false }
    const assigned = await experiments.assign({ key: 'refine-or-not', unit }, caller)
    await experiments.exposed({ runId: `run_${unit}`, assigned, metadata: {} })
  }
  for (const unit of ['a', 'b', 'c']) await expose(unit)
  clock.now += 30 * DAY
  assert.equal(await retention.sweep(), 0, 'the phase goes on')
  await experiments.definitions.change('refine-or-not', { salt: '2' }, 1)
  await expose('d')
  clock.now += 9 * DAY
  assert.equal(await retention.sweep(), 0, 'it has not been over for long')
  clock.now += 2 * DAY
  assert.equal(await retention.sweep(), 3)
  const late = { runId: 'run_a', metric: 'correct', value: true, source: 'test' }
  await count(experiments, late)
  await experiments.definitions.change('refine-or-not', { salt: '1' }, 2)
  const { results } = await experiments.view('refine-or-not')
  assert.equal(
    results.arms.reduce((sum, { exposures }) => sum + exposures, 0),
    3,
  )
  const counts = results.arms.map(({ metrics }) => metrics['correct']!.count)
  assert.deepEqual(counts, [0, 0], 'what comes late is not counted')
  await experiments.idle()
})

test('a decided experiment is over, one that was taken up again is not', async (t) => {
  const { experiments, clock } = await open(t, {})
  const { definitions } = experiments
  await definitions.create(definition({ status: 'running' }))
  await definitions.change('refine-or-not', { salt: '2' }, 1)
  await definitions.change('refine-or-not', { salt: '1' }, 2)
  clock.now += DAY
  const ended = async () =>
    (await definitions.endedBefore(new Date(clock.now).toISOString())).map(({ salt }) => salt)
  assert.deepEqual(await ended(), ['2'])
  await definitions.change('refine-or-not', { status: 'decided' }, 3)
  assert.deepEqual(await ended(), ['2'])
  clock.now += 1
  assert.deepEqual((await ended()).toSorted(), ['1', '2'])
})

test('a run of an age that is no longer kept is gone, any other was never there', async (t) => {
  const { retention, clock } = await open(t, { runs: 5 })
  const codeOf = (id: string): string => retention.missing(id).code
  assert.equal(codeOf(`${runIdAt(START - 6 * DAY)}abc`), 'run_expired')
  assert.equal(codeOf(`${runIdAt(START - 4 * DAY)}abc`), 'run_not_found')
  clock.now += 2 * DAY
  assert.equal(codeOf(`${runIdAt(START - 4 * DAY)}abc`), 'run_expired')
  assert.equal(codeOf('else'), 'run_not_found')
  assert.match(retention.missing(runIdAt(0)).message, /kept for 5 days/)
})

test('a sweep of thousands of rows lets others work in between', async (t) => {
  const { retention, store } = await open(t, { feedback: 1 })
  const at = new Date(START - 2 * DAY).toISOString()
  const said = (id: number) =>
    store.addFeedback({ id: `f${id}`, run_id: 'run_1', metric: 'm', value: 1, source: 's', at })
  await Promise.all(Array.from({ length: 3000 }, (_, index) => said(index)))
  let turns = 0
  const count = (): void => {
    turns += 1
    if (turns < 100) setImmediate(count)
  }
  setImmediate(count)
  assert.equal(await retention.sweep(), 3000)
  assert.ok(turns >= 5, `${turns} turns of the event loop`)
})

test('a retention that is closed stops between two batches', async (t) => {
  const { store, experiments } = await open(t, {})
  let batches = 0
  const retention = new Retention({
    days: { runs: 1 },
    store: { expire: async () => (batches += 1) },
    experiments,
    log: silent,
  })
  retention.start()
  while (batches < 3) await new Promise((resolve) => setImmediate(resolve))
  await retention.close()
  const before = batches
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(batches, before)
  await store.close()
})

test('over HTTP an expired run answers 410, and so do events that went before their run', async (t) => {
  const { call, ...opened } = await serve(t, workplace(), 'retention: { runs_days: 1 }\n')
  const old = await call('GET', `/v1/runs/${runIdAt(Date.now() - 2 * DAY)}abc`)
  assert.equal(old.status, 410)
  assert.match(JSON.stringify(old.body), /Runs are kept for 1 days/)
  assert.equal((await call('GET', `/v1/runs/${runIdAt(Date.now())}abc`)).status, 404)
  const { body } = await call('POST', '/v1/runs', { input: 'What is the sum of case 1?' })
  const feedback = await call('POST', `/v1/runs/${runIdAt(0)}abc/feedback`, {
    metric: 'm',
    value: 1,
    source: 's',
  })
  assert.equal(feedback.status, 410)
  await opened.runs.remove(String(body['id']), '')
  assert.equal((await call('GET', `/v1/runs/${String(body['id'])}`)).status, 404)
})

test('a run whose events are gone is still there, and says so of its events', async (t) => {
  const { runner, store } = buildRunner(t)
  const id = await runner.create({ input: 'What?' }, '')
  const { signal } = new AbortController()
  await runner.ended(id, '', signal)
  while ((await store.expire({ eventsBefore: 'run_z' }, 100)) > 0);
  assert.equal((await runner.get(id, '')).status, 'completed')
  await assert.rejects(
    async () => runner.events(id, '', 0, signal).next(),
    (thrown) => thrown instanceof RefineError && thrown.code === 'run_expired',
  )
})

test('ages come from the configuration, and only what is named goes', () => {
  const read = (text: string) =>
    loadConfig({ config: path.join(workplace(text), 'whetstone.yaml') }, {}).retention
  assert.deepEqual(read('retention: { runs_days: 90, facts_days: 0.5 }'), { runs: 90, facts: 0.5 })
  assert.deepEqual(read('{}'), {})
  assert.throws(() => read('retention: { runs: 90 }'), /\/retention\/runs is not a known field/)
  assert.throws(() => read('retention: { events_days: 0 }'), /\/retention\/events_days must/)
})
