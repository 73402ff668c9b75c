import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import { Compile } from 'typebox/compile'
import type { Constraint } from '../../../src/core/language-model.ts'
import { createOnnxModel } from '../../../src/models/onnx.ts'
import { collect, FOLDER, GREEDY_TOKENS, reference } from '../../inference/model-fixture.ts'

const model = createOnnxModel({ id: 'small', folder: FOLDER, prompts: 'compact', threads: 1 })
after(() => model.close())

const { messages, greedy_text } = reference('solve')
const plain = greedy_text.replace('<|im_end|>', '')
const hot = { temperature: 1.5, max_tokens: 300 }

const SCHEMA = {
  type: 'object',
  properties: {
    answer: { type: 'integer', minimum: 0, maximum: 500 },
    unit: { enum: ['pens', 'apples'] },
    steps: { type: 'array', items: { type: 'string', maxLength: 12 }, minItems: 1, maxItems: 3 },
    sure: { type: 'boolean' },
  },
  required: ['answer', 'unit', 'steps'],
  additionalProperties: false,
} as const
const json: Constraint = { type: 'json_schema', schema: SCHEMA }

test('samples under a schema are valid JSON and end by themselves', async () => {
  const { texts, finishes } = await collect(model, {
    messages,
    samples: 12,
    sampling: hot,
    constraint: json,
  })
  const validator = Compile(SCHEMA)
  for (const text of texts) assert.ok(validator.Check(JSON.parse(text)), text)
  assert.deepEqual(new Set(finishes.map(({ reason }) => reason.raw)), new Set(['constraint_met']))
  assert.ok(new Set(texts).size > 6)
})

test('constraints of other samples change nothing for those without', async () => {
  const choice: Constraint = { type: 'choice', choices: ['yes', 'no', 'yes, but no'] }
  const number: Constraint = { type: 'regex', pattern: '#### \\d{1,3}' }
  const [free, chosen, matched] = await Promise.all([
    collect(model, { messages }),
    collect(model, { messages, samples: 6, sampling: hot, constraint: choice }),
    collect(model, { messages, samples: 6, sampling: hot, constraint: number }),
  ])
  assert.equal(free.texts[0], plain)
  for (const text of chosen.texts) assert.ok(choice.choices.includes(text), text)
  for (const text of matched.texts) assert.match(text, /^#### \d{1,3}$/)
})

test('a constraint that the likeliest text meets changes nothing', async () => {
  const constraint: Constraint = { type: 'regex', pattern: '(.|\\n)*' }
  const { texts, finishes } = await collect(model, { messages, constraint })
  assert.equal(texts[0], plain)
  assert.equal(finishes[0]!.reason.raw, 'end_token')
})

test('a seed gives the same constrained text again', async () => {
  const request = { messages, samples: 3, sampling: hot, constraint: json, seed: 5 }
  const first = await collect(model, request)
  assert.deepEqual((await collect(model, request)).texts, first.texts)
  assert.notDeepEqual((await collect(model, { ...request, seed: 6 })).texts, first.texts)
})

test('log-probabilities are of the unconstrained distribution, alternatives included', async () => {
  const constraint: Constraint = { type: 'choice', choices: ['7', '8'] }
  const request = { messages, topLogProbabilities: 2 }
  const first = async (extra: { constraint?: Constraint }) => {
    const { chunks } = await collect(model, { ...request, ...extra })
    return chunks.flatMap((chunk) => (chunk.type === 'delta' ? (chunk.tokens ?? []) : []))[0]!
  }
  const [held, free] = [await first({ constraint }), await first({})]
  assert.deepEqual(held.alternatives, free.alternatives)
  assert.ok(['7', '8'].includes(held.text))
  assert.ok(held.logProbability < free.logProbability)
})

test('a constrained sample still ends at a stop string and at max_tokens', async () => {
  const constraint: Constraint = { type: 'regex', pattern: '(ab)+c' }
  const sampling = { temperature: 0, max_tokens: 200, stop: ['bab'] }
  const stopped = await collect(model, { messages, constraint, sampling })
  assert.ok(['a', 'abc'].includes(stopped.texts[0]!), stopped.texts[0])
  const long: Constraint = { type: 'regex', pattern: 'x{50}' }
  const cut = await collect(model, {
    messages,
    constraint: long,
    sampling: { temperature: 0, max_tokens: 3 },
  })
  assert.deepEqual(cut.finishes[0]!.reason, { unified: 'length', raw: 'max_tokens' })
  assert.match(cut.texts[0]!, /^x{3,49}$/)
})

test('an unsupported schema is refused with its place, and the calls beside it go on', async () => {
  const schema = { type: 'object', properties: { a: { not: { type: 'null' } } } }
  const [free, refused] = await Promise.allSettled([
    collect(model, { messages }),
    collect(model, { messages, constraint: { type: 'json_schema', schema } }),
  ])
  assert.equal(free.status === 'fulfilled' && free.value.texts[0], plain)
  assert.equal(refused.status, 'rejected')
  const { code, fields } = refused.reason as { code: string; fields: { pointer: string }[] }
  assert.equal(code, 'invalid_request')
  assert.equal(fields[0]!.pointer, '/constraint/schema/properties/a/not')
})

test('characters outside the vocabulary are written byte by byte', async () => {
  const constraint: Constraint = { type: 'choice', choices: ['東京 🗼'] }
  const { texts } = await collect(model, { messages, constraint })
  assert.equal(texts[0], '東京 🗼')
})

test('a frequency penalty keeps tokens from coming again, a repetition penalty of 1 changes nothing', async () => {
  const sampling = {
    temperature: 0,
    max_tokens: 24,
    frequency_penalty: 2,
    presence_penalty: 2,
    repetition_penalty: 10,
  }
  const { chunks } = await collect(model, { messages, sampling, topLogProbabilities: 0 })
  const tokens = chunks.flatMap((chunk) => (chunk.type === 'delta' ? (chunk.tokens ?? []) : []))
  // Parts of characters look the same: their text comes with the last of them.
  const whole = tokens.map(({ text }) => text).filter((text) => text !== '')
  assert.ok(whole.length > 10)
  assert.deepEqual(whole, [...new Set(whole)])
  const neutral = {
    temperature: 0,
    max_tokens: GREEDY_TOKENS,
    repetition_penalty: 1,
    frequency_penalty: 0,
  }
  assert.equal((await collect(model, { messages, sampling: neutral })).texts[0], plain)
})

test('log-probabilities add up to the sum that the finish tells, under a constraint too', async () => {
  const { chunks, finishes } = await collect(model, {
    messages,
    sampling: hot,
    constraint: json,
    topLogProbabilities: 0,
  })
  const tokens = chunks.flatMap((chunk) => (chunk.type === 'delta' ? (chunk.tokens ?? []) : []))
  const sum = tokens.reduce((total, { logProbability }) => total + logProbability, 0)
  assert.ok(Math.abs(sum - finishes[0]!.logProbability!) < 1e-6)
})
