import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import type { RunEvent } from '../../src/core/event.ts'
import { foldRun } from '../../src/core/run-state.ts'
import type { SteeringView } from '../../src/core/steering.ts'
import type { Runner } from '../../src/runs/runner.ts'
import { readSteering } from '../../src/runs/steering.ts'
import { buildRunner, draft, forever, strategyOf, wordModel } from './support.ts'

const { signal } = new AbortController()

const until = async (runner: Runner, id: string, type: RunEvent['type']): Promise<void> => {
  for await (const event of runner.events(id, '', 0, signal)) if (event.type === type) return
}

const eventsOf = async (runner: Runner, id: string): Promise<RunEvent[]> => {
  const events: RunEvent[] = []
  for await (const event of runner.events(id, '', 0, signal)) events.push(event)
  return events
}

/** One draft that becomes the answer, a second one, then nothing until the run is ended. */
const waiting = (seen: (steering: SteeringView) => void = () => undefined) =>
  strategyOf('waiting', async function* (task, _, context) {
    yield* draft(0, task, context)
    yield { type: 'answer.revised', revision: 1, candidate: 0, text: 'a', reason: 'r', score: null }
    yield* draft(1, task, context)
    yield { type: 'warning', code: 'ready', message: '' }
    await forever(context.signal).finally(() => seen(context.steering))
    return { candidate: 0, stopReason: 'finished' as const }
  })

const start = async (runner: Runner, budget = {}): Promise<string> => {
  const id = await runner.create({ input: 'Go.', strategy: 'waiting', budget }, '')
  await until(runner, id, 'warning')
  return id
}

const conflict = (thrown: unknown): boolean =>
  thrown instanceof RefineError && thrown.code === 'conflict'

test('an accepted run ends at once as finished, with its answer', async (t) => {
  const { runner } = buildRunner(t, { strategies: [waiting()] })
  const id = await start(runner)
  const state = await runner.steer(id, '', { action: 'accept' })
  assert.deepEqual(
    [state.status, state.stop_reason, state.answer?.candidate],
    ['completed', 'finished', 0],
  )
  const events = await eventsOf(runner, id)
  assert.deepEqual(foldRun(events), state)
  assert.deepEqual(state.steering, [{ action: 'accept' }])
  await assert.rejects(runner.steer(id, '', { action: 'accept' }), conflict)
})

test('a run without any answer cannot be accepted, and one of another owner not be steered', async (t) => {
  const model = wordModel(['one'], forever)
  const { runner } = buildRunner(t, { model })
  const id = await runner.create({ input: 'Go.' }, 'ann')
  await assert.rejects(runner.steer(id, 'ann', { action: 'accept' }), conflict)
  await assert.rejects(runner.steer(id, 'bob', { action: 'accept' }), /There is no run/)
})

test('a strategy sees hints, drops and marks, and everyone sees them as events', async (t) => {
  const seen: unknown[] = []
  const strategy = waiting((steering) =>
    seen.push(
      steering.hints(),
      steering.isDropped(1),
      steering.isDropped(0),
      steering.markedStep(0),
    ),
  )
  const { runner } = buildRunner(t, { strategies: [strategy] })
  const id = await start(runner)
  await runner.steer(id, '', { action: 'hint', text: 'Mind the units.' })
  await runner.steer(id, '', { action: 'drop', candidate: 1 })
  await runner.steer(id, '', { action: 'mark', candidate: 0, step: 2 })
  await assert.rejects(runner.steer(id, '', { action: 'drop', candidate: 0 }), conflict)
  await assert.rejects(
    runner.steer(id, '', { action: 'mark', candidate: 7, step: 1 }),
    /candidate 7/,
  )
  await runner.cancel(id, '')
  assert.deepEqual(seen, [['Mind the units.'], true, false, 2])
  const steered = (await eventsOf(runner, id)).filter(({ type }) => type === 'run.steered')
  assert.equal(steered.length, 3)
})

test('a time limit that is shortened while the run goes on ends it with its answer', async (t) => {
  const { runner } = buildRunner(t, { strategies: [waiting()] })
  const id = await start(runner, { seconds: 3600 })
  await runner.steer(id, '', { action: 'budget', budget: { seconds: 0.001 } })
  const state = await runner.ended(id, '', signal)
  assert.deepEqual([state.status, state.stop_reason], ['completed', 'deadline'])
})

test('a budget of calls that is extended lets the run go on beyond the old one', async (t) => {
  let go = (): void => undefined
  let steered = Promise.resolve()
  const strategy = strategyOf('two', async function* (task, _, context) {
    yield* draft(0, task, context)
    yield { type: 'warning', code: 'ready', message: '' }
    await steered
    yield* draft(1, task, context)
    return { candidate: 1, stopReason: 'finished' as const }
  })
  for (const [calls, reason] of [
    [2, 'finished'],
    [1, 'budget'],
  ] as const) {
    steered = new Promise<void>((resolve) => (go = resolve))
    const { runner } = buildRunner(t, { strategies: [strategy] })
    const id = await runner.create({ input: 'Go.', strategy: 'two', budget: { calls: 1 } }, '')
    await until(runner, id, 'warning')
    await runner.steer(id, '', { action: 'budget', budget: { calls } })
    go()
    assert.equal((await runner.ended(id, '', signal)).stop_reason, reason)
  }
})

test('a run that waits for its turn can be given another budget and still counts as queued', async (t) => {
  const { runner } = buildRunner(t, { strategies: [waiting()], running: 1 })
  const first = await start(runner)
  const second = await runner.create({ input: 'Go.', strategy: 'waiting' }, '')
  const state = await runner.steer(second, '', { action: 'budget', budget: { calls: 1 } })
  assert.equal(state.status, 'queued')
  await runner.cancel(first, '')
  assert.equal((await runner.ended(second, '', signal)).stop_reason, 'budget')
})

test('what is wrong with a request to steer is told by field', () => {
  for (const [value, words] of [
    [null, /\/action: must be one of accept, budget, hint, drop, mark/],
    [{ action: 'fly' }, /\/action/],
    [{ action: 'hint' }, /\/text is required/],
    [{ action: 'mark', candidate: 0, step: 0 }, /\/step/],
    [{ action: 'accept', colour: 'red' }, /\/colour/],
  ] as const) {
    assert.throws(() => readSteering(value), words)
  }
})
