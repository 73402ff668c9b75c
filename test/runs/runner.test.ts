import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { isTerminal, type RunEvent } from '../../src/core/event.ts'
import { foldRun } from '../../src/core/run-state.ts'
import type { Runner } from '../../src/runs/runner.ts'
import { DatabaseRunStore } from '../../src/storage/run-store.ts'
import { openSqliteStore } from '../../src/storage/sqlite.ts'
import {
  buildRunner,
  draft,
  drafts,
  forever,
  passing,
  silent,
  strategyOf,
  temporaryFolder,
  wordModel,
} from './support.ts'
import { pieceOf } from '../support/log-piece.ts'

const { signal } = new AbortController()

const eventsOf = async (runner: Runner, id: string, after = 0): Promise<RunEvent[]> => {
  const events: RunEvent[] = []
  for await (const event of runner.events(id, '', after, signal)) events.push(event)
  return events
}

/** Ends the test when the run shows an event of this type. */
const until = async (runner: Runner, id: string, type: RunEvent['type']): Promise<void> => {
  for await (const event of runner.events(id, '', 0, signal)) if (event.type === type) return
}

test('the JSON of a run equals the fold of its events, live and stored', async (t) => {
  const { runner, store } = buildRunner(t)
  const id = await runner.create({ input: 'Say it.', options: { count: 2 }, seed: 5 }, '')
  const events = await eventsOf(runner, id)
  const state = await runner.ended(id, '', signal)
  assert.deepEqual(foldRun(events), state)
  assert.deepEqual(
    events.map(({ sequence }) => sequence),
    events.map((_, index) => index + 1),
  )
  assert.equal(events.filter(isTerminal).length, 1)
  assert.equal(events.at(-1)!.type, 'run.completed')
  assert.equal(state.answer?.text, 'one two three ')
  assert.equal(state.answer?.revision, 2)
  assert.equal(state.stop_reason, 'finished')
  assert.deepEqual(await store.events(id, 0, 1000), events)
  assert.deepEqual((await store.read(id))?.state, state)
})

test('the request of a run is kept for its owner, as long as the run is', async (t) => {
  const { runner } = buildRunner(t)
  const request = { input: 'Say it.', metadata: { a: 1 } }
  const id = await runner.create(request, 'ann')
  assert.deepEqual(await runner.request(id, 'ann'), request)
  await assert.rejects(runner.request(id, 'ben'), { code: 'run_not_found' })
  await runner.cancel(id, 'ann')
  await runner.remove(id, 'ann')
  await assert.rejects(runner.request(id, 'ann'), { code: 'run_not_found' })
})

test('a reader that resumes at any event gets exactly the rest of the log', async (t) => {
  const { runner } = buildRunner(t)
  const id = await runner.create({ input: 'Say it.' }, '')
  const whole = await eventsOf(runner, id)
  for (let after = 0; after <= whole.length; after++) {
    assert.deepEqual(await eventsOf(runner, id, after), whole.slice(after))
  }
})

test('usage counts calls, tokens and money of every call by role', async (t) => {
  const { runner } = buildRunner(t)
  const id = await runner.create({ input: 'Say it now.', options: { count: 2 } }, '')
  const { usage } = await runner.ended(id, '', signal)
  assert.equal(usage.calls, 2)
  assert.equal(usage.input_tokens, 6)
  assert.equal(usage.output_tokens, 6)
  assert.ok(Math.abs(usage.cost - (6 * 1 + 6 * 2) / 1e6) < 1e-15)
  assert.deepEqual(usage.by_role, { generator: { calls: 2, input_tokens: 6, output_tokens: 6 } })
})

test('a budget of calls ends the run with the best answer so far', async (t) => {
  const { runner } = buildRunner(t)
  const id = await runner.create(
    { input: 'Say it.', options: { count: 9 }, budget: { calls: 2 } },
    '',
  )
  const state = await runner.ended(id, '', signal)
  assert.equal(state.status, 'completed')
  assert.equal(state.stop_reason, 'budget')
  assert.equal(state.answer?.text, 'first')
  assert.equal(state.usage.calls, 2)
})

