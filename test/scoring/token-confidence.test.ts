import assert from 'node:assert/strict'
import test from 'node:test'
import { lowestWindow, peakednessOf } from '../../src/core/peakedness.ts'
import { aggregateSteps } from '../../src/scoring/process-reward.ts'
import { createSelfCertainty, createTokenConfidence } from '../../src/scoring/token-confidence.ts'
import { TASK } from '../support/run-strategy.ts'

const options = { signal: new AbortController().signal }

test('a token is peaked by the mean of −ln p over its alternatives', () => {
  const alternatives = [0.5, 0.25].map((p) => ({ text: 'x', logProbability: Math.log(p) }))
  const token = { text: 'x', logProbability: 0, alternatives }
  assert.ok(Math.abs(peakednessOf(token)! - 1.5 * Math.LN2) < 1e-12)
  assert.equal(peakednessOf({ ...token, alternatives: [] }), undefined)
  const impossible = { ...token, alternatives: [{ text: 'x', logProbability: -Infinity }] }
  assert.equal(peakednessOf(impossible), 100)
})

test('the lowest window is the weakest passage, and at most the whole text', () => {
  assert.equal(lowestWindow([4, 1, 3, 8], 2), 2)
  assert.equal(lowestWindow([4, 1, 3, 8], 1), 1)
  assert.equal(lowestWindow([4, 1, 3, 8], 9), 4)
})

test('self-certainty is the mean, token confidence the weakest window', async () => {
  const draft = { text: 'x', confidences: [4, 1, 3, 8] }
  assert.equal((await createSelfCertainty().score(TASK, draft, options)).score, 4)
  assert.equal((await createTokenConfidence(0.5).score(TASK, draft, options)).score, 2)
  const unknown = await createSelfCertainty().score(TASK, { text: 'x' }, options)
  assert.deepEqual([unknown.score, unknown.warning?.code], [null, 'confidence_unknown'])
})

test('right steps gain nothing in the clipped reward, wrong ones add up', () => {
  assert.equal(aggregateSteps([0.9, 0.9, 0.9], 'clipped'), 1)
  assert.equal(aggregateSteps([0.9], 'clipped'), aggregateSteps([0.9, 0.6, 0.5], 'clipped'))
  assert.ok(Math.abs(aggregateSteps([0.2, 0.9, 0.4], 'clipped') - Math.exp(-0.4)) < 1e-12)
})
