import assert from 'node:assert/strict'
import test from 'node:test'
import { solverReviewerRefiner } from '../../src/strategies/solver-reviewer-refiner.ts'
import { FakeModel, type Ask, type FakeReply } from '../support/fake-model.ts'
import { ofType, runStrategy } from '../support/run-strategy.ts'

const rewards =
  (byAnswer: Readonly<Record<string, number>>) =>
  (steps: readonly string[]): number[] =>
    steps.map(() => byAnswer[/#### (\d+)/.exec(steps.at(-1)!)?.[1] ?? ''] ?? 0)

const solving =
  (answers: readonly string[], rest: (ask: Ask) => FakeReply = () => 'Step 1 is wrong: no.') =>
  (ask: Ask): FakeReply =>
    ask.system === 'solve' ? `- a: 1\n#### ${answers[ask.sample]}` : rest(ask)

test('an easy question is answered by the weighted vote alone', async () => {
  const model = new FakeModel({
    reply: solving(['1', '2', '1', '1']),
    steps: rewards({ '1': 0.3, '2': 0.9 }),
  })
  const { selection, events } = await runStrategy(solverReviewerRefiner, model, {
    options: { n: 4 },
  })
  assert.equal(selection?.stopReason, 'agreement')
  assert.equal(ofType(events, 'gate.decided')[0]?.outcome, 'easy')
  assert.equal(model.tallies.get('reviewer'), undefined)
  assert.equal(selection?.candidate, 1, 'one heavy vote (0.9 + 0.81) beats three light ones')
})

const HARD = { n: 4, effective_answers: 1, mean: 2 }

test('a hard question is reviewed with step scores, rewritten and voted on again', async () => {
  const model = new FakeModel({
    reply: solving(['1', '2', '3', '4'], ({ system }) =>
      system === 'refine' ? '- a: 1\n#### 9' : 'Step 1 is wrong: no.',
    ),
    steps: rewards({ '1': 0.5, '2': 0.4, '3': 0.3, '4': 0.2, '9': 0.6 }),
  })
  const options = { ...HARD, rounds: 1 }
  const { selection, events } = await runStrategy(solverReviewerRefiner, model, { options })
  assert.deepEqual(
    ofType(events, 'critique.completed').map(({ candidate }) => candidate),
    [0, 1],
    'only the chains of the two leading answers',
  )
  const revisions = ofType(events, 'candidate.created').filter(({ role }) => role === 'revision')
  assert.deepEqual(
    revisions.map(({ parents }) => parents),
    [[0], [1]],
  )
  const pooled = ofType(events, 'vote.updated').at(-1)!
  assert.deepEqual(
    pooled.answers.map(({ answer, candidates }) => [answer, candidates.length]),
    [
      ['9', 2],
      ['1', 1],
      ['2', 1],
    ],
    'the best four of six chains vote',
  )
  assert.ok(selection!.candidate >= 4)
})

test('chains that the reviewer finds right are left alone', async () => {
  const model = new FakeModel({
    reply: solving(['1', '2', '3', '4'], () => 'All steps are right.'),
  })
  const { selection } = await runStrategy(solverReviewerRefiner, model, { options: HARD })
  assert.equal(selection?.stopReason, 'no_improvement')
  assert.equal(model.tallies.get('refiner'), undefined)
})

test('step scores are shown to the reviewer of a chat model', async () => {
  const model = new FakeModel({
    prompts: 'full',
    steps: (steps) => steps.map(() => 0.25),
    reply: ({ request, sample }) => (request.samples > 1 ? `one\n#### ${sample}` : 'no'),
  })
  const options = { ...HARD, rounds: 1 }
  await runStrategy(solverReviewerRefiner, model, { options, prompts: 'full' })
  const reviews = model.asks.filter(({ user }) => user.includes('Verdict:'))
  assert.ok(reviews.length > 0 && reviews.every(({ user }) => user.includes('1. [0.3] one')))
})

test('the drafts are sampled as the paper does, unless the task says otherwise', async () => {
  const model = new FakeModel()
  await runStrategy(solverReviewerRefiner, model, { options: { n: 4 } })
  const { temperature, top_p } = model.asks[0]!.request.sampling
  assert.deepEqual([temperature, top_p], [0.8, 0.95])
})
