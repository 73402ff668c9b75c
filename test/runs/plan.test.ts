import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { ROLES } from '../../src/core/task.ts'
import { createdBody, planRun, type Parts } from '../../src/runs/plan.ts'
import { drafts, wordModel } from './support.ts'

const models = new Map(['a', 'b'].map((id) => [id, { ...wordModel(['word']), id }]))

const parts = {
  strategies: [drafts],
  models: {
    get: (id: string) => {
      const model = models.get(id)
      if (model === undefined) throw new RefineError('unknown_model', `There is no model "${id}".`)
      return model
    },
  },
  prompts: () => ({}),
  scorers: () => ({}),
  defaults: { model: 'a', strategy: 'drafts', maxTokens: 10, budget: {} },
} as unknown as Parts

/** With prompts that have a name, as the first event tells it. */
const named = { ...parts, prompts: () => ({ name: 'full', hash: 'h' }) } as unknown as Parts

test('roles without a model of their own fall to the run’s model', () => {
  const plan = planRun({ input: 'q', models: { judge: 'b' } }, parts)
  assert.deepEqual(
    ROLES.map((role) => plan.models[role].id),
    ROLES.map((role) => (role === 'judge' ? 'b' : 'a')),
  )
})

test('a role’s model that does not exist is refused', () => {
  assert.throws(() => planRun({ input: 'q', model: 'a', models: { judge: 'c' } }, parts), {
    code: 'unknown_model',
  })
})

test('the first event tells the sampling that was asked for, where any was', () => {
  const sampling = { temperature: 0.5, max_tokens: 20, stop: ['END'] }
  const told = (request: object): unknown =>
    createdBody(planRun({ input: 'q', ...request }, named), 1)
  assert.deepEqual((told({ sampling }) as { sampling?: object }).sampling, sampling)
  for (const request of [{}, { sampling: {} }])
    assert.ok(!('sampling' in (told(request) as object)))
})
