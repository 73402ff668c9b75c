import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { countVotes, effectiveAnswers, voteEntropy } from '../../src/core/vote.ts'

const ballots = (...entries: readonly (readonly [string | undefined, number])[]) =>
  entries.map(([answer, weight], candidate) => ({ candidate, answer, weight }))

test('answers are ordered by weight, and equal ones by first appearance', () => {
  const votes = countVotes(ballots(['b', 1], ['a', 1], ['c', 0.5], ['a', 0.25], [undefined, 9]))
  assert.deepEqual(votes, [
    { answer: 'a', weight: 1.25, candidates: [1, 3] },
    { answer: 'b', weight: 1, candidates: [0] },
    { answer: 'c', weight: 0.5, candidates: [2] },
  ])
  assert.deepEqual(
    countVotes(ballots(['x', 2], ['y', 2])).map(({ answer }) => answer),
    ['x', 'y'],
  )
})

test('the effective number of answers is 1 when all agree and k for k equal ones', () => {
  assert.equal(effectiveAnswers(countVotes(ballots(['a', 1], ['a', 1]))), 1)
  const three = effectiveAnswers(countVotes(ballots(['a', 2], ['b', 2], ['c', 2])))
  assert.ok(Math.abs(three - 3) < 1e-12)
})

test('a vote of exactly three equal answers is the paper’s confidence of one half', () => {
  const entropy = voteEntropy(countVotes(ballots(['a', 1], ['b', 1], ['c', 1])))
  const confidence = 2 * (1 - 1 / (1 + Math.exp(-entropy)))
  assert.ok(Math.abs(confidence - 0.5) < 1e-12)
})

test('without any weight there is no entropy', () => {
  assert.equal(voteEntropy([]), 0)
  assert.equal(voteEntropy(countVotes(ballots(['a', 0], ['b', 0]))), 0)
})

test('every ballot with an answer is counted once, and entropy stays within its bounds', () => {
  const ballot = fc.record({
    candidate: fc.nat(),
    answer: fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { nil: undefined }),
    weight: fc.double({ min: 0, max: 10, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.array(ballot), (given) => {
      const votes = countVotes(given)
      const counted = votes.reduce((sum, { candidates }) => sum + candidates.length, 0)
      assert.equal(counted, given.filter(({ answer }) => answer !== undefined).length)
      const effective = effectiveAnswers(votes)
      assert.ok(effective >= 1 - 1e-9 && effective <= Math.max(1, votes.length) + 1e-9)
    }),
  )
})