test('a budget of tokens shortens the answer and is never exceeded', async (t) => {
  const { runner } = buildRunner(t)
  for (let tokens = 3; tokens <= 12; tokens++) {
    const id = await runner.create(
      { input: 'Say it.', options: { count: 5 }, budget: { tokens } },
      '',
    )
    const { usage, stop_reason, answer } = await runner.ended(id, '', signal)
    assert.ok(usage.input_tokens + usage.output_tokens <= tokens, `spent more than ${tokens}`)
    assert.equal(stop_reason, 'budget')
    assert.notEqual(answer, null)
  }
})

test('a budget that does not allow one token fails the run and names the field', async (t) => {
  const { runner } = buildRunner(t)
  const id = await runner.create({ input: 'Say it.', budget: { tokens: 2 } }, '')
  const state = await runner.ended(id, '', signal)
  assert.equal(state.status, 'failed')
  assert.equal(state.error?.code, 'budget_too_small')
  assert.equal(state.answer, null)
})

test('a deadline ends the run with what the unfinished draft says so far', async (t) => {
  let tokens = 0
  const model = wordModel(['one', 'two', 'three'], (stop) =>
    ++tokens > 2 ? forever(stop) : Promise.resolve(),
  )
  const { runner } = buildRunner(t, { model })
  const id = await runner.create({ input: 'Say it.', budget: { seconds: 0.05 } }, '')
  const state = await runner.ended(id, '', signal)
  assert.equal(state.status, 'completed')
  assert.equal(state.stop_reason, 'deadline')
  assert.equal(state.answer?.text, 'one two ')
  assert.equal(state.revisions[0]?.reason, 'partial')
})

test('a deadline before any text is no error: the answer so far is none', async (t) => {
  const { runner } = buildRunner(t, { model: wordModel(['one'], forever) })
  for (const limits of [{ budget: { seconds: 0.02 } }, { deadline_seconds: 0.02 }]) {
    const id = await runner.create({ input: 'Say it.', ...limits }, '')
    const { status, stop_reason, answer, error } = await runner.ended(id, '', signal)
    assert.deepEqual([status, stop_reason, answer, error], ['completed', 'deadline', null, null])
  }
})

test('a deadline passes while its run waits for its turn, too', async (t) => {
  const { runner } = buildRunner(t, { model: wordModel(['one'], forever), running: 1 })
  const first = await runner.create({ input: 'Say it.' }, '')
  const id = await runner.create({ input: 'Say it.', deadline_seconds: 0.02 }, '')
  const { status, stop_reason } = await runner.ended(id, '', signal)
  assert.deepEqual([status, stop_reason], ['completed', 'deadline'])
  assert.equal((await runner.get(first, '')).ended_at, null)
  await runner.cancel(first, '')
})

test('cancelling stops the model and keeps the best answer; cancelling again changes nothing', async (t) => {
  let stopped = false
  let tokens = 0
  const model = wordModel(['one', 'two', 'three'], async (stop) => {
    if (++tokens <= 4) return
    stop.addEventListener('abort', () => (stopped = true))
    await forever(stop)
  })
  const { runner } = buildRunner(t, { model })
  const id = await runner.create({ input: 'Say it.', options: { count: 3 } }, '')
  await until(runner, id, 'answer.revised')
  const state = await runner.cancel(id, '')
  assert.equal(state.status, 'cancelled')
  assert.equal(state.stop_reason, 'cancelled')
  assert.equal(state.answer?.text, 'first')
  assert.ok(stopped)
  assert.deepEqual(await runner.cancel(id, ''), state)
})

test('a strategy that ignores its signal cannot hold the run', async (t) => {
  const deaf = strategyOf('deaf', async function* (task, _, context) {
    yield* draft(0, task, context)
    await new Promise(() => undefined)
    return { candidate: 0, stopReason: 'finished' as const }
  })
  const { runner } = buildRunner(t, { strategies: [deaf] })
  const id = await runner.create({ input: 'Say it.', strategy: 'deaf' }, '')
  await until(runner, id, 'candidate.completed')
  const state = await runner.cancel(id, '')
  assert.equal(state.status, 'cancelled')
  assert.equal(state.answer?.text, 'one two three ')
})

