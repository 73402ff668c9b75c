import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { bestOfN } from '../../src/strategies/best-of-n.ts'
import { FakeModel, type Ask, type FakeReply } from '../support/fake-model.ts'
import { ofType, runStrategy } from '../support/run-strategy.ts'

const SIZE = { promptTokens: 10, maxTokens: 64 }

/** Sample k says k; of two drafts the judge prefers the larger number, in either order. */
const larger = ({ system, sample, user }: Ask): FakeReply => {
  if (system === 'solve') return `- a: 1\n#### ${sample}`
  const [first, second] = [...user.matchAll(/#### (\d+)/g)].map((match) => Number(match[1]))
  return first! > second! ? 'A' : 'B'
}

test('a knockout of N takes (N − 1) · K matches in both orders, and the best draft wins', async () => {
  for (const [n, comparisons] of [
    [2, 1],
    [5, 1],
    [8, 2],
    [7, 3],
  ] as const) {
    const model = new FakeModel({ reply: larger })
    const options = { n, comparisons, scorer: 'knockout' }
    const { selection, events } = await runStrategy(bestOfN, model, { options })
    assert.equal(model.tallies.get('judge')?.calls, (n - 1) * comparisons * 2)
    assert.equal(selection?.candidate, n - 1)
    assert.equal(ofType(events, 'comparison.completed').length, (n - 1) * comparisons)
    const bound = bestOfN.worstCase(SIZE, options).find(({ role }) => role === 'judge')
    assert.equal(bound?.calls, (n - 1) * comparisons * 2)
  }
})

test('drafts that look the same to the judge tie, and nobody is asked', async () => {
  const reply = (ask: Ask): FakeReply =>
    ask.system === 'solve' ? `- a: 1\n#### ${Math.min(ask.sample, 1)}` : larger(ask)
  for (const scorer of ['knockout', 'league']) {
    const model = new FakeModel({ reply })
    const options = { n: 4, scorer, comparisons: 2, opponents: 3 }
    const { selection, events } = await runStrategy(bestOfN, model, { options })
    const [asked, unasked] = [2, 0].map((count) =>
      ofType(events, 'comparison.completed').filter(({ orders }) => orders.length === count),
    )
    assert.ok(asked!.length > 0 && unasked!.length > 0)
    assert.ok(asked!.every(({ candidates }) => candidates.includes(0)))
    assert.ok(
      unasked!.every(({ candidates, winner }) => !candidates.includes(0) && winner === null),
    )
    assert.equal(model.tallies.get('judge')?.calls, 2 * asked!.length)
    assert.notEqual(selection?.candidate, 0)
  }
})

test('a judge that always prefers the first place decides nothing', async () => {
  const model = new FakeModel({ reply: (ask) => (ask.system === 'compare' ? 'A' : larger(ask)) })
  for (const scorer of ['knockout', 'league']) {
    const { selection } = await runStrategy(bestOfN, model, { options: { n: 6, scorer } })
    assert.equal(selection?.candidate, 0)
  }
})

test('comparisons of one match are sampled with seeds of their own, a single one is not', async () => {
  const seeds = async (comparisons: number): Promise<Set<number>> => {
    const model = new FakeModel({ reply: larger })
    await runStrategy(bestOfN, model, { options: { n: 2, scorer: 'knockout', comparisons } })
    const asks = model.asks.filter(({ system }) => system === 'compare')
    assert.equal(asks.length, 2 * comparisons)
    assert.ok(
      asks.every(({ request }) => request.sampling.temperature === (comparisons > 1 ? 1 : 0)),
    )
    return new Set(asks.map(({ request }) => request.seed))
  }
  assert.equal((await seeds(3)).size, 3)
  assert.deepEqual([...(await seeds(1))], [0])
})

test('in a league each draft meets its opponents once, and points decide', async () => {
  const model = new FakeModel({ reply: larger })
  const options = { n: 6, scorer: 'league', comparisons: 1, opponents: 2 }
  const { selection, events } = await runStrategy(bestOfN, model, { options })
  const comparisons = ofType(events, 'comparison.completed')
  const pairs = comparisons.map(({ candidates }) =>
    candidates.toSorted((one, other) => one - other).join(),
  )
  assert.deepEqual([pairs.length, new Set(pairs).size], [12, 12])
  const points = ofType(events, 'candidate.scored')
  assert.deepEqual([selection?.candidate, points.length], [5, 6])
  assert.equal(points.find(({ candidate }) => candidate === 5)?.score, 1)
})

test('few drafts in a league all meet each other, no pair twice', async () => {
  const model = new FakeModel({ reply: larger })
  const options = { n: 3, scorer: 'league', comparisons: 1, opponents: 9 }
  await runStrategy(bestOfN, model, { options })
  assert.equal(model.tallies.get('judge')?.calls, 6)
  assert.equal(bestOfN.worstCase(SIZE, options)[1]?.calls, 6)
})

test('a threshold for a tournament is refused before anything is spent', () => {
  const given = { scorer: 'knockout', threshold: 5 }
  assert.throws(
    () => bestOfN.needs!(given),
    (error) => error instanceof RefineError && error.param === 'options.threshold',
  )
})
