import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import type { ExperimentStore } from '../../src/core/experiment-store.ts'
import { emptyUsage, type RunState } from '../../src/core/run-state.ts'
import { Experiments } from '../../src/experiments/experiments.ts'
import { OutcomeRecorder } from '../../src/runs/outcome-recorder.ts'
import { IN_MEMORY, openSqliteStore } from '../../src/storage/sqlite.ts'
import { definition } from '../experiments/definition.ts'
import { createdOf, recordOf } from '../storage/contract.ts'
import { passing, silent } from './support.ts'

const START = Date.parse('2030-01-01T00:00:00.000Z')
const KEY = 'refine-or-not'
const METRICS = [{ name: 'auto.cost', type: 'number', direction: 'down', primary: true }]
const away = () => new RefineError('storage_unavailable', 'The database does not answer.')

/** An experiment under way, a recorder, and a clock that stands still. */
const open = async (t: TestContext) => {
  const store = openSqliteStore(IN_MEMORY)
  t.after(() => store.close())
  const experiments = await Experiments.open({ store: store.experiments, log: silent })
  await experiments.definitions.create(definition({ status: 'running', metrics: METRICS }))
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: START })
  const said: string[] = []
  const say = (_: unknown, message: string): void => void said.push(message)
  const recorder = new OutcomeRecorder(experiments, store, { ...silent, warn: say, error: say })
  const caller = { conversation: '', question: '', mayForce: false }
  const assigned = await experiments.assign({ key: KEY, unit: 'u' }, caller)
  const begin = (runId = 'run_a') => recorder.exposed(runId, { assigned, metadata: {} })
  const end = (runId = 'run_a') => recorder.settled(endedRun(runId, assigned.assignment), undefined)
  const phase = { experiment: KEY, salt: assigned.experiment.salt }
  const kept = () => store.experiments.exposure(phase, assigned.unit)
  const costs = async (): Promise<number> => {
    const { results } = await experiments.view(KEY)
    const arm = results.arms.find(({ name }) => name === assigned.arm.name)
    return arm!.metrics['auto.cost']!.count
  }
  return { store: store.experiments, recorder, said, begin, end, kept, costs }
}

const endedRun = (id: string, assignment: RunState['assignment']): RunState => ({
  ...recordOf(createdOf(id, '2030-01-01T00:00:00.000Z')).state,
  assignment,
  status: 'completed',
  ended_at: '2030-01-01T00:00:01.000Z',
  usage: { ...emptyUsage(), calls: 1, cost: 0.5 },
})

/** Takes nothing until it is let. */
const keepAway = (store: ExperimentStore): (() => void) => {
  const record = store.record.bind(store)
  store.record = () => Promise.reject(away())
  return () => void (store.record = record)
}

test('an exposure that the store cannot take just then is stored when it can, at the time when it was', async (t) => {
  const { store, said, begin, end, kept, costs } = await open(t)
  const comeBack = keepAway(store)
  const begun = begin()
  await new Promise((resolve) => setImmediate(resolve))
  t.mock.timers.tick(100)
  comeBack()
  await passing(t, begun)
  const { runId, at } = (await kept())!
  assert.deepEqual([runId, at], ['run_a', new Date(START).toISOString()])
  await end()
  assert.equal(await costs(), 1)
  assert.ok(said.every((each) => each === 'outcomes could not be stored yet'))
})

test('runs go on without a store that stays away, and what came of them is counted when it is back', async (t) => {
  const { store, recorder, said, begin, end, kept, costs } = await open(t)
  const comeBack = keepAway(store)
  await passing(t, begin())
  await end()
  await begin('run_b')
  assert.equal(await kept(), undefined)
  comeBack()
  await passing(
    t,
    begin('run_c').then(() => end('run_b')),
  )
  while (String(await store.unsettled()) !== 'run_c') {
    t.mock.timers.tick(5000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal((await kept())!.runId, 'run_a')
  assert.equal(await costs(), 2)
  recorder.close()
  assert.equal(said.at(-1), 'the store answers again')
})

test('a server that ends while the store is away says whose outcomes it lost, and asks no more', async (t) => {
  const { store, recorder, said, begin } = await open(t)
  keepAway(store)
  const begun = begin()
  while (said.length === 0) await new Promise((resolve) => setImmediate(resolve))
  recorder.close()
  await begun
  assert.equal(said.at(-1), 'outcomes could not be stored')
  const asked = t.mock.method(store, 'record')
  t.mock.timers.tick(60_000)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(asked.mock.callCount(), 0)
})

test('an exposure that is refused for good is said, and stops nothing', async (t) => {
  const { store, said, begin, end } = await open(t)
  store.record = () => Promise.reject(new Error('constraint'))
  await begin()
  await end()
  assert.deepEqual(said, ['an outcome could not be stored'])
})

test('what waits for a store that takes runs but no outcomes is bounded', async (t) => {
  const { store, recorder, said, begin } = await open(t)
  keepAway(store)
  await passing(t, begin())
  const more = Array.from({ length: 2005 }, (_, index) => begin(`run_${index}`))
  await passing(t, Promise.all(more))
  const lost = said.filter((each) => each === 'an outcome could not be stored')
  assert.equal(lost.length, 6)
  recorder.close()
})
