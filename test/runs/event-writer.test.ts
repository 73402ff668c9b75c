import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { isTerminal, type RunEvent } from '../../src/core/event.ts'
import { emptyUsage, foldRun } from '../../src/core/run-state.ts'
import type { RunStore } from '../../src/core/run-store.ts'
import { EventWriter, type Ended } from '../../src/runs/event-writer.ts'
import { IN_MEMORY, openSqliteStore } from '../../src/storage/sqlite.ts'
import { passing } from './support.ts'
import { createdOf, recordOf } from '../storage/contract.ts'

const AT = '2026-01-01T00:00:00.000Z'
const away = () => new RefineError('storage_unavailable', 'The database does not answer.')

/** A run whose events are warnings, and what it was told. */
class Written {
  readonly id: string
  readonly #writer: EventWriter
  readonly #events: RunEvent[]
  shown = 1
  isReleased = false

  constructor(id: string, writer: EventWriter) {
    this.id = id
    this.#writer = writer
    this.#events = [createdOf(id, AT)]
  }

  show(sequence: number): void {
    this.shown = sequence
  }

  release(): void {
    this.isReleased = true
  }

  warn(message = 'w'): void {
    this.#add({ type: 'warning', code: 'c', message })
  }

  end(): void {
    this.#add({ type: 'run.completed', answer: null, usage: emptyUsage(), stop_reason: 'finished' })
  }

