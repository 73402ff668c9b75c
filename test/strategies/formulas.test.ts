import assert from 'node:assert/strict'
import test from 'node:test'
import { effectiveAnswers, voteEntropy } from '../../src/core/vote.ts'
import { Pool } from '../../src/strategies/parts/pool.ts'
import { majorityProbability } from '../../src/strategies/parts/ballot.ts'
import { allowanceAt } from '../../src/strategies/parts/deepening.ts'
import { logAcceptance } from '../../src/strategies/parts/power.ts'
import { expectedGain, markovGain } from '../../src/strategies/parts/stop-rules.ts'
import { leagueMatches } from '../../src/strategies/parts/tournament.ts'
import { mostPromising, upperBound } from '../../src/strategies/parts/tree.ts'
import { STRATEGIES } from '../../src/strategies/index.ts'
import { difficultyOf } from '../../src/strategies/solver-reviewer-refiner.ts'

test('five equal votes make the majority .984 sure, four .969', () => {
  assert.equal(majorityProbability(5, 0), 1 - 2 ** -6)
  assert.equal(majorityProbability(4, 0), 1 - 2 ** -5)
  assert.equal(majorityProbability(3, 3), 0.5)
})

test('the majority probability is the Beta integral it stands for', () => {
  for (const [a, b] of [
    [6, 2],
    [9, 7],
    [3, 1],
  ] as const) {
    const density = (x: number): number => x ** a * (1 - x) ** b
    let upper = 0
    let whole = 0
    for (let step = 0; step < 20_000; step++) {
      const x = (step + 0.5) / 20_000
      whole += density(x)
      if (x > 0.5) upper += density(x)
    }
    assert.ok(Math.abs(majorityProbability(a, b) - upper / whole) < 1e-6)
  }
  assert.ok(majorityProbability(256, 0) <= 1)
  assert.ok(majorityProbability(200, 50) > 0.999)
})

/** A pool of completed chains with an answer, an outcome reward and a product of step scores each. */
const poolOf = (chains: readonly (readonly [answer: string, o: number, p: number])[]): Pool => {
  const pool = new Pool({ messages: [], sampling: {} })
  chains.forEach(([answer, o, p], candidate) => {
    const range = [0, 1]
    pool.observe({
      type: 'candidate.created',
      candidate,
      parents: [],
      round: 0,
      model: 'm',
      role: 'draft',
    })
    pool.observe({ type: 'candidate.delta', candidate, text: `#### ${answer}` })
    pool.observe({
      type: 'candidate.completed',
      candidate,
      finish_reason: 'stop',
      usage: { output_tokens: 1 },
    })
    const scored = { type: 'candidate.scored', candidate, range } as const
    pool.observe({ ...scored, scorer: 'outcome-reward', score: o })
    pool.observe({ ...scored, scorer: 'process-reward', score: p })
  })
  return pool
}
const GATE = { effective_answers: 3, mean: 1, deviation: 0.5 }

test('three equal answers are still an easy vote, a fourth makes it hard', () => {
  const three = poolOf([
    ['1', 0.4, 0.4],
    ['2', 0.4, 0.4],
    ['3', 0.4, 0.4],
  ])
  const easy = difficultyOf(three, three.completed, GATE)
  assert.ok(Math.abs(easy.byOutcome - 3) < 1e-9 && easy.agrees)
  const four = poolOf([
    ['1', 0.4, 0.4],
    ['2', 0.4, 0.4],
    ['3', 0.4, 0.4],
    ['4', 0.01, 0.01],
  ])
  const hard = difficultyOf(four, four.completed, GATE)
  assert.ok(hard.byOutcome > 3 && !hard.agrees && !hard.isGood)
})

test('both weightings of the vote must be sure', () => {
  const pool = poolOf([
    ['1', 0.9, 0.25],
    ['2', 0.001, 0.25],
    ['3', 0.001, 0.25],
    ['4', 0.001, 0.25],
  ])
  const found = difficultyOf(pool, pool.completed, GATE)
  assert.ok(found.byOutcome < 1.1 && Math.abs(found.byProcess - 4) < 1e-9)
  assert.equal(found.agrees, false)
})

