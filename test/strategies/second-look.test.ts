import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { selfRefine } from '../../src/strategies/self-refine.ts'
import { verifyRefine } from '../../src/strategies/verify-refine.ts'
import { FakeModel, type Ask, type FakeOptions, type FakeReply } from '../support/fake-model.ts'
import { ofType, runStrategy, TASK } from '../support/run-strategy.ts'

const DRAFT = '- a: 3\n- b: a 3 + 2 = 5\n- c: b 5 + 1 = 6\n#### 6'
const FOUND = '1 a: 3 ok\n2 b: a 3 + 9 = 12 wrong\nStep 2 is wrong, it should be b: a 3 + 9 = 12.'
const REST = '3 c: b 5 + 1 = 6 ok\n#### 6 ok\nAll steps are right.'

interface Replies {
  readonly compare?: FakeReply
  readonly rest?: FakeReply
}

/** A reviewer that finds the second step wrong, and says `rest` where it goes on from a beginning. */
const reviewer =
  ({ compare = 'b: a 3 + 2 = 5\nA', rest = REST }: Replies = {}) =>
  ({ system, request }: Ask): FakeReply => {
    if (system === 'review') return request.continueFrom === undefined ? FOUND : rest
    if (system === 'compare') return compare
    return system === 'judge' ? '9' : DRAFT
  }

const outcome = async (replies: Replies, fake: FakeOptions = {}) => {
  const model = new FakeModel({ reply: reviewer(replies), ...fake })
  const run = await runStrategy(selfRefine, model, { options: { rounds: 1 } })
  const asked = (role: string): readonly Ask[] => model.asks.filter(({ system }) => system === role)
  return { ...run, asked, critiques: ofType(run.events, 'critique.completed'), model }
}

test('a finding that falls at a second look is taken back, and the review goes on behind that step', async () => {
  const { asked, critiques, selection, events } = await outcome({})
  assert.equal(selection?.stopReason, 'finished')
  assert.deepEqual(
    critiques.map(({ text, verdict }) => [text, verdict]),
    [['All steps are right.', 'right']],
  )
  assert.ok(asked('compare')[0]?.user.endsWith('A. b: a 3 + 2 = 5\nB. b: a 3 + 9 = 12'))
  assert.equal(asked('review')[1]?.request.continueFrom, '1 a: 3 ok\n2 b: a 3 + 2 = 5 ok\n')
  const told = ofType(events, 'critique.delta').map(({ text }) => text)
  assert.equal(told.join(''), `${FOUND}\n2 b: a 3 + 2 = 5 ok\n${REST}`)
})

test('what holds at a second look is the critique', async () => {
  for (const compare of ['b: a 3 + 9 = 12\nA', 'B', '?', '']) {
    const { asked, critiques } = await outcome({ compare })
    assert.deepEqual([critiques[0]?.step, critiques[0]?.verdict], [2, 'wrong'], compare)
    assert.equal(asked('review').length, 1)
  }
})

test('a look that fails, or a review that does not go on, leaves the finding and a warning', async () => {
  const broken = new RefineError('upstream_unavailable', 'down')
  for (const replies of [{ compare: broken }, { rest: broken }]) {
    const { critiques, events } = await outcome(replies)
    assert.equal(critiques[0]?.step, 2)
    assert.equal(ofType(events, 'warning')[0]?.code, 'upstream_unavailable')
  }
})

test('what goes on is looked at once more, and no more than that', async () => {
  const rest = '3 c: b 5 + 7 = 12 ok\n#### 6 ok\nAll steps are right.'
  const { asked, critiques } = await outcome({ compare: 'A', rest })
  assert.deepEqual([asked('compare').length, asked('review').length], [2, 3])
  assert.equal(
    critiques[0]?.step,
    4,
    'the list goes on with the third step where the answer stands',
  )
})

test('a model that cannot go on from a beginning, and prompts without a list, take no second look', async () => {
  const capabilities = { assistant_continuation: 'none' } as const
  const { asked, critiques } = await outcome({}, { capabilities })
  assert.deepEqual([asked('compare').length, critiques[0]?.step], [0, 2])
  const model = new FakeModel({ prompts: 'full' })
  await runStrategy(selfRefine, model, { options: { rounds: 1 }, prompts: 'full' })
  assert.ok(model.asks.every(({ system }) => system !== 'compare'))
})

test('reports of a strict verifier are looked at twice, too, and all stays within the worst case', async () => {
  const model = new FakeModel({ reply: reviewer() })
  const { selection, events } = await runStrategy(verifyRefine, model)
  assert.equal(selection?.stopReason, 'threshold')
  assert.ok(ofType(events, 'critique.completed').every(({ verdict }) => verdict === 'right'))
  const size = { promptTokens: 40, maxTokens: TASK.sampling.max_tokens!, looksTwice: true }
  const bound = verifyRefine.worstCase(size, {}).find(({ role }) => role === 'reviewer')!
  const spent = model.tallies.get('reviewer')!
  assert.equal(spent.calls, 9)
  for (const unit of ['calls', 'inputTokens', 'outputTokens'] as const) {
    assert.ok(spent[unit] <= bound[unit], `${unit} ${spent[unit]}`)
  }
  const once = verifyRefine.worstCase({ ...size, looksTwice: false }, {})
  assert.equal(once.find(({ role }) => role === 'reviewer')!.calls, bound.calls / 5)
})
