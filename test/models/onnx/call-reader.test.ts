import assert from 'node:assert/strict'
import test from 'node:test'
import { findCallFormat, type CallFormat } from '../../../src/models/onnx/call-format.ts'
import { CallReader, type Piece } from '../../../src/models/onnx/call-reader.ts'
import { templateOf, type Family } from './templates.ts'

const formatOf = (family: Family): CallFormat => findCallFormat(templateOf(family))!

interface Read {
  readonly text: string
  readonly calls: readonly (readonly [name: string, given: string])[]
  readonly malformed: number
  readonly pieces: readonly Piece[]
}

const read = (family: Family, deltas: readonly string[]): Read => {
  const reader = new CallReader(formatOf(family), ['weather', 'clock'])
  const pieces = [...deltas.flatMap((text) => reader.push({ text, tokens: [] })), ...reader.end()]
  return {
    pieces,
    text: pieces.map((piece) => (piece.type === 'text' ? piece.text : '')).join(''),
    calls: pieces.flatMap((piece) =>
      piece.type === 'call'
        ? [[piece.call.function.name, piece.call.function.arguments] as const]
        : [],
    ),
    malformed: pieces.filter(({ type }) => type === 'malformed').length,
  }
}

/** The same text in one piece, by characters, and in threes. */
const ways = (text: string): string[][] => [[text], Array.from(text), text.match(/[^]{1,3}/g) ?? []]

const EXPECTED: Readonly<Record<string, readonly [Family, string, Omit<Read, 'pieces'>]>> = {
  'text and two calls of Qwen': [
    'qwen',
    'I look.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rome", "at": 12345678901234567890}}\n</tool_call>\n<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>',
    {
      text: 'I look.',
      calls: [
        ['weather', '{"city": "Rome", "at": 12345678901234567890}'],
        ['clock', '{}'],
      ],
      malformed: 0,
    },
  ],
  'a call of Qwen that is not closed': [
    'qwen',
    '<tool_call>\n{"name": "clock"}',
    { text: '', calls: [['clock', '{}']], malformed: 0 },
  ],
  'a call of Qwen that is cut off': [
    'qwen',
    'So: <tool_call>\n{"name": "clo',
    { text: 'So: <tool_call>\n{"name": "clo', calls: [], malformed: 1 },
  ],
  'a malformed call of Qwen with text behind it': [
    'qwen',
    '<tool_call>clock</tool_call> is how it goes.\n',
    { text: '<tool_call>clock</tool_call> is how it goes.\n', calls: [], malformed: 1 },
  ],
  'arguments that are a text with JSON in it': [
    'qwen',
    '<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"Rome\\"}"}</tool_call>',
    { text: '', calls: [['weather', '{"city": "Rome"}']], malformed: 0 },
  ],
  'text with a part of the marker': [
    'qwen',
    'a <tool\n  and <tool_ca  ',
    { text: 'a <tool\n  and <tool_ca  ', calls: [], malformed: 0 },
  ],
  'a list of Mistral behind text': [
    'mistral',
    'Wait. [TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Rome"}}, {"name": "clock", "arguments": {}, "id": "abc"}]',
    {
      text: 'Wait.',
      calls: [
        ['weather', '{"city":"Rome"}'],
        ['clock', '{}'],
      ],
      malformed: 0,
    },
  ],
  'an empty list of Mistral': [
    'mistral',
    '[TOOL_CALLS][]',
    { text: '[TOOL_CALLS][]', calls: [], malformed: 1 },
  ],
  'a call of Llama': [
    'llama',
    ' {"name": "weather", "parameters": {"city": "Rome", "at": 1.0}}',
    { text: '', calls: [['weather', '{"city": "Rome", "at": 1.0}']], malformed: 0 },
  ],
  'a call of Llama behind its tag': [
    'llama',
    '<|python_tag|>{"name": "clock", "parameters": {}}',
    { text: '', calls: [['clock', '{}']], malformed: 0 },
  ],
  'JSON of Llama that is no call': [
    'llama',
    '{"name": "Ann", "age": 3}',
    { text: '{"name": "Ann", "age": 3}', calls: [], malformed: 0 },
  ],
  'a text of Llama': [
    'llama',
    'Rome is sunny.\n',
    { text: 'Rome is sunny.\n', calls: [], malformed: 0 },
  ],
  'code of Llama that is no call': [
    'llama',
    '<|python_tag|>print(1)',
    { text: '<|python_tag|>print(1)', calls: [], malformed: 1 },
  ],
}

for (const [name, [family, text, expected]] of Object.entries(EXPECTED))
  test(`${name} is read the same however it is cut`, () => {
    for (const deltas of ways(text)) {
      const { pieces: _, ...found } = read(family, deltas)
      assert.deepEqual(found, expected)
    }
  })

test('text goes on at once, and a call as soon as it is complete', () => {
  const reader = new CallReader(formatOf('qwen'), ['clock'])
  const push = (text: string) => reader.push({ text, tokens: [] })
  assert.deepEqual(push('The time'), [{ type: 'text', text: 'The time', tokens: [] }])
  assert.deepEqual(push('\n\n<tool'), [])
  assert.deepEqual(push('_call>{"name": "clock", "arguments"'), [])
  assert.equal(push(': {}}</tool_call>')[0]!.type, 'call')
  assert.deepEqual(reader.end(), [])
})

test('log-probabilities stay with their text and go with calls', () => {
  const reader = new CallReader(formatOf('qwen'), ['clock'])
  const push = (text: string) =>
    reader.push({ text, tokens: [{ text, logProbability: -1, alternatives: [] }] })
  const pieces = ['a', ' b', '\n', '<tool_call>', '{"name": "clock"}', '</tool_call>'].flatMap(push)
  const told = pieces.flatMap((piece) => (piece.type === 'text' ? piece.tokens : []))
  assert.deepEqual(
    told.map(({ text }) => text),
    ['a', ' b'],
  )
})

test('ids of calls are unique', () => {
  const { pieces } = read('mistral', ['[TOOL_CALLS][{"name":"clock"},{"name":"clock"}]'])
  const ids = pieces.map((piece) => (piece.type === 'call' ? piece.call.id : ''))
  assert.equal(new Set(ids).size, 2)
  for (const id of ids) assert.match(id, /^call_[0-9a-f]{32}$/)
})

// Linear work takes a moment here; a square of the length would take minutes.
test('a call with much white space in it is read as one without', { timeout: 60_000 }, () => {
  const space = ' '.repeat(400_000)
  const text = `<tool_call>\n{"name": "clock", "arguments": {"at": 1${space}}${space}}\n</tool_call>`
  const { calls, malformed } = read('qwen', [text])
  assert.deepEqual([calls.length, malformed], [1, 0])
  assert.equal(calls[0]![1].replaceAll(' ', ''), '{"at":1}')
})
