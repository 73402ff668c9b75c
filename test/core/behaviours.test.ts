import assert from 'node:assert/strict'
import test from 'node:test'
import { performance } from 'node:perf_hooks'
import { countBehaviours, findBehaviours } from '../../src/core/behaviours.ts'

test('what a trace does is counted by its phrases', () => {
  const trace = [
    'First, I add the pens. The first step is 3 + 4 = 7.',
    'Wait, that is wrong. Let me check it: hold on.',
    'Let me double-check this by working backwards from 7.',
  ].join('\n')
  assert.deepEqual(countBehaviours([trace]), {
    verification: 2,
    backtracking: 3,
    sub_goals: 2,
    backward_chaining: 1,
  })
})

test('the meta-actions of Satori are counted by their tokens', () => {
  const trace = '<|continue|>2 + 2 = 5<|reflect|>No.<|explore|>4<|continue|>Done.'
  assert.deepEqual(countBehaviours([trace, '<|reflect|>']), { continue: 2, reflect: 2, explore: 1 })
})

test('a trace without any of it tells nothing, and a long one is read in no time', () => {
  assert.deepEqual(countBehaviours(['2 + 2 = 4\n#### 4', '']), {})
  const started = performance.now()
  countBehaviours(['let me '.repeat(100_000), 'to get to this, '.repeat(50_000)])
  assert.ok(performance.now() - started < 2000)
})

test('each behaviour is marked where it stands, the first ones of a text that has many', () => {
  const trace = 'Wait. Let me check.<|explore|>'
  assert.deepEqual(findBehaviours(trace), [
    { behaviour: 'backtracking', at: 0, phrase: 'Wait' },
    { behaviour: 'verification', at: 6, phrase: 'Let me check' },
    { behaviour: 'explore', at: 19, phrase: '<|explore|>' },
  ])
  assert.equal(findBehaviours('wait '.repeat(1000)).length, 64)
})
