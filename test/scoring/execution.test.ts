import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { promptsFor } from '../../src/prompts/index.ts'
import { createExecution, equationsIn } from '../../src/scoring/execution.ts'
import { processorTime } from '../../src/scoring/sandbox/processor-time.ts'
import { createSandbox } from '../../src/scoring/sandbox/sandbox.ts'
import { TASK } from '../support/run-strategy.ts'

const { signal } = new AbortController()

const withSandbox = async <Value>(
  use: (sandbox: ReturnType<typeof createSandbox>) => Promise<Value>,
): Promise<Value> => {
  const sandbox = createSandbox()
  try {
    return await use(sandbox)
  } finally {
    await sandbox.close()
  }
}

const scoreOf = (text: string) =>
  withSandbox((sandbox) =>
    createExecution(sandbox, promptsFor('full')).score(TASK, { text }, { signal }),
  )

test('a program is run without anything to reach, and says what it printed', async () => {
  await withSandbox(async (sandbox) => {
    const { output } = await sandbox.run('console.log(6 * 7); print([1, 2]); "end"', { signal })
    assert.equal(output, '42\n[1,2]\nend')
    const names = ['process', 'require', 'fetch', 'setTimeout', 'WebAssembly', 'importScripts']
    const { output: kinds } = await sandbox.run(
      `[${names.map((name) => `typeof ${name}`).join()}].join()`,
      { signal },
    )
    assert.equal(kinds, names.map(() => 'undefined').join())
    const { error } = await sandbox.run('import("node:fs"); await 1', { signal })
    assert.match(error!, /Error/)
  })
})

test('programs that never end, grow or recurse are stopped, and the next one runs', async () => {
  await withSandbox(async (sandbox) => {
    const endless = sandbox.run('for (;;) {}', { signal })
    const deep = sandbox.run('const f = () => f(); f()', { signal })
    const wide = sandbox.run('let s = "x"; for (;;) s += s', { signal })
    const loud = sandbox.run('for (let i = 0; i < 1e5; i++) print("x".repeat(99))', { signal })
    const after = sandbox.run('1 + 1', { signal })
    assert.match((await endless).error!, /interrupted/)
    assert.match((await deep).error!, /stack overflow/)
    assert.ok((await wide).error !== undefined)
    assert.ok((await loud).output.length <= 10_000)
    assert.equal((await after).output, '2')
  })
})

test('the processor time of a thread goes on with its work, not with the clock', (t) => {
  const start = processorTime()
  if (start === undefined) return t.skip('the platform does not tell it')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
  const waited = processorTime()! - start
  assert.ok(waited < 300, `${waited} ms of waiting count`)
})

test('the event loop is free while a program runs', async () => {
  await withSandbox(async (sandbox) => {
    let turns = 0
    const timer = setInterval(() => turns++, 5)
    await sandbox.run('for (;;) {}', { signal })
    clearInterval(timer)
    assert.ok(turns > 5, `${turns} turns`)
  })
})

test('an abort ends the wait at once, and a closed sandbox says so', async () => {
  const sandbox = createSandbox()
  const controller = new AbortController()
  const reason = new Error('cancelled')
  const waiting = sandbox.run('for (;;) {}', { signal: controller.signal })
  controller.abort(reason)
  await assert.rejects(waiting, reason)
  await sandbox.close()
  await assert.rejects(
    sandbox.run('1', { signal }),
    (thrown) => thrown instanceof RefineError && thrown.code === 'scorer_unavailable',
  )
})

test('equations are found with their signs, and nothing but numbers becomes code', () => {
  assert.deepEqual(
    equationsIn('Ben: 12 × 3 = 36 and $1,200 ÷ 4 = $300; x = 5; f(2) = 4; alert(1)=1').map(
      ({ expression, stated }) => `${expression} -> ${stated}`,
    ),
    ['12 * 3 -> 36', '1200 / 4 -> 300'],
  )
  assert.deepEqual(equationsIn('1 //\n2 = 2, and 3 /* 4 = 4'), [])
})

test('marks of lists, and what is part of a longer expression, are no equations', () => {
  const found = (text: string) => equationsIn(text).map(({ expression }) => expression)
  assert.deepEqual(found('- 3 * 4 = 12\n1. 5 + 3 = 8\n  * 2) 6 / 2 = 3\nStep 3. 1 + 1 = 2'), [
    '3 * 4',
    '5 + 3',
    '6 / 2',
    '1 + 1',
  ])
  assert.deepEqual(found('x + 3 + 4 = 9; 5 apples - 2 * 1 = 3; 20% * 3 * 4 = 2.4'), [])
  assert.deepEqual(found('x = 3 + 4 = 7, that is -3 + 5 = 2'), ['3 + 4', '-3 + 5'])
})

test('a share may be stated in percent', async () => {
  assert.equal((await scoreOf('3 / 4 = 75%')).score, 1)
  assert.equal((await scoreOf('15 / 60 * 100 = 25%')).score, 1)
  assert.equal((await scoreOf('3 / 4 = 70%')).score, 0)
})

test('a draft scores by the share of its equations that hold, and its steps by their own', async () => {
  const { score, steps } = await scoreOf('Ben has 2 * 3 = 6.\n\nSo 6 + 1 = 8.\n\nThat is all.')
  assert.equal(score, 0.5)
  assert.deepEqual(steps, [1, 0, 0.5])
  assert.equal((await scoreOf('10 / 3 = 3.33')).score, 1)
  assert.equal((await scoreOf('10 / 3 = 3.34')).score, 0)
  assert.equal((await scoreOf('(1 + 2) * 3 = 9')).score, 1)
})

test('a program must print the answer that the draft states', async () => {
  const program = '```js\nlet sum = 0\nfor (const n of [1, 2, 3]) sum += n\nconsole.log(sum)\n```'
  assert.equal((await scoreOf(`${program}\nThe answer is 6.`)).score, 1)
  assert.equal((await scoreOf(`${program}\nThe answer is 7.`)).score, 0)
  assert.equal((await scoreOf(program)).score, 1)
  const failed = await scoreOf('```js\nthrow new Error("no")\n```')
  assert.deepEqual([failed.score, failed.warning?.code], [0, 'program_failed'])
})

test('what cannot be run stays without a score', async () => {
  for (const text of ['No numbers here.', '```python\nprint(1)\n```', '']) {
    const { score, warning } = await scoreOf(text)
    assert.deepEqual([score, warning?.code], [null, 'nothing_to_run'])
  }
})

test('hostile text costs no more than its length', { timeout: 60_000 }, async () => {
  for (const text of ['1'.repeat(200_000), '```'.repeat(60_000), '1 + '.repeat(50_000)]) {
    await scoreOf(text)
    await scoreOf(text.replaceAll(/(.{900})/g, '$1\n'))
  }
})

test(
  'equations are looked for within a line, however many lines there are',
  { timeout: 60_000 },
  () => {
    assert.deepEqual(equationsIn('-\n'.repeat(200_000)), [])
    assert.deepEqual(equationsIn('(\n(\n1 + 1 = 2'), [
      { expression: '1 + 1', stated: '2', isPercent: false },
    ])
  },
)
