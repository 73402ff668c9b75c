/** Budgets that end in the middle of a method: what was paid for is used, and the answer is the one that the method leads to. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Strategy } from '../../src/core/strategy.ts'
import { composed } from '../../src/strategies/composed.ts'
import { ensemble } from '../../src/strategies/ensemble.ts'
import { mixture } from '../../src/strategies/mixture.ts'
import { parallelSynthesis } from '../../src/strategies/parallel-synthesis.ts'
import { universalSelfConsistency } from '../../src/strategies/universal-self-consistency.ts'
import { FakeModel, type FakeOptions } from '../support/fake-model.ts'
import { ofType, runStrategy } from '../support/run-strategy.ts'

const runWith = (
  strategy: Strategy,
  calls: number,
  options: Record<string, unknown>,
  fake: FakeOptions = {},
) =>
  runStrategy(strategy, new FakeModel({ prompts: 'full', ...fake, spentAt: calls + 1 }), {
    options,
    prompts: 'full',
    budget: { calls },
  })

test('fewer calls than there are models to ask leave the answers of those that can be asked', async () => {
  const models = ['one', 'two', 'three']
  const drawn = await runWith(ensemble, 2, { models, n: 4 })
  assert.deepEqual(
    [drawn.thrown, ofType(drawn.events, 'candidate.completed').length],
    [undefined, 2],
  )
  const mixed = await runWith(mixture, 3, { proposers: models, n: 4 })
  assert.deepEqual(mixed.selection, { candidate: 2, stopReason: 'finished' })
})

test('the call that makes one answer of the drafts is kept for it', async () => {
  for (const [strategy, calls, options] of [
    [mixture, 4, { n: 4 }],
    [parallelSynthesis, 4, { widths: [4] }],
    [parallelSynthesis, 4, { widths: [4], workspace: 64 }],
    [universalSelfConsistency, 4, { n: 4 }],
  ] as const) {
    const { selection, thrown } = await runWith(strategy, calls, options)
    assert.equal(thrown, undefined, `${strategy.name} ${JSON.stringify(options)}`)
    assert.notEqual(selection!.candidate, 0, `${strategy.name} ${JSON.stringify(options)}`)
  }
  const twice = await runWith(universalSelfConsistency, 4, { n: 4, orders: 2 })
  assert.equal(ofType(twice.events, 'gate.decided').length, 1)
})

test('paraphrases are asked for only where the calls reach for their answers as well', async () => {
  for (const calls of [1, 2, 3, 4, 7]) {
    const sampler = { kind: 'paraphrase', n: 4, paraphrases: 3 }
    const { thrown, events } = await runWith(composed, calls, { sampler })
    assert.equal(thrown, undefined, `${calls} calls`)
    assert.ok(ofType(events, 'candidate.completed').length > calls / 2 - 1, `${calls} calls`)
  }
})

test('a chain of power sampling that runs out of calls ends where it stands', async () => {
  let written = 0
  const reply = () => ({ text: `#### ${++written}`, logProbability: -10 / written })
  const options = { sampler: { kind: 'power', n: 1, steps: 8 } }
  const { selection, thrown, events } = await runWith(composed, 3, options, { reply })
  assert.equal(thrown, undefined)
  const taken = ofType(events, 'candidate.completed').at(-1)!.candidate
  assert.ok(taken > 0)
  assert.equal(selection!.candidate, taken)
})