test('a failure in the middle keeps the best answer and hides what is internal', async (t) => {
  const broken = strategyOf('broken', async function* (task, options, context) {
    yield* drafts.run(task, options, context)
    throw new TypeError('secret detail')
  })
  const { runner } = buildRunner(t, { strategies: [broken] })
  const id = await runner.create({ input: 'Say it.', strategy: 'broken' }, '')
  const state = await runner.ended(id, '', signal)
  assert.equal(state.status, 'failed')
  assert.equal(state.error?.code, 'internal')
  assert.doesNotMatch(state.error.message, /secret/)
  assert.equal(state.answer?.text, 'first')
})

test('what is logged of a run names it and the trace that it is part of', async (t) => {
  const lines: object[] = []
  t.mock.method(silent, 'error', (details: object) => lines.push(details))
  const broken = strategyOf('broken', async function* (task, options, context) {
    yield* drafts.run(task, options, context)
    throw new TypeError('secret detail')
  })
  const { runner } = buildRunner(t, { strategies: [broken] })
  const request = { input: 'Say it.', strategy: 'broken' }
  const trace = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', flags: '01' }
  const id = await runner.create(request, '', trace)
  await runner.ended(id, '', signal)
  const { run_id, trace_id } = lines[0] as Record<string, unknown>
  assert.deepEqual({ run_id, trace_id }, { run_id: id, trace_id: trace.traceId })
})

test('runs beyond the queue are refused with a time to come back', async (t) => {
  const { runner } = buildRunner(t, { model: wordModel(['one'], forever), running: 1, waiting: 1 })
  const first = await runner.create({ input: 'a' }, '')
  const second = await runner.create({ input: 'b' }, '')
  await assert.rejects(runner.create({ input: 'c' }, ''), (error) => {
    assert.ok(error instanceof RefineError)
    assert.equal(error.code, 'overloaded')
    return (error.retryAfter ?? 0) >= 1
  })
  await until(runner, first, 'budget.updated')
  assert.equal((await runner.get(first, '')).status, 'running')
  assert.equal((await runner.get(second, '')).status, 'queued')
  assert.equal((await runner.cancel(second, '')).status, 'cancelled')
  await runner.cancel(first, '')
  const third = await runner.create({ input: 'd' }, '')
  await until(runner, third, 'candidate.created')
})

test('a run of another owner does not exist', async (t) => {
  const { runner } = buildRunner(t)
  const id = await runner.create({ input: 'Say it.' }, 'alice')
  for (const attempt of [
    () => runner.get(id, 'bob'),
    () => runner.cancel(id, 'bob'),
    () => runner.ended(id, 'bob', signal),
    () => runner.events(id, 'bob', 0, signal).next(),
    () => runner.addFeedback({ run_id: id, metric: 'correct', value: true, source: 'user' }, 'bob'),
  ]) {
    await assert.rejects(attempt(), { code: 'run_not_found' })
  }
  assert.deepEqual((await runner.list({ owner: 'bob', limit: 10, order: 'asc' })).runs, [])
  await runner.ended(id, 'alice', signal)
})

