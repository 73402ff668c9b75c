import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { composed } from '../../src/strategies/composed.ts'
import { FakeModel } from '../support/fake-model.ts'
import { ofType, runStrategy } from '../support/run-strategy.ts'

const refusal = (options: Record<string, unknown>): string[] => {
  try {
    composed.needs!(options)
  } catch (thrown) {
    if (thrown instanceof RefineError) {
      return thrown.fields.map(({ pointer, message }) => `${pointer} ${message}`)
    }
  }
  return assert.fail('it must be refused')
}

test('an option of a part is refused by its place', () => {
  assert.match(refusal({ sampler: { kind: 'plain', n: 0 } })[0]!, /^\/options\/sampler\/n must be/)
  assert.deepEqual(refusal({ sampler: { kind: 'plain', k: 2 } }), [
    '/options/sampler/k is not a known field',
  ])
  assert.match(
    refusal({ updater: { kind: 'rewrit' } })[0]!,
    /^\/options\/updater\/kind must be one/,
  )
  assert.match(refusal({ gate: {} })[0]!, /^\/options\/gate/)
})

test('parts that do not fit each other are refused by name', () => {
  for (const [options, pattern] of [
    [{ selector: { kind: 'best' } }, /^\/options\/selector\/kind "best" needs a scorer/],
    [{ stopper: { kind: 'threshold' } }, /^\/options\/stopper\/kind "threshold" needs a scorer/],
    [{ gate: { kind: 'magicore' } }, /^\/options\/gate\/kind .*chain-reward/],
    [{ sampler: { kind: 'models' } }, /^\/options\/sampler\/models must name/],
  ] as const) {
    assert.match(refusal(options)[0]!, pattern)
  }
})

test('the worst case is the sum of its parts', () => {
  const bound = composed.worstCase(
    { promptTokens: 9, maxTokens: 64 },
    {
      sampler: { kind: 'plain', n: 4 },
      scorer: { kind: 'process-reward' },
      updater: { kind: 'rewrite', targets: 'all' },
      selector: { kind: 'knockout', comparisons: 2 },
      rounds: 2,
    },
  )
  assert.deepEqual(
    bound.map(({ role, calls }) => [role, calls]),
    [
      ['generator', 4],
      ['process_reward', 24],
      ['refiner', 8],
      ['reviewer', 8],
      ['judge', 11 * 2 * 2],
    ],
  )
})

test('a selector still has its models after the sampling was cut off', async () => {
  const model = new FakeModel({
    prompts: 'full',
    reply: ({ system, sample }) => (system === 'select' ? '2' : `#### ${sample}`),
  })
  const { selection, events } = await runStrategy(composed, model, {
    options: {
      selector: { kind: 'universal' },
      stopper: { kind: 'first-finished', m: 2 },
    },
    prompts: 'full',
  })
  assert.deepEqual(selection, { candidate: 1, stopReason: 'agreement' })
  assert.equal(ofType(events, 'candidate.dropped').length, 2)
})

test('a gate keeps an easy vote from being refined', async () => {
  const model = new FakeModel({ reply: () => '#### 1' })
  const { selection, events } = await runStrategy(composed, model, {
    options: { gate: { kind: 'agreement' }, updater: { kind: 'rewrite' } },
  })
  assert.deepEqual([selection?.stopReason, model.calls], ['agreement', 4])
  assert.equal(ofType(events, 'gate.decided')[0]?.outcome, 'easy')
})
