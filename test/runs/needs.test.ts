import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { ROLES, type Role } from '../../src/core/task.ts'
import type { Needs } from '../../src/core/strategy.ts'
import { promptsFor } from '../../src/prompts/index.ts'
import { createScorers } from '../../src/scoring/scorers.ts'
import { meetNeeds } from '../../src/runs/needs.ts'
import type { Parts } from '../../src/runs/plan.ts'
import { FakeModel } from '../support/fake-model.ts'

const byRole = <Value>(value: Value): Record<Role, Value> =>
  Object.fromEntries(ROLES.map((role) => [role, value])) as Record<Role, Value>

const model = new FakeModel({
  capabilities: { step_scores: 'none', log_probabilities: 'none', text_scoring: 'none' },
}).forRole('generator')

const parts = {
  scorers: createScorers,
  prompts: promptsFor,
  models: {
    get: (id: string) => {
      if (id === 'known') return model
      throw new RefineError('unknown_model', `There is no model "${id}".`)
    },
  },
} as unknown as Parts

const meet = (needs: Needs) =>
  meetNeeds('x', needs, byRole(model), byRole(promptsFor('compact')), parts)

const refusal = (needs: Needs): RefineError => {
  try {
    meet(needs)
  } catch (thrown) {
    if (thrown instanceof RefineError) return thrown
  }
  return assert.fail('it must refuse')
}

test('a scorer that the models cannot feed is refused by the name of its field', () => {
  const error = refusal({ scorers: ['judge', 'process-reward'] })
  assert.deepEqual([error.code, error.param], ['unsupported_capability', 'options.scorer'])
})

test('a prompt that the set lacks is refused by its name', () => {
  const error = refusal({ prompts: [{ role: 'refiner', form: 'critique' }] })
  assert.equal(error.code, 'unsupported_capability')
  assert.match(error.message, /"critique".*"compact"/)
  assert.equal(meet({ prompts: [{ role: 'reviewer', form: 'verifyReport' }] }).size, 0)
})

test('a capability that only some options need is checked with them', () => {
  assert.match(refusal({ capabilities: ['log_probabilities'] }).message, /log_probabilities/)
  assert.equal(meet({ capabilities: ['seed'] }).size, 0)
})

test('models that the options name are found, or refused by the option that names them', () => {
  const pointer = '/options/proposers/1'
  assert.deepEqual([...meet({ models: [{ id: 'known', pointer }] }).keys()], ['known'])
  const error = refusal({ models: [{ id: 'unheard', pointer }] })
  assert.deepEqual([error.code, error.fields[0]?.pointer], ['unknown_model', pointer])
})
