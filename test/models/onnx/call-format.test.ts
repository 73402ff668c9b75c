import assert from 'node:assert/strict'
import test from 'node:test'
import type { Message } from '../../../src/core/task.ts'
import { findCallFormat, spokenTokens } from '../../../src/models/onnx/call-format.ts'
import {
  plainMessages,
  templateTools,
  toolMessages,
} from '../../../src/models/onnx/template-messages.ts'
import { templateOf } from './templates.ts'

const call = (id: string, name: string, given: string) => ({
  id,
  type: 'function' as const,
  function: { name, arguments: given },
})

/** As a client of OpenAI's interface sends it. */
const CONVERSATION: readonly Message[] = [
  {
    role: 'user',
    content: [
      { type: 'text', text: 'Weather in ' },
      { type: 'text', text: 'Rome?' },
    ],
  },
  {
    role: 'assistant',
    content: null,
    tool_calls: [
      call('call_0123456789abcdef', 'weather', '{"city": "Rome"}'),
      call('call_fedcba9876543210', 'clock', '{}'),
    ],
  },
  { role: 'tool', content: 'sunny', tool_call_id: 'call_0123456789abcdef' },
  { role: 'tool', content: 'noon', tool_call_id: 'call_fedcba9876543210' },
]

test('the format of calls is found in the template, and none where it knows nothing of tools', () => {
  assert.equal(findCallFormat(templateOf('qwen'))?.marker, '<tool_call>')
  assert.equal(findCallFormat(templateOf('mistral'))?.before, '[TOOL_CALLS] [')
  assert.equal(findCallFormat(templateOf('llama'))?.argumentsKey, 'parameters')
  assert.equal(findCallFormat(templateOf('plain')), undefined)
})

test('a template that writes calls in a way that is not known gives no format', () => {
  const render = templateOf('qwen')
  const other: typeof render = (messages, options) =>
    render(messages, options).replaceAll('"name"', '"function"')
  assert.equal(findCallFormat(other), undefined)
  const refuses: typeof render = (messages, options) => {
    if (messages.some(({ role }) => role === 'tool')) throw new Error('no tools here')
    return render(messages, options)
  }
  assert.equal(findCallFormat(refuses), undefined)
})

test('tokens that belong to the format are told, so that they are read where they are special', () => {
  assert.deepEqual(spokenTokens(findCallFormat(templateOf('mistral'))!), ['[TOOL_CALLS]'])
  assert.deepEqual(spokenTokens(findCallFormat(templateOf('llama'))!), ['<|python_tag|>'])
})

test('calls and results of a conversation are rendered as each template wants them', () => {
  for (const family of ['qwen', 'mistral', 'llama'] as const) {
    const render = templateOf(family)
    const { parallel } = findCallFormat(render)!
    const text = render(toolMessages(CONVERSATION, parallel), {})
    const solid = text.replaceAll(/\s/g, '')
    const key = family === 'llama' ? 'parameters' : 'arguments'
    assert.ok(solid.includes('WeatherinRome?'), text)
    assert.ok(solid.includes(`{"name":"weather","${key}":{"city":"Rome"}`), text)
    assert.ok(solid.includes(`{"name":"clock","${key}":{}`), text)
    assert.ok(text.indexOf('sunny') < text.indexOf('noon'), text)
  }
})

test('the id of a call and that of its result stay the same when a template wants short ones', () => {
  const [, asked, first, second] = toolMessages(CONVERSATION, true)
  const ids = asked!.tool_calls!.map(({ id }) => id)
  assert.deepEqual(ids, [first!.tool_call_id, second!.tool_call_id])
  for (const id of ids) assert.match(id, /^[A-Za-z0-9]{9}$/)
  assert.equal(new Set(ids).size, 2)
  assert.equal(second!.name, 'clock')
})

test('without a format, calls of a conversation are part of its text', () => {
  assert.equal(plainMessages(CONVERSATION)[1]!.content, 'weather({"city":"Rome"})\nclock({})')
})

test('tools reach the template with an empty schema where they have none, and without what is ours alone', () => {
  const [tool] = templateTools([{ type: 'function', function: { name: 'clock', strict: true } }])
  assert.deepEqual(tool, {
    type: 'function',
    function: { name: 'clock', description: '', parameters: { type: 'object', properties: {} } },
  })
})