test('where no chain has any weight their numbers count', () => {
  const pool = poolOf(['1', '2', '3', '4'].map((answer) => [answer, 0, 0] as const))
  const found = difficultyOf(pool, pool.completed, GATE)
  assert.ok(Math.abs(found.byProcess - 4) < 1e-9)
  assert.equal(found.agrees, false)
})

test('the z-score is that of the chains of the most frequent answer', () => {
  const pool = poolOf([
    ['1', 0.9, 0.7],
    ['2', 0.1, 0.1],
    ['1', 0.8, 0.6],
  ])
  const { z, isGood } = difficultyOf(pool, pool.completed, GATE)
  assert.ok(Math.abs(z - (1.5 - 1) / 0.5) < 1e-12)
  assert.equal(isGood, true)
  assert.equal(difficultyOf(pool, pool.completed, { ...GATE, mean: 1.51 }).isGood, false)
})

test('a missing reward counts as one half', () => {
  const pool = poolOf([['1', 0.9, 0.9]])
  pool.observe({
    type: 'candidate.scored',
    candidate: 0,
    range: [0, 1],
    scorer: 'outcome-reward',
    score: null,
  })
  const { z } = difficultyOf(pool, pool.completed, GATE)
  assert.ok(Math.abs(z - (1.4 - 1) / 0.5) < 1e-12)
})

test('the allowance doubles up to the limit, and the last stage may use all', () => {
  const schedule = { allowance: 100, growth: 2, triggers: 4, limit: 1000 }
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((stage) => allowanceAt(schedule, stage)),
    [100, 200, 400, 800, 1000],
  )
  assert.equal(allowanceAt({ ...schedule, triggers: 0 }, 0), 1000)
})

test('the upper bound of an answer is its value and C · √(ln(N + 1) / n)', () => {
  const close = (value: number, expected: number): void =>
    assert.ok(Math.abs(value - expected) < 1e-4, `${value}, not ${expected}`)
  close(upperBound(0.6, 7, 2, 1.4), 0.6 + 1.4 * Math.sqrt(Math.log(8) / 2))
  close(upperBound(0.6, 7, 2, 0), 0.6)
  close(upperBound(0, 0, 1, 1.4), 0)
})

test('the tree goes on from the best answer, and elsewhere once that is explored', () => {
  const root = (candidate: number, reward: number) => ({ candidate, parent: undefined, reward })
  const child = (candidate: number, parent: number, reward: number) => ({
    candidate,
    parent,
    reward,
  })
  assert.deepEqual(mostPromising([root(0, 0.2), root(1, 0.9)], 2, 0.5), [1, 0])
  const explored = [root(0, 0.8), root(1, 0.9), child(2, 1, 0), child(3, 1, 0), child(4, 1, 0)]
  assert.deepEqual(mostPromising(explored, 1, 1.4), [0])
  const mature = [root(0, 0), root(1, 0.5), child(2, 1, 0.6), child(3, 1, 0.1), child(4, 1, 0.2)]
  assert.ok(!mostPromising(mature, 5, 0.5).includes(1), 'three children, one of them better')
})

test('one more draw is expected to gain what the normal tail above the best says', () => {
  // Mean 0.5, deviation 0.5, best 1: z = −1, so σ·(φ(1) − Φ(−1)) = 0.5 · 0.0833.
  assert.ok(Math.abs(expectedGain([0, 0.5, 1]) - 0.5 * (0.2419707 - 0.1586553)) < 1e-6)
  assert.equal(expectedGain([0.7, 0.7, 0.7]), 0)
  assert.ok(expectedGain([0, 0, 0, 1]) < expectedGain([0, 1]))
})

test('a round gains (1 − b)·α − b·β, nothing where belief and rates balance', () => {
  assert.equal(markovGain(0, 0.3, 0.1), 0.3)
  assert.equal(markovGain(1, 0.3, 0.1), -0.1)
  assert.ok(Math.abs(markovGain(0.75, 0.3, 0.1)) < 1e-12)
})

