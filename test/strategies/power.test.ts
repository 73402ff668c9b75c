import assert from 'node:assert/strict'
import test from 'node:test'
import { createRandom } from '../../src/core/random.ts'
import { composed } from '../../src/strategies/composed.ts'
import { FakeModel } from '../support/fake-model.ts'
import { ofType, runStrategy } from '../support/run-strategy.ts'

/** Answers "#### 1" with this probability, and "#### 2" else, by the seed of the request. */
const coin = (likely: number): FakeModel =>
  new FakeModel({
    prompts: 'full',
    reply: ({ request }) => {
      const isLikely = createRandom(request.seed).next() < likely
      return {
        text: isLikely ? '#### 1' : '#### 2',
        logProbability: Math.log(isLikely ? likely : 1 - likely),
      }
    },
  })

const shareOfOnes = async (alpha: number): Promise<number> => {
  const model = coin(0.7)
  const sampler = { kind: 'power', n: 250, alpha, steps: 12 }
  const { events } = await runStrategy(composed, model, { options: { sampler }, prompts: 'full' })
  const answers = ofType(events, 'vote.updated').at(-1)!.answers
  const ones = answers.find(({ answer }) => answer === '1')?.weight ?? 0
  return ones / answers.reduce((sum, { weight }) => sum + weight, 0)
}

test('the ends of the chains are distributed as p^α', async () => {
  const target = (alpha: number): number => 0.7 ** alpha / (0.7 ** alpha + 0.3 ** alpha)
  for (const alpha of [1, 2]) {
    const share = await shareOfOnes(alpha)
    const error = Math.sqrt((target(alpha) * (1 - target(alpha))) / 250)
    assert.ok(Math.abs(share - target(alpha)) < 4 * error, `α ${alpha}: ${share}`)
  }
})

test('the end of a chain is the answer, also where no vote can tell', async () => {
  let written = 0
  const reply = () => ({
    text: `As ${'ab'[written++ % 2]} said.\n\nSo it is.`,
    logProbability: -10 / written,
  })
  const sampler = { kind: 'power', n: 1, steps: 3 }
  const setting = { options: { sampler }, prompts: 'full' } as const
  const { selection, events } = await runStrategy(
    composed,
    new FakeModel({ prompts: 'full', reply }),
    setting,
  )
  const last = ofType(events, 'candidate.completed').at(-1)!.candidate
  assert.deepEqual([selection!.candidate, last > 0], [last, true])
})

test('a proposal that is not taken is dropped, one that is taken comes from the one before', async () => {
  const sampler = { kind: 'power', n: 1, alpha: 8, steps: 10 }
  const setting = { options: { sampler }, prompts: 'full', seed: 3 } as const
  const { events, selection } = await runStrategy(composed, coin(0.5001), setting)
  const completed = ofType(events, 'candidate.completed').map(({ candidate }) => candidate)
  const dropped = ofType(events, 'candidate.dropped')
  assert.equal(completed.length + dropped.length, 11)
  for (const { candidate, parents } of ofType(events, 'candidate.created').slice(1)) {
    assert.deepEqual(parents, [completed.findLast((each) => each < candidate)])
  }
  assert.ok(completed.includes(selection!.candidate))
})
