import assert from 'node:assert/strict'
import test from 'node:test'
import { BudgetLedger } from '../../src/core/budget.ts'
import type { CallOptions, LanguageModel } from '../../src/core/language-model.ts'
import { meterModel } from '../../src/runs/metered-model.ts'
import { UsageAccount } from '../../src/runs/usage-account.ts'
import { FakeModel } from '../support/fake-model.ts'

const signal = new AbortController().signal

test('whatever a run asks of a model has the priority of the run', async () => {
  const seen: unknown[] = []
  const see = (_request: unknown, { priority }: CallOptions): void => void seen.push(priority)
  const read = { inputTokens: 1, cachedTokens: 0 }
  const fake = new FakeModel().forRole('judge')
  const model: LanguageModel = {
    ...fake,
    generate: (request, options) => {
      see(request, options)
      return fake.generate(request, options)
    },
    scoreText: async (request, options) => {
      see(request, options)
      return { ...read, logProbability: 0, tokens: 1 }
    },
    scoreSteps: async (request, options) => {
      see(request, options)
      return { ...read, steps: [1] }
    },
    scoreOutcome: async (request, options) => {
      see(request, options)
      return { ...read, score: 1 }
    },
    embed: async (request, options) => {
      see(request, options)
      return { ...read, vectors: [] }
    },
  }
  const ledger = new BudgetLedger({}, () => 0)
  const metered = meterModel(model, 'judge', ledger, new UsageAccount(), { priority: 'background' })
  const messages = [{ role: 'user' as const, content: 'Well?' }]
  const work = { messages, samples: 1, sampling: { max_tokens: 1 }, seed: 1 }
  for await (const chunk of metered.generate(work, { signal })) void chunk
  await metered.scoreText!({ messages, text: 'x' }, { signal })
  await metered.scoreSteps!({ messages, steps: ['x'] }, { signal })
  await metered.scoreOutcome!({ messages, text: 'x' }, { signal })
  await metered.embed!({ texts: ['x'] }, { signal })
  assert.deepEqual(seen, Array(5).fill('background'))
})

test('an answer may be as long as the context has room for behind its prompt', async () => {
  const fake = new FakeModel()
  const model: LanguageModel = { ...fake.forRole('refiner'), contextLength: 100 }
  const metered = meterModel(model, 'refiner', new BudgetLedger({}, () => 0), new UsageAccount())
  const lengthFor = async (characters: number): Promise<number | undefined> => {
    const messages = [{ role: 'user' as const, content: 'x'.repeat(characters) }]
    const work = { messages, samples: 1, sampling: { max_tokens: 60 }, seed: 1 }
    for await (const chunk of metered.generate(work, { signal })) void chunk
    return fake.asks.at(-1)!.request.sampling.max_tokens
  }
  assert.equal(await lengthFor(30), 60)
  assert.equal(await lengthFor(240), 20)
  assert.equal(await lengthFor(600), 60, 'an estimate alone refuses nothing')
})

test('a long prompt is counted with pauses before it is paid for, a short one at once', async () => {
  const fake = new FakeModel().forRole('judge')
  const steps: string[] = []
  const model: LanguageModel = {
    ...fake,
    prepareCount: async () => {
      steps.push('prepare')
      await new Promise(setImmediate)
      steps.push('prepared')
    },
    countTokens: () => steps.push('count'),
    scoreOutcome: async () => ({ inputTokens: 1, cachedTokens: 0, score: 1 }),
  }
  const metered = meterModel(model, 'judge', new BudgetLedger({}, () => 0), new UsageAccount())
  const stepsFor = async (content: string): Promise<string[]> => {
    steps.length = 0
    const messages = [{ role: 'user' as const, content }]
    const work = { messages, samples: 1, sampling: { max_tokens: 1 }, seed: 1 }
    for await (const chunk of metered.generate(work, { signal })) void chunk
    await metered.scoreOutcome!({ messages, text: content }, { signal })
    return [...steps]
  }
  const gently = ['prepare', 'prepared', 'count']
  assert.deepEqual(await stepsFor('x'.repeat(10_000)), [...gently, ...gently])
  assert.deepEqual(await stepsFor('x'), ['count', 'count'])
})