test('bad requests name the field', async (t) => {
  const { runner } = buildRunner(t)
  const cases: readonly [object, string, string][] = [
    [{ input: 'a', strategy: 'nope' }, 'unknown_strategy', '/strategy'],
    [{ input: 'a', model: 'nope' }, 'unknown_model', '/model'],
    [{ input: 'a', models: { judge: 'nope' } }, 'unknown_model', '/models/judge'],
    [{ input: 'a', options: { count: 0 } }, 'invalid_request', '/options/count'],
    [{ input: 'a', options: { cuont: 1 } }, 'invalid_request', '/options/cuont'],
    [{ input: 'a', budget: { calls: 0 } }, 'invalid_request', '/budget/calls'],
    [{ input: 'a', budget: { tokens: 1e99 } }, 'invalid_request', '/budget/tokens'],
    [{ input: 7 }, 'invalid_request', '/input'],
    [{ messages: [] }, 'invalid_request', '/messages'],
    [{ input: 'a', messages: [{ role: 'user', content: 'b' }] }, 'invalid_request', '/input'],
    [{ messages: [{ role: 'assistant', content: 'b' }] }, 'invalid_request', '/messages/0/role'],
    [{ input: 'a', surprise: 1 }, 'invalid_request', '/surprise'],
    [{ input: 'a', experiment: { key: 'none' } }, 'invalid_request', '/experiment/key'],
    [{}, 'invalid_request', '/input'],
  ]
  for (const [request, code, pointer] of cases) {
    await assert.rejects(runner.create(request as never, ''), (error) => {
      assert.ok(error instanceof RefineError, String(error))
      assert.equal(error.code, code)
      assert.ok(
        error.fields.some((field) => field.pointer === pointer),
        `${pointer} in ${error.message}`,
      )
      return true
    })
  }
})

test('the same seed is reported and gives the same seeds to the model', async (t) => {
  const seeds: number[] = []
  const model = wordModel(['one'])
  const spy = {
    ...model,
    generate: (request: Parameters<typeof model.generate>[0], options: { signal: AbortSignal }) => {
      seeds.push(request.seed)
      return model.generate(request, options)
    },
  }
  const { runner } = buildRunner(t, { model: spy })
  for (let time = 0; time < 2; time++) {
    const id = await runner.create({ input: 'a', options: { count: 3 }, seed: 42 }, '')
    assert.equal((await runner.ended(id, '', signal)).seed, 42)
  }
  assert.deepEqual(seeds.slice(0, 3), seeds.slice(3))
})

test('the worst case is priced, cut to the budget, and joined by the mean of earlier runs', async (t) => {
  const { runner } = buildRunner(t)
  const request = { input: 'Say it now.', options: { count: 3 }, sampling: { max_tokens: 10 } }
  const before = await runner.estimate(request)
  assert.deepEqual(before.worst_case, { calls: 3, input_tokens: 9, output_tokens: 30, cost: 69e-6 })
  assert.equal(before.expected, null)
  await runner.ended(await runner.create(request, ''), '', signal)
  const after = await runner.estimate({ ...request, budget: { calls: 2 } })
  assert.equal(after.worst_case.calls, 2)
  assert.deepEqual(after.expected, { calls: 3, input_tokens: 9, output_tokens: 9, cost: 27e-6 })
})

test('runs are listed by page in either direction, live ones with their present state', async (t) => {
  const { runner } = buildRunner(t)
  const ids: string[] = []
  for (let count = 0; count < 5; count++) {
    const id = await runner.create({ input: 'a' }, '')
    ids.push(id)
    await runner.ended(id, '', signal)
  }
  ids.sort()
  const list = async (page: object) =>
    (await runner.list({ owner: '', limit: 2, order: 'asc', ...page })).runs.map(({ id }) => id)
  assert.deepEqual(await list({}), ids.slice(0, 2))
  assert.deepEqual(await list({ after: ids[1]! }), ids.slice(2, 4))
  assert.deepEqual(await list({ order: 'desc' }), [ids[4], ids[3]])
  assert.deepEqual(await list({ order: 'desc', after: ids[3]! }), [ids[2], ids[1]])
  assert.deepEqual(await list({ before: ids[1]! }), [ids[0]])
  assert.deepEqual(await list({ status: 'running' }), [])
  assert.equal((await runner.list({ owner: '', limit: 2, order: 'asc' })).hasMore, true)
})

test('after draining, new runs are refused and those under way have ended', async (t) => {
  const { runner } = buildRunner(t, { model: wordModel(['one'], forever) })
  const id = await runner.create({ input: 'a' }, '')
  await runner.drain(0.01)
  assert.equal((await runner.get(id, '')).status, 'cancelled')
  await assert.rejects(runner.create({ input: 'a' }, ''), { code: 'shutting_down' })
})

