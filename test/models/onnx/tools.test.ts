import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import { RefineError } from '../../../src/core/errors.ts'
import type { GenerationRequest } from '../../../src/core/language-model.ts'
import { schemaErrors } from '../../../src/core/json-schema.ts'
import type { Tool } from '../../../src/core/tools.ts'
import { createOnnxModel } from '../../../src/models/onnx.ts'
import { collect, FOLDER } from '../../inference/model-fixture.ts'
import { writeFamily, type Family } from './templates.ts'

const FAMILIES = ['qwen', 'mistral', 'llama'] as const

const open = (family: Family) =>
  createOnnxModel({ id: family, folder: writeFamily(family), prompts: 'full', threads: 1 })
const models = new Map(FAMILIES.map((family) => [family, open(family)]))
after(() => Promise.all([...models.values()].map((model) => model.close())))

const tool = (name: string, parameters: Record<string, unknown>, strict = false): Tool => ({
  type: 'function',
  function: { name, description: `Does ${name}.`, parameters, strict },
})
const WEATHER = tool('weather', {
  type: 'object',
  properties: {
    city: { enum: ['Rome', 'Paris'] },
    days: { type: 'integer', minimum: 1, maximum: 9 },
  },
  required: ['city', 'days'],
})
const CLOCK = tool('clock', { type: 'object', properties: { utc: { type: 'boolean' } } })
const TOOLS = [WEATHER, CLOCK]
const parametersOf = (name: string) =>
  TOOLS.find((each) => each.function.name === name)!.function.parameters!

const messages = [{ role: 'user' as const, content: 'Weather?' }]
const hot = { temperature: 2, max_tokens: 400 }

const ask = async (family: (typeof FAMILIES)[number], request: Partial<GenerationRequest>) => {
  const found = await collect(models.get(family)!, { messages, sampling: hot, ...request })
  const calls = found.chunks.flatMap((chunk) => (chunk.type === 'tool_call' ? [chunk] : []))
  const warnings = found.chunks.flatMap((chunk) => (chunk.type === 'warning' ? [chunk] : []))
  return { ...found, calls, warnings }
}

for (const family of FAMILIES) {
  test(`${family}: required calls fit the tools, whatever the weights`, async () => {
    const { calls, finishes, texts, warnings } = await ask(family, {
      tools: TOOLS,
      toolChoice: 'required',
      parallelToolCalls: false,
      samples: 8,
    })
    assert.deepEqual(new Set(finishes.map(({ reason }) => reason.unified)), new Set(['tool_calls']))
    assert.deepEqual(texts, Array(8).fill(''))
    assert.deepEqual(warnings, [])
    assert.equal(calls.length, 8)
    for (const { call } of calls) {
      const { name, arguments: given } = call.function
      assert.deepEqual(schemaErrors(parametersOf(name), JSON.parse(given)), [], given)
    }
    assert.ok(new Set(calls.map(({ call }) => call.function.name)).size === 2)
  })

  test(`${family}: a named tool is called once, and nothing else`, async () => {
    const { calls } = await ask(family, {
      tools: TOOLS,
      toolChoice: { type: 'function', function: { name: 'clock' } },
      samples: 4,
    })
    assert.deepEqual(
      calls.map(({ call }) => call.function.name),
      Array(4).fill('clock'),
    )
  })

  test(`${family}: where it may call or not, random weights write text`, async () => {
    const { calls, texts, finishes } = await ask(family, {
      tools: TOOLS,
      sampling: { temperature: 1, max_tokens: 20 },
    })
    assert.deepEqual(calls, [])
    assert.ok(texts[0]!.length > 0)
    assert.notEqual(finishes[0]!.reason.unified, 'tool_calls')
  })

  test(`${family}: with a form besides, an answer has the form or calls`, async () => {
    const schema = { type: 'object', properties: { a: { type: 'boolean' } }, required: ['a'] }
    const { calls, texts } = await ask(family, {
      tools: TOOLS,
      parallelToolCalls: false,
      constraint: { type: 'json_schema', schema },
      samples: 24,
      sampling: { temperature: 5, max_tokens: 400 },
    })
    const called = new Set(calls.map(({ sample }) => sample))
    for (const [sample, text] of texts.entries())
      if (!called.has(sample)) assert.deepEqual(schemaErrors(schema, JSON.parse(text)), [], text)
    assert.ok(called.size > 0 && called.size < 24, `${called.size}`)
  })

  test(`${family}: the prompt tells of the tools unless they are ruled out`, () => {
    const model = models.get(family)!
    assert.equal(model.capabilities.tools, 'native')
    assert.ok(model.countTokens(messages, TOOLS) > model.countTokens(messages) + 50)
  })
}

test('several calls in one answer each fit their tool', async () => {
  const { calls, finishes } = await ask('qwen', {
    tools: TOOLS,
    toolChoice: 'required',
    samples: 24,
  })
  for (const { call } of calls)
    assert.deepEqual(
      schemaErrors(parametersOf(call.function.name), JSON.parse(call.function.arguments)),
      [],
    )
  const ended = finishes.filter(({ reason }) => reason.unified === 'tool_calls').length
  assert.ok(calls.length > ended, `${calls.length} ${ended}`)
})

test('tools that are ruled out are not told of and not called', async () => {
  const { chunks, calls } = await ask('qwen', { tools: TOOLS, toolChoice: 'none', samples: 1 })
  const usage = chunks.find((chunk) => chunk.type === 'usage')!
  assert.equal(usage.inputTokens, models.get('qwen')!.countTokens(messages))
  assert.deepEqual(calls, [])
})

test('a schema that cannot be held to becomes any object with a warning, and is refused where it is strict', async () => {
  const odd = { type: 'object', not: { required: ['x'] } }
  const request = { toolChoice: 'required', sampling: { temperature: 0, max_tokens: 8 } } as const
  const { warnings } = await ask('qwen', { ...request, tools: [tool('odd', odd)] })
  const held = warnings.filter(({ code }) => code === 'schema_not_held')
  assert.equal(held.length, 1)
  assert.match(held[0]!.message, /^\/tools\/0\/function\/parameters /)
  await assert.rejects(
    ask('qwen', { ...request, tools: [tool('odd', odd, true)] }),
    (error) =>
      error instanceof RefineError &&
      error.code === 'invalid_request' &&
      error.fields[0]!.pointer === '/tools/0/function/parameters/not',
  )
})

test('a model whose template knows nothing of tools claims none and refuses them by name', async () => {
  const plain = createOnnxModel({ id: 'plain', folder: FOLDER, prompts: 'compact', threads: 1 })
  assert.equal(plain.capabilities.tools, 'none')
  await assert.rejects(
    collect(plain, { messages, tools: TOOLS }),
    (error) => error instanceof RefineError && error.code === 'unsupported_capability',
  )
  await plain.close()
})

test('content in parts reaches the template as text', async () => {
  const model = models.get('qwen')!
  const parts = [
    { type: 'text' as const, text: 'Wea' },
    { type: 'text' as const, text: 'ther?' },
  ]
  assert.equal(model.countTokens([{ role: 'user', content: parts }]), model.countTokens(messages))
})
