/** A model that can only be asked for a form in words, and what a run makes of its hits and misses. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { contentText } from '../../src/core/conversation.ts'
import { isTerminal, type RunEvent } from '../../src/core/event.ts'
import type { GenerationChunk, LanguageModel } from '../../src/core/language-model.ts'
import { selfConsistency } from '../../src/strategies/self-consistency.ts'
import { buildRunner, wordModel } from './support.ts'

/** Says one of the texts for each sample; `seen` gets the system messages. */
const speaker = (texts: readonly string[], seen: string[]): LanguageModel => {
  const model = wordModel([])
  return {
    ...model,
    capabilities: { ...model.capabilities, constrained_output: 'none' },
    async *generate({ messages, samples, constraint }): AsyncGenerator<GenerationChunk> {
      assert.equal(constraint, undefined)
      seen.push(contentText(messages[0]!))
      yield { type: 'usage', inputTokens: 1, cachedTokens: 0 }
      for (let sample = 0; sample < samples; sample++) {
        yield { type: 'delta', sample, text: texts[sample % texts.length]! }
        const reason = { unified: 'stop', raw: 'stop' } as const
        yield { type: 'finish', sample, reason, outputTokens: 1 }
      }
    },
  }
}

const run = async (t: TestContext, texts: readonly string[]) => {
  const seen: string[] = []
  const { runner } = buildRunner(t, { model: speaker(texts, seen), strategies: [selfConsistency] })
  const schema = { type: 'object', required: ['n'] }
  const request = {
    input: 'How many?',
    strategy: 'self-consistency',
    options: { n: 3 },
    response_format: { type: 'json_schema' as const, json_schema: { name: 'n', schema } },
  }
  const id = await runner.create(request, '')
  const events: RunEvent[] = []
  for await (const event of runner.events(id, '', 0, new AbortController().signal)) {
    events.push(event)
    if (isTerminal(event)) break
  }
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))
  return { state: await runner.get(id, ''), warnings, seen }
}

test('what lacks the form neither votes nor stays the answer, and the record says the answer fits', async (t) => {
  const { state, warnings, seen } = await run(t, ['About one.', 'About one.', '{"n": 1}'])
  assert.match(seen[0]!, /JSON Schema/)
  assert.equal(state.answer?.text, '{"n": 1}')
  assert.equal(state.measures?.schema_valid, true)
  assert.deepEqual(
    state.candidates.map(({ scores }) => scores.map(({ scorer, score }) => [scorer, score])),
    [[['form', 0]], [['form', 0]], [['form', 1]]],
  )
  assert.deepEqual(
    warnings.filter((code) => code !== 'no_answer'),
    ['emulated_response_format'],
  )
})

test('an answer without the form is told, since it is better than none', async (t) => {
  const { state, warnings } = await run(t, ['About one.'])
  assert.equal(state.status, 'completed')
  assert.equal(state.measures?.schema_valid, false)
  assert.ok(warnings.includes('misshapen_answer'))
})
