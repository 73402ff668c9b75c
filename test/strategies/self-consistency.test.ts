import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { selfConsistency } from '../../src/strategies/self-consistency.ts'
import { FakeModel, type FakeReply } from '../support/fake-model.ts'
import { ofType, runStrategy } from '../support/run-strategy.ts'

const answering = (...answers: readonly FakeReply[]): FakeModel => {
  let at = 0
  return new FakeModel({ reply: () => answers[at++ % answers.length]! })
}

test('the majority wins, whoever came first', async () => {
  const model = answering('#### 1', '#### 2', '#### 2.0', '#### 3')
  const { selection, events } = await runStrategy(selfConsistency, model, { options: { n: 4 } })
  assert.equal(selection?.candidate, 1)
  const last = ofType(events, 'vote.updated').at(-1)!
  assert.deepEqual(last.answers[0], { answer: '2', weight: 2, candidates: [1, 2] })
  assert.equal(ofType(events, 'answer.revised').at(-1)?.score, 2)
})

test('four equal votes are sure enough: the rest is not drawn', async () => {
  const model = answering('#### 7')
  const { selection } = await runStrategy(selfConsistency, model, { options: { n: 16 } })
  assert.deepEqual([selection?.stopReason, model.calls], ['agreement', 4])
})

test('what is still being written is dropped when the vote is decided', async () => {
  const model = answering('#### 7')
  const options = { n: 16, batch: 8 }
  const { selection, events } = await runStrategy(selfConsistency, model, { options })
  assert.equal(selection?.stopReason, 'agreement')
  assert.deepEqual(
    ofType(events, 'candidate.dropped').map(({ candidate }) => candidate),
    [4, 5, 6, 7],
  )
  assert.ok(model.signals.every((signal) => signal.aborted))
})

test('a lead that nobody can catch up with ends the vote', async () => {
  const model = answering('#### 1', '#### 1', '#### 2', '#### 1', '#### 1')
  const options = { n: 5, batch: 1, confidence: 1 }
  const { selection } = await runStrategy(selfConsistency, model, { options })
  assert.deepEqual([selection?.stopReason, model.calls], ['agreement', 4])
})

test('a window stops only when the whole batch agrees', async () => {
  const model = answering('#### 1', '#### 2', '#### 3', '#### 3', '#### 1', '#### 2')
  const options = { n: 20, batch: 2, stop: 'window' }
  const { selection, events } = await runStrategy(selfConsistency, model, { options })
  assert.deepEqual([selection?.stopReason, model.calls], ['agreement', 4])
  assert.equal(ofType(events, 'answer.revised').at(-1)?.text, '#### 3')
})

test('a batch of which most failed is no window', async () => {
  const down = new RefineError('upstream_unavailable', 'down')
  const model = new FakeModel({ reply: ({ call }) => (call > 1 && call < 5 ? down : '#### 1') })
  await runStrategy(selfConsistency, model, { options: { n: 8, stop: 'window' } })
  assert.equal(model.calls, 8)
})

test('without a stop rule every sample is drawn', async () => {
  const model = answering('#### 7')
  const options = { n: 9, stop: 'none' }
  const { selection } = await runStrategy(selfConsistency, model, { options })
  assert.deepEqual([selection?.stopReason, model.calls], ['finished', 9])
})

test('samples without an answer abstain, and a vote of none says so', async () => {
  const silent = 'Nobody knows.\nReally.'
  const some = await runStrategy(selfConsistency, answering(silent, '#### 1'), {
    options: { n: 2 },
  })
  assert.equal(some.selection?.candidate, 1)
  const none = await runStrategy(selfConsistency, answering(silent), { options: { n: 2 } })
  assert.equal(none.selection?.candidate, 0)
  assert.ok(ofType(none.events, 'warning').some(({ code }) => code === 'no_votes'))
})
