import assert from 'node:assert/strict'
import test from 'node:test'
import { selfConsistency } from '../../src/strategies/self-consistency.ts'
import { FakeModel, type FakeReply } from '../support/fake-model.ts'
import { ofType, runStrategy } from '../support/run-strategy.ts'

/** Samples say 1, 1, 2; the judge gives the grades. */
const graded = (one: string, two: string): FakeModel =>
  new FakeModel({
    reply: ({ system, sample, user }): FakeReply =>
      system === 'solve' ? `#### ${sample === 2 ? 2 : 1}` : user.includes('#### 2') ? two : one,
  })

test('a single good vote outweighs two bad ones', async () => {
  const options = { n: 3, weights: 'judge', stop: 'none' }
  const { selection, events } = await runStrategy(selfConsistency, graded('2', '9'), { options })
  assert.equal(selection?.candidate, 2)
  const last = ofType(events, 'vote.updated').at(-1)!
  assert.deepEqual(
    last.answers.map(({ answer, weight }) => [answer, weight]),
    [
      ['2', 1],
      ['1', 4 / 9],
    ],
  )
})

test('the rule stops only where numbers and weights name the same answer', async () => {
  const run = (grade: string) =>
    runStrategy(
      selfConsistency,
      new FakeModel({
        reply: ({ system, sample, user }): FakeReply =>
          system === 'solve'
            ? `#### ${sample === 0 ? 2 : 1}`
            : user.includes('#### 2')
              ? '9'
              : grade,
      }),
      { options: { n: 6, batch: 6, weights: 'judge', confidence: 0.8 } },
    )
  assert.equal((await run('9')).selection?.stopReason, 'agreement')
  assert.deepEqual((await run('0')).selection, { candidate: 0, stopReason: 'finished' })
})

test('where every sample has the weight zero each has one vote', async () => {
  const model = new FakeModel({
    prompts: 'full',
    reply: ({ system, sample }) => (system === 'judge' ? '0' : `#### ${sample === 0 ? 1 : 2}`),
  })
  const options = { n: 4, weights: 'judge', stop: 'none' }
  const { selection } = await runStrategy(selfConsistency, model, { options, prompts: 'full' })
  assert.notEqual(selection!.candidate, 0)
})

test('a score that cannot be read counts as one half', async () => {
  const options = { n: 3, weights: 'outcome-reward', stop: 'none' }
  const model = new FakeModel({ steps: () => [], reply: ({ sample }) => `- a\n#### ${sample}` })
  const { events } = await runStrategy(selfConsistency, model, { options })
  const last = ofType(events, 'vote.updated').at(-1)!
  assert.deepEqual(
    last.answers.map(({ weight }) => weight),
    [0.5, 0.5, 0.5],
  )
})

test('confidence is the softmax of the mean token probability, and costs no call', async () => {
  const sums = [-4, -4, -0.01]
  const model = new FakeModel({
    reply: ({ sample }) => ({
      text: `#### ${sample === 2 ? 2 : 1}`,
      logProbability: sums[sample]!,
    }),
  })
  const options = { n: 3, weights: 'confidence', stop: 'none' }
  const { selection, events } = await runStrategy(selfConsistency, model, { options })
  const [tokens] = ofType(events, 'candidate.completed').map(({ usage }) => usage.output_tokens)
  const peaked = sums.map((sum) => Math.exp(Math.exp(sum / tokens!) / 0.5))
  const last = ofType(events, 'vote.updated').at(-1)!
  const weight = last.answers.find(({ answer }) => answer === '2')!.weight
  assert.ok(Math.abs(weight - peaked[2]! / peaked.reduce((sum, each) => sum + each, 0)) < 1e-9)
  assert.deepEqual([selection?.candidate, model.calls], [2, 3])
})

test('each weighting says beforehand what it needs', () => {
  const needs = (weights: string) => selfConsistency.needs!({ weights })
  assert.deepEqual(needs('none'), {})
  assert.deepEqual(needs('process-reward'), { scorers: ['process-reward'] })
  assert.deepEqual(needs('confidence'), { capabilities: ['log_probabilities'] })
})
