import assert from 'node:assert/strict'
import test from 'node:test'
import { checkJsonSchema, schemaErrors } from '../../src/core/json-schema.ts'
import type { Task } from '../../src/core/task.ts'
import { canonicalProposal, faultOf, proposalText } from '../../src/core/validity.ts'

const task: Task = {
  messages: [{ role: 'user', content: 'x' }],
  sampling: {},
  tools: [
    {
      type: 'function',
      function: {
        name: 'add',
        parameters: { properties: { a: { type: 'integer' } }, required: ['a'] },
      },
    },
  ],
  responseFormat: {
    type: 'json_schema',
    json_schema: { name: 'n', schema: { type: 'object', required: ['n'] } },
  },
}
const call = (name: string, given: string) => ({
  id: 'c',
  type: 'function' as const,
  function: { name, arguments: given },
})
const said = (text: string, ...toolCalls: ReturnType<typeof call>[]) => ({ text, toolCalls })

test('equal calls are equal texts, however their arguments are written and in whatever order they come', () => {
  const one = said('', call('add', '{"b": 1, "a": [2, {"d":1,"c":0}]}'), call('sub', '{}'))
  const other = said('So:', call('sub', ' {} '), call('add', '{"a":[2,{"c":0,"d":1}],"b":1}'))
  assert.equal(canonicalProposal(task, one), canonicalProposal(task, other))
  assert.equal(proposalText(said('', call('add', '{ "a": 1 }'))), 'add({"a":1})')
})

test('a proposal is at fault by its tool, its arguments, its choice or its JSON', () => {
  assert.equal(faultOf(task, said('{"n":1}')), undefined)
  assert.equal(faultOf(task, said('any words', call('add', '{"a":1}'))), undefined)
  assert.match(faultOf(task, said('', call('sub', '{}')))!, /no tool of the request/)
  assert.match(faultOf(task, said('', call('add', '{"a":')))!, /not JSON/)
  assert.match(faultOf(task, said('', call('add', '{"a":"1"}')))!, /\/a must be integer/)
  assert.match(faultOf(task, said('words'))!, /not JSON/)
  assert.match(faultOf(task, said('{}'))!, /do.* not fit/)
  const required = { ...task, toolChoice: 'required' as const }
  assert.match(faultOf(required, said('{"n":1}'))!, /required/)
  const single = { ...task, parallelToolCalls: false }
  const both = said('', call('add', '{"a":1}'), call('add', '{"a":2}'))
  assert.match(faultOf(single, both)!, /more than one/)
})

test('a schema that can never be used is refused, one with references is kept', () => {
  const refused = (schema: object) => () => checkJsonSchema(schema as Record<string, unknown>, '/s')
  assert.throws(refused({ $ref: '#' }), /never end/)
  assert.throws(refused({ properties: { a: { pattern: '(' } } }), /pattern/)
  assert.throws(refused({ enum: ['x'.repeat(100_001)] }), /longer/)
  const tree = { type: 'array', items: { $ref: '#' } }
  assert.doesNotThrow(refused(tree))
  assert.deepEqual(schemaErrors(tree, [[[]]]), [])
  assert.equal(schemaErrors(tree, [[1]])[0]?.pointer, '/0/0')
})
