import assert from 'node:assert/strict'
import test from 'node:test'
import { samplingParameters } from './model-fixture.ts'
import type { SamplingParameters } from '../../src/inference/protocol.ts'
import {
  alternativesOf,
  chooseToken,
  needsLogits,
  topCountFor,
  type HeadResults,
} from '../../src/inference/sampler.ts'

const sampling = (wishes: Partial<SamplingParameters>): SamplingParameters =>
  samplingParameters({ temperature: 1, ...wishes })

/** What the graph returns for one row whose token t has the probability `probabilities[t]` at temperature 1. */
const headOf = (
  probabilities: readonly number[],
  topCount: number,
  temperature = 1,
  wide = false,
): HeadResults => {
  const logits = probabilities.map(Math.log)
  const order = probabilities.map((_, token) => token)
  order.sort((left, right) => logits[right]! - logits[left]!)
  const highest = logits[order[0]!]!
  return {
    drawn: Int32Array.of(3),
    drawnLogits: Float32Array.of(logits[3]!),
    topLogits: Float32Array.from(order.slice(0, topCount), (token) => logits[token]!),
    topTokens: Int32Array.from(order.slice(0, topCount)),
    topCount,
    normaliser: Float32Array.of(0),
    scaledMass: Float32Array.of(
      logits.reduce((sum, logit) => sum + Math.exp((logit - highest) / temperature), 0),
    ),
    logits: wide ? Float32Array.from(logits) : undefined,
    vocabulary: probabilities.length,
  }
}

const PROBABILITIES = [0.1, 0.4, 0.2, 0.05, 0.25]

/** Tokens that come up for numbers spread evenly over [0, 1), with their shares. */
const shares = (head: HeadResults, wishes: SamplingParameters): Record<number, number> => {
  const counts: Record<number, number> = {}
  for (let index = 0; index < 1000; index++) {
    const { token } = chooseToken(head, 0, wishes, (index + 0.5) / 1000)
    counts[token] = (counts[token] ?? 0) + 1 / 1000
  }
  return counts
}

const assertShares = (actual: Record<number, number>, expected: Record<number, number>): void => {
  assert.deepEqual(Object.keys(actual), Object.keys(expected))
  for (const [token, share] of Object.entries(expected))
    assert.ok(Math.abs(actual[Number(token)]! - share) < 2e-3, `token ${token}`)
}

test('a temperature of 0 takes the likeliest token, with its logit', () => {
  const choice = chooseToken(headOf(PROBABILITIES, 1), 0, sampling({ temperature: 0 }), 0.99)
  assert.equal(choice.token, 1)
  assert.ok(Math.abs(choice.logit - Math.log(0.4)) < 1e-6)
})

test('without truncation the token that the graph drew counts', () => {
  assert.equal(chooseToken(headOf(PROBABILITIES, 1), 0, sampling({}), 0).token, 3)
})

test('top_k keeps the k likeliest tokens in proportion', () => {
  const wishes = sampling({ topK: 2 })
  assert.equal(topCountFor(wishes, 5), 2)
  assertShares(shares(headOf(PROBABILITIES, 4), wishes), { 1: 0.4 / 0.65, 4: 0.25 / 0.65 })
})

test('top_p keeps the fewest tokens that reach the share', () => {
  const three = { 1: 0.4 / 0.85, 2: 0.2 / 0.85, 4: 0.25 / 0.85 }
  assertShares(shares(headOf(PROBABILITIES, 5), sampling({ topP: 0.7 })), three)
  assertShares(shares(headOf(PROBABILITIES, 5), sampling({ topP: 0.3 })), { 1: 1 })
})

test('top_p after top_k looks at what top_k left', () => {
  const wishes = sampling({ topK: 3, topP: 0.5 })
  assertShares(shares(headOf(PROBABILITIES, 3), wishes), { 1: 0.4 / 0.65, 4: 0.25 / 0.65 })
})

test('the temperature applies before top_p', () => {
  const wishes = sampling({ temperature: 0.5, topP: 0.5 })
  const squares = PROBABILITIES.map((value) => value ** 2)
  const total = squares.reduce((sum, value) => sum + value, 0)
  assert.ok(squares[1]! / total > 0.5)
  assertShares(shares(headOf(PROBABILITIES, 5, 0.5), wishes), { 1: 1 })
})

test('a nucleus wider than what was sorted falls back to all logits', () => {
  const wishes = sampling({ topP: 0.94 })
  const expected = { 0: 0.1 / 0.95, 1: 0.4 / 0.95, 2: 0.2 / 0.95, 4: 0.25 / 0.95 }
  assertShares(shares(headOf(PROBABILITIES, 2, 1, true), wishes), expected)
  assert.equal(needsLogits(wishes, 50_000), true)
  assert.equal(needsLogits(wishes, 500), false)
  assert.equal(needsLogits(sampling({}), 50_000), false)
})

test('alternatives come highest first, as many as asked for', () => {
  assert.deepEqual(
    alternativesOf(headOf(PROBABILITIES, 4), 0, 3).map(({ token }) => token),
    [1, 4, 2],
  )
})

test('min_p keeps tokens with that share of the likeliest one, after the temperature', () => {
  assertShares(shares(headOf(PROBABILITIES, 5), sampling({ minP: 0.4 })), {
    1: 0.4 / 0.85,
    2: 0.2 / 0.85,
    4: 0.25 / 0.85,
  })
  // At a temperature of 2 the shares are the square roots.
  assert.equal(topCountFor(sampling({ minP: 0.1 }), 5), 5)
  const warm = sampling({ temperature: 2, minP: 0.6 })
  const roots = [1, 4, 2].map((token) => Math.sqrt(PROBABILITIES[token]!))
  const total = roots.reduce((sum, root) => sum + root, 0)
  assertShares(shares(headOf(PROBABILITIES, 5, 2), warm), {
    1: roots[0]! / total,
    2: roots[2]! / total,
    4: roots[1]! / total,
  })
})

test('min_p holds beside top_k and top_p, and looks at all logits where it must', () => {
  assertShares(shares(headOf(PROBABILITIES, 3), sampling({ minP: 0.6, topK: 3 })), {
    1: 0.4 / 0.65,
    4: 0.25 / 0.65,
  })
  assertShares(shares(headOf(PROBABILITIES, 5), sampling({ minP: 0.1, topP: 0.3 })), { 1: 1 })
  const wishes = sampling({ minP: 0.2 })
  const expected = { 0: 0.1 / 0.95, 1: 0.4 / 0.95, 2: 0.2 / 0.95, 4: 0.25 / 0.95 }
  assertShares(shares(headOf(PROBABILITIES, 2, 1, true), wishes), expected)
  assert.equal(needsLogits(wishes, 50_000), true)
})
