import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { createScriptedModel } from '../../src/models/scripted.ts'
import { createPrompts } from '../../src/prompts/index.ts'
import { createdBody, planRun, type Parts } from '../../src/runs/plan.ts'
import { createScorers } from '../../src/scoring/scorers.ts'
import { STRATEGIES } from '../../src/strategies/index.ts'
import { FakeModel } from '../support/fake-model.ts'

const compact = createScriptedModel({ id: 'compact' })
const full = { ...new FakeModel({ prompts: 'full' }).forRole('generator'), id: 'full' }

const parts: Parts = {
  strategies: STRATEGIES,
  models: {
    get: (id) => (id === 'compact' ? compact : full),
    describe: () => [],
    ready: async () => undefined,
  },
  prompts: createPrompts({ mine: { reflection: 'Hm.' } }),
  scorers: createScorers,
  defaults: { model: 'full', strategy: 'single', maxTokens: 64, budget: {} },
}

const plan = (request: Record<string, unknown>) => planRun({ input: 'Q', ...request }, parts)

test('a run tells the set and the hash of the prompts of every role', () => {
  const plain = createdBody(plan({ models: { judge: 'compact' } }), 1)
  const changed = createdBody(plan({ prompts: { set: 'mine' }, models: { judge: 'compact' } }), 1)
  assert.equal(plain.prompts?.generator?.set, 'full')
  assert.match(plain.prompts?.generator?.hash ?? '', /^[0-9a-f]{64}$/)
  assert.equal(changed.prompts?.reviewer?.set, 'mine')
  assert.notEqual(changed.prompts?.reviewer?.hash, plain.prompts?.reviewer?.hash)
  assert.deepEqual(changed.prompts?.judge, plain.prompts?.judge)
  assert.equal(plain.prompts?.judge?.set, 'compact')
})

test('a request with a wording that cannot work is refused by its field', () => {
  const refused = (request: Record<string, unknown>, pointer: string): void => {
    assert.throws(
      () => plan(request),
      (thrown) => thrown instanceof RefineError && thrown.fields[0]?.pointer === pointer,
    )
  }
  refused({ prompts: { review: 'What is wrong?' } }, '/prompts/review')
  refused({ prompts: { set: 'absent' } }, '/prompts/set')
  refused({ prompts: { critique: 7 } }, '/prompts/critique')
  refused({ prompts: { reflection: 'Hm.' }, model: 'compact' }, '/prompts')
})
