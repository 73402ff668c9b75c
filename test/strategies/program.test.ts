import assert from 'node:assert/strict'
import test from 'node:test'
import { composed } from '../../src/strategies/composed.ts'
import { FakeModel, type Ask } from '../support/fake-model.ts'
import { ofType, runStrategy } from '../support/run-strategy.ts'

const PROGRAMS = [
  '```js\nprint(6 * 7)\n```',
  'I would say\n```javascript\nprint("The answer is", 6 * 7)\n```\nThat is it: 41.',
  '```js\nprint(missing)\n```',
  '```python\nprint(40)\n```',
]

const solve = async (programs: readonly string[], n = programs.length) => {
  let written = 0
  const reply = (ask: Ask): string =>
    ask.system === 'program' ? programs[written++ % programs.length]! : '#### 5'
  const model = new FakeModel({ prompts: 'full', reply })
  const options = { sampler: { kind: 'program', n } }
  const outcome = await runStrategy(composed, model, { options, prompts: 'full' })
  assert.equal(outcome.thrown, undefined)
  return { ...outcome, model }
}

test('what a program prints is the answer of its candidate', async () => {
  const { events, selection } = await solve(PROGRAMS)
  assert.equal(selection?.stopReason, 'finished')
  const { text } = ofType(events, 'answer.revised').at(-1)!
  assert.match(text, /^```js\nprint\(6 \* 7\)\n```\n\n#### 42$/)
  assert.equal(ofType(events, 'vote.updated').at(-1)?.answers[0]?.weight, 2)
})

test('a program that fails, or is none, is a failed candidate that says why', async () => {
  const { events } = await solve(PROGRAMS)
  const failures = ofType(events, 'candidate.failed').map(({ error }) => error.message)
  assert.equal(failures.length, 2)
  assert.ok(failures.some((message) => /program failed: ReferenceError/.test(message)))
  assert.ok(failures.some((message) => /no JavaScript program/.test(message)))
})

test('where no program runs one draft in words is the answer', async () => {
  const { events, model } = await solve(['no program at all'], 2)
  assert.equal(ofType(events, 'answer.revised').at(-1)?.text, '#### 5')
  assert.deepEqual([model.calls, ofType(events, 'candidate.failed').length], [3, 2])
})

test('a program that never ends costs its candidate and not the run', async () => {
  const { events } = await solve(['```js\nfor (;;) {}\n```', '```js\nprint(1)\n```'])
  assert.match(ofType(events, 'candidate.failed')[0]!.error.message, /interrupted|too long/i)
  assert.match(ofType(events, 'answer.revised').at(-1)!.text, /#### 1$/)
})
