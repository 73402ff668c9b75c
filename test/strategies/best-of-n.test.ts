import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { bestOfN } from '../../src/strategies/best-of-n.ts'
import { FakeModel, type Ask, type FakeReply } from '../support/fake-model.ts'
import { ofType, runStrategy, TASK } from '../support/run-strategy.ts'

const graded =
  (grades: readonly string[]) =>
  ({ system, sample, user }: Ask): FakeReply =>
    system === 'solve' ? `#### ${sample}` : (grades[Number(/#### (\d+)/.exec(user)?.[1])] ?? '?')

test('the best-scored draft wins, and the first of equals stays', async () => {
  const model = new FakeModel({ reply: graded(['3', '8', '8', '1']) })
  const { selection, events } = await runStrategy(bestOfN, model, { options: { n: 4 } })
  assert.deepEqual(selection, { candidate: 1, stopReason: 'finished' })
  assert.deepEqual(
    ofType(events, 'answer.revised').map(({ candidate, score }) => [candidate, score]),
    [
      [0, null],
      [1, 8],
    ],
  )
  const { sampling, samples, seed } = model.asks[0]!.request
  assert.deepEqual([sampling.temperature, samples, Number.isInteger(seed)], [0.8, 4, true])
})

test('a threshold ends the drafts that are still being written', async () => {
  const slow = 'x '.repeat(50)
  const model = new FakeModel({
    reply: ({ system, sample, user }) =>
      system === 'solve'
        ? `${sample === 1 ? '' : slow}#### ${sample}`
        : user.includes('#### 1')
          ? '9'
          : '2',
  })
  const { selection } = await runStrategy(bestOfN, model, { options: { n: 3, threshold: 8.5 } })
  assert.deepEqual(selection, { candidate: 1, stopReason: 'threshold' })
  assert.ok(model.signals.every((signal) => signal.aborted))
})

test('a draft whose score cannot be read neither wins nor keeps a better one away', async () => {
  const model = new FakeModel({ reply: graded(['?', '2']) })
  const { selection, events } = await runStrategy(bestOfN, model, { options: { n: 2 } })
  assert.equal(selection?.candidate, 1)
  assert.ok(ofType(events, 'warning').some(({ code }) => code === 'judge_unreadable'))
  assert.equal(ofType(events, 'candidate.scored').find((e) => e.candidate === 0)?.score, null)
})

test('a temperature of the task is kept', async () => {
  const model = new FakeModel()
  const task = { ...TASK, sampling: { temperature: 0.3 } }
  await runStrategy(bestOfN, model, { options: { n: 2 }, task })
  assert.equal(model.asks[0]!.request.sampling.temperature, 0.3)
})

test('likelihood costs no call: the drafts bring it with them', async () => {
  const model = new FakeModel({
    reply: ({ sample }) => ({ text: `#### ${sample}`, logProbability: -[4, 1, 2][sample]! }),
  })
  const options = { n: 3, scorer: 'likelihood' }
  const { selection } = await runStrategy(bestOfN, model, { options })
  assert.deepEqual([selection?.candidate, model.calls], [1, 3])
})

test('process rewards of a chat model come from a critic', async () => {
  const model = new FakeModel({
    prompts: 'full',
    capabilities: { step_scores: 'none' },
    reply: ({ user, request, sample }) =>
      request.samples > 1 ? `${sample}` : /\n1\. 1\n/.test(user) ? '[0.9]' : '[0.2]',
  })
  const options = { n: 3, scorer: 'process-reward' }
  const { selection, events } = await runStrategy(bestOfN, model, { options, prompts: 'full' })
  assert.equal(selection?.candidate, 1)
  assert.deepEqual(
    ofType(events, 'candidate.scored').map(({ steps }) => steps?.length),
    [1, 1, 1],
  )
})

test('a scorer that the models cannot feed is refused before anything is spent', async () => {
  const model = new FakeModel({ capabilities: { step_scores: 'none' } })
  const { thrown } = await runStrategy(bestOfN, model, { options: { scorer: 'process-reward' } })
  assert.ok(thrown instanceof RefineError && thrown.code === 'unsupported_capability')
  assert.equal(model.calls, 0)
})

test('half of the calls are kept for the scores', async () => {
  const model = new FakeModel()
  await runStrategy(bestOfN, model, { options: { n: 8 }, budget: { calls: 6 } })
  assert.deepEqual([model.tallies.get('generator')?.calls, model.calls], [3, 6])
})
