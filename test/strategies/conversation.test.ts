/** What a task brings along reaches whoever writes an answer, and whoever judges one, in every strategy. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { messageText } from '../../src/core/conversation.ts'
import type { Task } from '../../src/core/task.ts'
import { STRATEGIES } from '../../src/strategies/index.ts'
import { defaultReply, FakeModel, type Ask, type FakeReply } from '../support/fake-model.ts'
import { runStrategy } from '../support/run-strategy.ts'

const TASK: Task = {
  messages: [
    { role: 'system', content: 'SYSTEM-WORDS' },
    { role: 'user', content: 'EARLIER-QUESTION' },
    { role: 'assistant', content: 'EARLIER-ANSWER' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'LAST-QUESTION' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
      ],
    },
  ],
  sampling: { max_tokens: 64, stop: ['END'] },
}
const TOOLS: Task['tools'] = [
  { type: 'function', function: { name: 'add', parameters: { type: 'object' } } },
]
const FORMAT: Task['responseFormat'] = {
  type: 'json_schema',
  json_schema: { name: 'sum', schema: { type: 'object' } },
}

/** Where the defaults would leave out whoever should be looked at. */
const OPTIONS: Readonly<Record<string, Record<string, unknown>>> = {
  'solver-reviewer-refiner': { n: 3, effective_answers: 1, mean: 2 },
  'self-check': { n: 3, certainty: 10 },
  'parallel-synthesis': { widths: [2, 2] },
  rsa: { n: 3, k: 2, rounds: 1 },
  mixture: { n: 2, layers: 2 },
  glore: { step_threshold: 0.9 },
  compose: { updater: { kind: 'rewrite' }, selector: { kind: 'universal' } },
}

const WRITERS = ['solve', 'refine', 'aggregate']
/** Digits, since JSON is asked for below. */
const reply = (ask: Ask): FakeReply =>
  ask.system === 'solve' ? `{"sum": ${ask.sample}}` : defaultReply(ask)

const asksOf = async (name: string, task: Task): Promise<readonly Ask[]> => {
  const strategy = STRATEGIES.find((each) => each.name === name)!
  const model = new FakeModel({ prompts: 'full', reply })
  const options = OPTIONS[name] ?? {}
  const { thrown } = await runStrategy(strategy, model, { options, prompts: 'full', task })
  assert.equal(thrown, undefined)
  return model.asks
}

for (const strategy of STRATEGIES) {
  const { name } = strategy
  test(`${name} shows the whole conversation to all`, async () => {
    for (const { system, request, user } of await asksOf(name, TASK)) {
      if (system === 'solve') {
        assert.deepEqual(request.messages, TASK.messages)
        assert.deepEqual(request.sampling.stop, ['END'])
        continue
      }
      const told = request.messages.map(messageText).join('\n')
      for (const words of ['SYSTEM-WORDS', 'EARLIER-QUESTION', 'EARLIER-ANSWER', 'LAST-QUESTION']) {
        assert.ok(told.includes(words), `${system} does not see ${words}: ${user}`)
      }
    }
  })

  test(`${name} asks every writer for the form of the task, or refuses it by name`, async () => {
    const { loses = [] } = strategy.needs?.(OPTIONS[name] ?? {}) ?? {}
    if (loses.includes('tools') && loses.includes('response_format')) return
    assert.deepEqual(loses, [])
    const asks = await asksOf(name, { ...TASK, tools: TOOLS, responseFormat: FORMAT })
    for (const { system, request } of asks) {
      const isWriter = WRITERS.includes(system)
      assert.equal(request.tools !== undefined, isWriter, `tools for ${system}`)
      assert.equal(request.constraint !== undefined, isWriter, `form for ${system}`)
    }
  })
}
