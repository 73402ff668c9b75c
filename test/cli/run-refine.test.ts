import test from 'node:test'
import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import type { RunEvent } from '../../src/core/event.ts'
import type { RunClient } from '../../src/cli/run-client.ts'
import { runRefine, type RefineOptions } from '../../src/cli/run-refine.ts'
import { CANCELLED, RUN, capture, stamp } from './fixtures.ts'

const ENTER = '\u001b[?1049h'
const LEAVE = '\u001b[?1049l'

const clientOf = (start: RunClient['start'], cancel: RunClient['cancel'] = async () => undefined) =>
  ({
    start,
    cancel,
    strategies: () => Promise.resolve([]),
    models: () => Promise.resolve([]),
  }) satisfies RunClient

async function* replay(events: readonly RunEvent[]): AsyncGenerator<RunEvent, void, void> {
  yield* events
}

const refine = async (options: Partial<RefineOptions> & Pick<RefineOptions, 'runs'>) => {
  const size = options.isTerminal === true ? { columns: 80, rows: 24 } : undefined
  const [stdout, stderr] = [capture(size), capture()]
  const code = await runRefine({
    request: { input: 'What is 17×24?' },
    stdout,
    stderr,
    isTerminal: false,
    color: false,
    json: false,
    signal: new AbortController().signal,
    ...options,
  })
  return { code, out: stdout.text(), err: stderr.text() }
}

test('without a terminal the log goes to standard error and the answer alone to standard output', async () => {
  const { code, out, err } = await refine({ runs: clientOf(() => replay(RUN)) })
  assert.equal(code, 0)
  assert.equal(out, 'The answer is 408.\n')
  assert.deepEqual(err.split('\n'), [
    'run_1: solver-reviewer-refiner with scripted, seed 7',
    'candidate 0: draft, round 0, scripted',
    'text of 0 (stop, 12 tokens): 17 × 24 = 400. The answer is 400.',
    'score of 0: judge 0.25 in [0, 1]',
    'revision 1: candidate 0, score 0.25 (first)',
    'critique of 0 (wrong at step 1): The product is wrong.',
    'candidate 1: revision of 0, round 1, scripted',
    'budget calls 3 of 9 · tokens 120 · seconds 1.2 s',
    'text of 1 (stop, 6 tokens): The answer is 408.',
    'score of 1: judge 0.875 in [0, 1]',
    'revision 2: candidate 1, score 0.875 (better score)',
    'completed (threshold): 3 calls, 120 tokens, 1.2 s',
    '',
  ])
})

test('as JSON every event is one line, unchanged', async () => {
  const { code, out, err } = await refine({ runs: clientOf(() => replay(RUN)), json: true })
  assert.equal(code, 0)
  assert.deepEqual(
    out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    RUN,
  )
  assert.equal(err, '')
})

test('on a terminal the view is drawn on the second screen, and its end is left on the first', async () => {
  const { code, out } = await refine({ runs: clientOf(() => replay(RUN)), isTerminal: true })
  assert.equal(code, 0)
  const [, live, after] = out.replace(LEAVE, ENTER).split(ENTER)
  assert.match(live!, /waiting/)
  assert.match(after!, /^What is 17×24\?\n/)
  assert.match(after!, /answer: revision 2, candidate 1, score 0\.875/)
  assert.match(after!, /The answer is 408\.\n$/)
})

test('the terminal is given back when the run cannot be started', async () => {
  const stdout = capture({ columns: 80, rows: 24 })
  const failing = clientOf(async function* () {
    yield* []
    throw new Error('no such model')
  })
  await assert.rejects(refine({ runs: failing, isTerminal: true, stdout }), /no such model/)
  assert.ok(stdout.text().endsWith(`\u001b[?25h${LEAVE}`))
})

test('a failed run ends with exit code 1 and tells why', async () => {
  const [created] = RUN
  const failed = {
    type: 'run.failed',
    answer: null,
    error: { code: 'model_failed', message: 'no' },
  }
  const events = [created!, { ...RUN.at(-1)!, ...failed, sequence: 2 } as RunEvent]
  const { code, out, err } = await refine({ runs: clientOf(() => replay(events)) })
  assert.equal(code, 1)
  assert.equal(out, '')
  assert.match(err, /failed \(model_failed: no\)/)
})

test('an abort cancels the run, and the best answer so far is shown', async () => {
  const controller = new AbortController()
  const cancelled: string[] = []
  let cancel = (): void => undefined
  const wasCancelled = new Promise<void>((resolve) => (cancel = resolve))
  const runs = clientOf(
    async function* () {
      yield* RUN.slice(0, 7)
      controller.abort()
      await wasCancelled
      yield { ...stamp([CANCELLED])[0]!, sequence: 8 }
    },
    async (id) => {
      cancelled.push(id)
      cancel()
    },
  )
  const { code, out } = await refine({ runs, signal: controller.signal })
  assert.equal(code, 130)
  assert.deepEqual(cancelled, ['run_1'])
  assert.equal(out, 'The answer is 400.\n')
})

test('a run that does not end when it is told to is left after the grace', async () => {
  const controller = new AbortController()
  const runs = clientOf(async function* (_request, signal) {
    yield* RUN.slice(0, 7)
    controller.abort()
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  })
  const { code, out } = await refine({ runs, signal: controller.signal, grace: 1 })
  assert.equal(code, 130)
  assert.match(out, /The answer is 400/)
})

test('an abort before the run has an id stops the starting', async () => {
  const controller = new AbortController()
  const runs = clientOf(async function* (_request, signal) {
    controller.abort()
    assert.equal(signal.aborted, true)
    yield* []
  })
  assert.equal((await refine({ runs, signal: controller.signal })).code, 130)
})

test('an output that cannot be written ends the run and is told, not taken for a reader that has left', async () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
  })
  for (const json of [true, false]) {
    const stdout = new Writable({ write: (_chunk, _, done) => done(full) })
    const refused = refine({ runs: clientOf(() => replay(RUN)), json, stdout })
    await assert.rejects(refused, /^RefineError: The output cannot be written: ENOSPC/)
  }
})

test('when the reader of the output is gone, the run is given up', async () => {
  const stdout = capture()
  let stopped = false
  const runs = clientOf(async function* (_request, signal) {
    yield RUN[0]!
    stdout.destroy()
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    stopped = true
  })
  await refine({ runs, json: true, stdout })
  assert.equal(stopped, true)
})