test('draining ends a run, too, that was still being stored when it began', async (t) => {
  const { runner, store } = buildRunner(t, { model: wordModel(['one'], forever) })
  const create = store.create.bind(store)
  let goOn = (): void => undefined
  const held = new Promise<void>((resolve) => (goOn = resolve))
  const reached = new Promise<void>((resolve) => {
    store.create = async (...record) => {
      resolve()
      await held
      return create(...record)
    }
  })
  const creating = runner.create({ input: 'a' }, '')
  await reached
  const draining = runner.drain(0)
  setTimeout(goOn, 5) // when its grace of no seconds is over
  const id = await creating
  await draining
  assert.equal((await runner.get(id, '')).status, 'cancelled')
})

test('a restart fails the runs a crash left behind and keeps their best answer', async (t) => {
  const folder = temporaryFolder()
  const store = openSqliteStore(folder)
  const at = new Date().toISOString()
  const created: RunEvent = {
    run_id: 'run_left',
    sequence: 1,
    at,
    type: 'run.created',
    strategy: 'drafts',
    options: {},
    model: 'words',
    models: {},
    budget: {},
    seed: 1,
    assignment: null,
    metadata: {},
  }
  const draftCreated: RunEvent = {
    run_id: 'run_left',
    sequence: 2,
    at,
    type: 'candidate.created',
    candidate: 0,
    parents: [],
    round: 0,
    model: 'words',
    role: 'draft',
  }
  await store.create({ state: foldRun([created])!, owner: '', request: {} }, created)
  const half: RunEvent = {
    run_id: 'run_left',
    sequence: 3,
    at,
    type: 'candidate.delta',
    candidate: 0,
    text: 'half',
  }
  await store.append([pieceOf([draftCreated, half])])
  await store.close()
  const { runner } = buildRunner(t, { folder })
  assert.equal(await runner.recover(), 1)
  const state = await runner.get('run_left', '')
  assert.equal(state.status, 'failed')
  assert.equal(state.error?.code, 'interrupted')
  assert.equal(state.answer?.text, 'half')
  const events = await eventsOf(runner, 'run_left')
  assert.deepEqual(foldRun(events), state)
  assert.equal(events.filter(isTerminal).length, 1)
  assert.equal(await runner.recover(), 0)
})

test('two processes cannot use one data folder', async (t) => {
  const folder = temporaryFolder()
  const store = openSqliteStore(folder)
  t.after(() => store.close())
  assert.throws(() => openSqliteStore(folder), /another process uses it/)
})

const away = () => new RefineError('storage_unavailable', 'The database does not answer.')

test('a store that stays away does not stop a run, which is in memory until the store has it', async (t) => {
  const { runner, store } = buildRunner(t)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const append = store.append.bind(store)
  const check = t.mock.method(store, 'check', () => Promise.reject(away()))
  let isAway = true
  store.append = (...given) => (isAway ? Promise.reject(away()) : append(...given))
  const id = await runner.create({ input: 'a' }, '')
  const state = await passing(t, runner.ended(id, '', signal))
  assert.equal(state.status, 'completed')
  assert.deepEqual(await runner.get(id, ''), state)
  assert.equal((await eventsOf(runner, id)).length, state.last_sequence)
  assert.ok(runner.load().unstored > 0)
  await assert.rejects(runner.remove(id, ''), { code: 'storage_unavailable' })
  isAway = false
  check.mock.restore()
  const removal = runner.remove(id, '')
  await passing(t, removal)
  assert.deepEqual(await store.events(id, 0, 1000), [], 'nothing comes behind')
  assert.equal(runner.load().unstored, 0)
})

test('a store that fails for a moment, even behind what it stored, loses nothing and keeps nothing twice', async (t) => {
  const { runner, store } = buildRunner(t)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const append = store.append.bind(store)
  let failures = 2
  store.append = async (pieces, again) => {
    if (failures !== 2) await append(pieces, again)
    if (failures-- > 0) throw away()
  }
  const id = await runner.create({ input: 'a' }, '')
  const state = await passing(t, runner.ended(id, '', signal))
  await runner.drain(1)
  const events = await store.events(id, 0, 1000)
  assert.deepEqual(
    events.map(({ sequence }) => sequence),
    Array.from({ length: state.last_sequence }, (_, index) => index + 1),
  )
  assert.deepEqual((await store.read(id))?.state, state)
})