  #add(body: object): void {
    const sequence = this.#events.length + 1
    const event = { run_id: this.id, sequence, at: AT, ...body } as RunEvent
    this.#events.push(event)
    const final: Ended | undefined = isTerminal(event)
      ? { state: foldRun(this.#events)!, deliveries: [] }
      : undefined
    this.#writer.add(this, sequence - 1, JSON.stringify(event), final)
  }
}

/** A store with runs in it, a writer whose pauses take no time, and what both were asked and said. */
const open = async (t: test.TestContext, ...ids: readonly string[]) => {
  const store = openSqliteStore(IN_MEMORY)
  t.after(() => store.close())
  for (const id of ids) await store.create(recordOf(createdOf(id, AT)), createdOf(id, AT))
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const said: string[] = []
  const say = (_: unknown, message: string): void => void said.push(message)
  const writer = new EventWriter(store, { debug() {}, info() {}, warn: say, error: say })
  const runs = ids.map((id) => new Written(id, writer)) as [Written, ...Written[]]
  const sequences = async (id: string) =>
    (await store.events(id, 0, 1000)).map(({ sequence }) => sequence)
  const idle = () => passing(t, writer.idle())
  return { store, writer, runs, said, sequences, idle }
}

/** Refuses the next so many groups, and goes on as before. */
const refuse = (store: RunStore, times: number, cause: () => Error): void => {
  const append = store.append.bind(store)
  store.append = async (pieces, again) => {
    if (times-- > 0) throw cause()
    return append(pieces, again)
  }
}

test('a group that the store could not take just then is written as soon as it can', async (t) => {
  const { store, writer, runs, said, sequences, idle } = await open(t, 'run_a')
  const [run] = runs
  refuse(store, 3, away)
  run.warn()
  run.end()
  await idle()
  assert.deepEqual(await sequences('run_a'), [1, 2, 3])
  assert.equal((await store.read('run_a'))?.state.status, 'completed')
  assert.deepEqual(await store.unfinished(), [])
  assert.deepEqual([...new Set(said)], ['events could not be stored yet'])
  assert.deepEqual(writer.load, { unstored: 0, storeRetries: 3, lostEvents: 0 })
})

test('what comes up meanwhile waits behind the group, and nobody sees either before', async (t) => {
  const { store, writer, runs, sequences, idle } = await open(t, 'run_a')
  const [run] = runs
  const append = store.append.bind(store)
  let asked = 0
  store.append = async (pieces, again) => {
    asked++
    if (asked > 2) return append(pieces, again)
    // The commit was made, and the connection broke before anybody heard of it.
    if (asked === 2) await append(pieces, again)
    run.warn()
    assert.equal(run.shown, 1)
    assert.ok(writer.load.unstored > 0)
    throw away()
  }
  run.warn()
  await idle()
  assert.deepEqual(await sequences('run_a'), [1, 2, 3, 4])
  assert.equal(run.shown, 4)
})

test('an end that the store could not take just then is kept as well', async (t) => {
  const { store, runs, sequences, idle } = await open(t, 'run_a')
  const finish = store.finish.bind(store)
  let refusals = 2
  store.finish = async (...given) => {
    if (refusals-- > 0) throw away()
    return finish(...given)
  }
  runs[0].end()
  await idle()
  assert.deepEqual(await sequences('run_a'), [1, 2])
  assert.deepEqual(await store.unfinished(), [])
})

test('runs go on without a store that stays away, and it gets everything when it is back', async (t) => {
  const { store, writer, runs, said, sequences, idle } = await open(t, 'run_a')
  const [run] = runs
  const append = store.append.bind(store)
  refuse(store, Infinity, away)
  run.warn()
  await idle()
  assert.equal(run.shown, 2, 'readers go on from memory')
  run.end()
  assert.equal(run.shown, 3, 'at once')
  assert.equal(run.isReleased, false)
  assert.equal(writer.load.unstored, 2)
  store.append = append
  t.mock.timers.tick(5000)
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(run.isReleased, true)
  assert.deepEqual(await sequences('run_a'), [1, 2, 3])
  assert.deepEqual(await store.unfinished(), [])
  assert.deepEqual(
    said.filter((each) => each.startsWith('the store')),
    ['the store stays away: runs go on without it', 'the store answers again'],
  )
  assert.equal(writer.load.lostEvents, 0)
})

test('a server that ends while the store is away says what it lost, and asks no more', async (t) => {
  const { store, writer, runs, said } = await open(t, 'run_a')
  refuse(store, Infinity, away)
  runs[0].warn()
  await passing(t, writer.close())
  const { storeRetries } = writer.load
  t.mock.timers.tick(60_000)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(said.at(-1), 'events could not be stored')
  assert.deepEqual(writer.load, { unstored: 0, storeRetries, lostEvents: 1 })
})

test('a log that broke off by a refusal ends behind what is stored of it', async (t) => {
  const { store, writer, runs, said, sequences, idle } = await open(t, 'run_a')
  const [run] = runs
  run.warn()
  await idle()
  refuse(store, 1, () => new Error('constraint'))
  run.warn()
  await idle()
  run.warn()
  run.warn()
  await idle()
  assert.deepEqual(await sequences('run_a'), [1, 2], 'a log has no gaps')
  run.end()
  await idle()
  const events = await store.events('run_a', 0, 100)
  assert.deepEqual(events.map(({ type, sequence }) => [type, sequence]).slice(1), [
    ['warning', 2],
    ['run.completed', 3],
  ])
  const { state } = (await store.read('run_a'))!
  assert.deepEqual([state.status, state.last_sequence], ['completed', 3])
  assert.deepEqual(said, ['a run could not be stored'])
  assert.deepEqual(writer.load, { unstored: 0, storeRetries: 0, lostEvents: 3 })
})

test('what is refused for good is not asked again, and takes no other run with it', async (t) => {
  const { store, writer, runs, sequences, idle } = await open(t, 'run_a', 'run_b', 'run_c')
  const append = store.append.bind(store)
  store.append = async (pieces, again) => {
    if (pieces.some(({ runId, texts }) => runId === 'run_b' && texts.join().includes('poison')))
      throw new Error('constraint')
    return append(pieces, again)
  }
  for (const run of runs) run.warn(run.id === 'run_b' ? 'poison' : 'w')
  for (const run of runs) run.end()
  await idle()
  assert.deepEqual(await sequences('run_a'), [1, 2, 3])
  assert.deepEqual(await sequences('run_b'), [1, 2])
  assert.deepEqual(await sequences('run_c'), [1, 2, 3])
  assert.deepEqual(await store.unfinished(), [])
  assert.deepEqual(writer.load, { unstored: 0, storeRetries: 0, lostEvents: 1 })
})

test('an end that is refused for good is said, and the next start ends the run', async (t) => {
  const { store, runs, said, idle } = await open(t, 'run_a')
  store.finish = () => Promise.reject(new Error('constraint'))
  runs[0].end()
  await idle()
  assert.deepEqual(said, ['a run could not be stored'])
  assert.deepEqual(await store.unfinished(), ['run_a'])
})

test('runs are held back while the store is away, so that memory stays bounded', async (t) => {
  const { store, writer, runs } = await open(t, 'run_a')
  const [run] = runs
  const append = store.append.bind(store)
  let come = (): void => undefined
  const back = new Promise<void>((resolve) => (come = resolve))
  const begun = new Promise<void>((resolve) => {
    store.append = async (pieces, again) => {
      resolve()
      await back
      return append(pieces, again)
    }
  })
  run.warn()
  await begun
  for (let event = 0; event < 20_000; event++) run.warn()
  const room = writer.room()
  assert.ok(room !== undefined)
  come()
  await passing(t, room)
  assert.equal(writer.room(), undefined)
  assert.equal(run.shown, 20_002)
})