test('power sampling accepts by (p′/p)^(α−1) · |old|/|new|', () => {
  const of = (logProbability: number, length: number) => ({ logProbability, length })
  assert.equal(logAcceptance(4, of(-2, 5), of(-3, 5)), 3)
  assert.ok(Math.abs(logAcceptance(4, of(-3, 10), of(-3, 5)) - Math.log(0.5)) < 1e-12)
  assert.equal(logAcceptance(1, of(-9, 5), of(-3, 5)), 0, 'α = 1 is plain sampling')
})

test('a league has no match twice', () => {
  assert.deepEqual([leagueMatches(4, 3), leagueMatches(8, 3), leagueMatches(1, 3)], [6, 24, 0])
})

test('a vote is uncertain by the paper’s confidence exactly when exp(H) is above three', () => {
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
  for (const [weights, isUncertain] of [
    [[1, 1, 1], false],
    [[1, 1, 1, 0.01], true],
    [[5, 1, 1, 1], false],
    [[2, 1, 1, 1], true],
  ] as const) {
    const answers = weights.map((weight, at) => ({ answer: `${at}`, weight, candidates: [] }))
    const confidence = 2 * (1 - sigmoid(voteEntropy(answers)))
    assert.equal(confidence < 0.5 - 1e-12, isUncertain)
    assert.equal(effectiveAnswers(answers) > 3 * (1 + 1e-12), isUncertain)
  }
})

test('worst cases have the closed forms of the literature', () => {
  const size = { promptTokens: 10, maxTokens: 20 }
  const calls = (name: string, options: Record<string, unknown>, ...roles: readonly string[]) =>
    STRATEGIES.find((each) => each.name === name)!
      .worstCase(size, options)
      .filter(({ role }) => roles.includes(role))
      .reduce((sum, bound) => sum + bound.calls, 0)
  const writers = ['generator', 'reviewer', 'refiner'] as const
  assert.equal(calls('single', {}, ...writers), 1)
  for (const T of [1, 3, 4]) {
    assert.equal(calls('self-refine', { rounds: T }, ...writers), 1 + 2 * T)
    assert.equal(calls('progressive', { rounds: T }, ...writers), 1 + T)
    assert.equal(calls('rsa', { n: 16, k: 4, rounds: T }, ...writers), 16 * (T + 1))
  }
  assert.equal(calls('solver-reviewer-refiner', { n: 40, rounds: 3 }, ...writers), 40 + 240)
  assert.equal(calls('self-correct', { n: 5 }, ...writers), 10)
  assert.equal(calls('self-consistency', { n: 40 }, ...writers), 40)
  assert.equal(calls('universal-self-consistency', { n: 9 }, ...writers, 'judge'), 10)
  assert.equal(calls('best-of-n', { n: 9, scorer: 'knockout', comparisons: 3 }, 'judge'), 8 * 3 * 2)
  assert.equal(calls('self-check', { n: 4, critics: 8 }, ...writers), 4 + 32)
  assert.equal(calls('verify-refine', { rounds: 30 }, ...writers), 2 + 30 * 2)
  assert.equal(calls('mixture', { n: 6, layers: 3 }, ...writers), 3 * 6 + 1)
  assert.equal(calls('parallel-synthesis', { widths: [32, 4] }, ...writers), 37)
  assert.equal(calls('parallel-synthesis', { widths: [32, 4], workspace: 9 }, ...writers), 39)
})

test('a response has at most ⌈log_γ(longest / first)⌉ reflections before its limit is reached', () => {
  for (const [allowance, growth, limit] of [
    [512, 2, 8192],
    [100, 1.5, 4000],
    [1000, 4, 5000],
  ] as const) {
    const most = Math.ceil(Math.log(limit / allowance) / Math.log(growth))
    const schedule = { allowance, growth, triggers: 16, limit }
    assert.equal(allowanceAt(schedule, most), limit)
    assert.ok(allowanceAt(schedule, most - 1) < limit)
  }
})