test('a server whose database does not answer is not ready', async (t) => {
  const { runner, store } = buildRunner(t)
  await runner.ready('database')
  let cause = new Error('no connection')
  const gone = () => Promise.reject(cause)
  const lost = new DatabaseRunStore({ all: gone, write: gone, close: gone })
  t.mock.method(store, 'check', () => lost.check())
  await assert.rejects(
    runner.ready('database'),
    /^RefineError: The database does not answer at the moment\.$/,
  )
  cause = new RefineError('storage_unavailable', 'Another server has used the database meanwhile.')
  await assert.rejects(
    runner.ready('database'),
    cause,
    'what the database says of it is not hidden',
  )
})

test('a key finds its run again, also after a restart, and dies with it', async (t) => {
  const folder = temporaryFolder()
  const key = { route: 'POST /v1/runs', key: 'k', fingerprint: 'f' }
  const { runner, store } = buildRunner(t, { folder })
  const request = { input: 'Say it.' }
  const both = await Promise.all([
    runner.createOnce(request, 'ann', key),
    runner.createOnce(request, 'ann', key),
  ])
  assert.deepEqual(
    both.map(({ isReplay }) => isReplay),
    [false, true],
  )
  const { id } = both[0]
  assert.equal(both[1].id, id)
  await assert.rejects(runner.createOnce(request, 'ann', { ...key, fingerprint: 'other' }), {
    code: 'idempotency_mismatch',
  })
  assert.notEqual((await runner.createOnce(request, 'bob', key)).id, id)
  await runner.drain(1)
  await store.close()
  const later = buildRunner(t, { folder }).runner
  assert.deepEqual(await later.createOnce(request, 'ann', key), { id, isReplay: true })
  await later.remove(id, 'ann')
  await assert.rejects(later.get(id, 'ann'), /There is no run/)
  assert.equal((await later.createOnce(request, 'ann', key)).isReplay, false)
})

test('a run can be removed as soon as it has ended, and not before', async (t) => {
  const { runner, store } = buildRunner(t, { model: wordModel(['one'], forever) })
  const id = await runner.create({ input: 'Go.' }, '')
  await assert.rejects(runner.remove(id, ''), /goes on/)
  await runner.cancel(id, '')
  await runner.remove(id, '')
  assert.equal(await store.read(id), undefined)
  assert.deepEqual(await store.events(id, 0, 10), [])
})

test('a run is removed while others keep the store busy', async (t) => {
  const { runner, store } = buildRunner(t)
  const id = await runner.create({ input: 'Go.' }, '')
  await runner.ended(id, '', signal)
  const append = store.append.bind(store)
  let goOn = (): void => undefined
  const held = new Promise<void>((resolve) => (goOn = resolve))
  const writing = new Promise<void>((resolve) => {
    store.append = async (pieces) => {
      resolve()
      await held
      return append(pieces)
    }
  })
  const other = await runner.create({ input: 'Go.' }, '')
  await writing
  await runner.remove(id, '')
  assert.equal(await store.read(id), undefined)
  goOn()
  assert.equal((await runner.ended(other, '', signal)).status, 'completed')
})

test('the calls of a run in the background are marked as such, those of others as interactive', async (t) => {
  const words = wordModel(['one'])
  const priorities: unknown[] = []
  const model = {
    ...words,
    generate: (...[request, options]: Parameters<typeof words.generate>) => {
      priorities.push(options.priority)
      return words.generate(request, options)
    },
  }
  const { runner } = buildRunner(t, { model })
  for (const background of [true, false, undefined]) {
    const request = { input: 'Say it.', ...(background === undefined ? {} : { background }) }
    await runner.ended(await runner.create(request, ''), '', signal)
  }
  assert.deepEqual(priorities, ['background', 'interactive', 'interactive'])
})
