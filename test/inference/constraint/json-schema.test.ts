import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { Compile } from 'typebox/compile'
import { RefineError } from '../../../src/core/errors.ts'
import { createRandom } from '../../../src/core/random.ts'
import { compileConstraint } from '../../../src/inference/constraint/compile.ts'
import { accepts, randomText } from './random-text.ts'

type Schema = Record<string, unknown>
const compile = (schema: Schema) => compileConstraint({ type: 'json_schema', schema })

/** Whether texts are accepted, by text. */
const assertAccepts = (schema: Schema, yes: readonly unknown[], no: readonly unknown[]): void => {
  const automaton = compile(schema)
  const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
  for (const value of yes)
    assert.equal(accepts(automaton, asText(value)), true, `takes ${asText(value)}`)
  for (const value of no)
    assert.equal(accepts(automaton, asText(value)), false, `refuses ${asText(value)}`)
}

const assertRefused = (schema: Schema, pointer: string, message = /./): void => {
  assert.throws(
    () => compile(schema),
    (error: unknown) => {
      assert.ok(error instanceof RefineError)
      assert.equal(error.code, 'invalid_request')
      assert.equal(error.fields[0]!.pointer, `/constraint/schema${pointer}`)
      assert.match(error.message, message)
      return true
    },
  )
}

const scalar = fc.oneof(
  fc.constant({ type: 'string' }),
  fc.record({
    type: fc.constant('string'),
    minLength: fc.nat(3),
    maxLength: fc.integer({ min: 3, max: 6 }),
  }),
  fc
    .constantFrom('^[a-c]+$', 'x', '^\\d{2}-\\w$', '[^"\\\\a-z]', '^(ab|"|\\\\|\\n)*$', '\\p{Lu}$')
    .map((pattern) => ({ type: 'string', pattern })),
  fc.record({
    type: fc.constantFrom('integer', 'number'),
    minimum: fc.integer({ min: -1200, max: 30 }),
    maximum: fc.integer({ min: 31, max: 1200 }),
  }),
  fc.record({
    type: fc.constant('number'),
    exclusiveMinimum: fc.integer({ min: -20, max: 0 }),
    exclusiveMaximum: fc.integer({ min: 1, max: 30 }),
  }),
  fc.record({
    type: fc.constant('number'),
    minimum: fc.constantFrom(-1.25, 0.5),
    exclusiveMaximum: fc.constantFrom(0.75, 12.5),
  }),
  fc.record({ type: fc.constantFrom('integer', 'number', 'boolean', 'null') }),
  fc.record({ enum: fc.array(fc.jsonValue({ maxDepth: 1 }), { minLength: 1, maxLength: 4 }) }),
  fc.record({ const: fc.jsonValue({ maxDepth: 1 }) }),
  fc.constantFrom('date', 'ipv4', 'uuid').map((format) => ({ type: 'string', format })),
)

const name = fc.oneof(
  fc.string({ maxLength: 4, unit: 'grapheme' }),
  fc.constantFrom('a', 'ab', 'b', '"', '\\'),
)

const { schema: anySchema } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'schema' },
    scalar,
    fc
      .tuple(
        fc.dictionary(name, tie('schema'), { maxKeys: 4 }),
        fc.infiniteStream(fc.boolean()),
        fc.option(fc.oneof(fc.boolean(), scalar), { nil: undefined }),
      )
      .map(([properties, chosen, additionalProperties]) => ({
        type: 'object',
        properties: { ...properties },
        required: Object.keys(properties).filter(() => chosen.next().value),
        ...(additionalProperties === undefined ? {} : { additionalProperties }),
      })),
    fc
      .tuple(
        tie('schema'),
        fc.nat(2),
        fc.option(fc.integer({ min: 2, max: 4 }), { nil: undefined }),
      )
      .map(([items, minItems, maxItems]) => ({
        type: 'array',
        items,
        minItems,
        ...(maxItems === undefined ? {} : { maxItems }),
      })),
    fc
      .tuple(
        fc.array(tie('schema'), { minLength: 1, maxLength: 2 }),
        fc.oneof(fc.constant(false), tie('schema')),
      )
      .map(([prefixItems, items]) => ({ type: 'array', prefixItems, items, minItems: 1 })),
    fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    fc.record({
      type: fc.constant(['object', 'null']),
      propertyNames: fc.constant({ pattern: '^k' }),
      additionalProperties: tie('schema'),
    }),
  ),
}))

test('whatever is written at random under a random schema parses and is valid', () => {
  fc.assert(
    fc.property(anySchema, fc.nat(), (schema, seed) => {
      const automaton = compile(schema)
      const validator = Compile(schema)
      const random = createRandom(seed)
      for (let count = 0; count < 4; count++) {
        const text = randomText(automaton, random, 1 + random.integer(80))
        const value: unknown = JSON.parse(text)
        assert.ok(validator.Check(value), `${text} under ${JSON.stringify(schema)}`)
      }
    }),
    { numRuns: 100, endOnFailure: true },
  )
})

test('an answer written compactly in the order of the schema is taken', () => {
  const schema = {
    type: 'object',
    properties: {
      name: { type: 'string' },
      age: { type: 'integer', minimum: 0 },
      tags: { type: 'array', items: { enum: ['a', 'b'] }, maxItems: 2 },
    },
    required: ['name', 'age'],
    additionalProperties: false,
  }
  assertAccepts(
    schema,
    [
      { name: 'Zoë "Z" \n \u{1f600}', age: 0 },
      '{"name": "x", "age": 7, "tags": ["a", "b"]}',
      '{"name":"\\u00e9\\ud83d\\ude00","age":12,"tags":[]}',
    ],
    [
      '{"age":1,"name":"x"}',
      '{"name":"x"}',
      '{"name":"x","age":01}',
      '{"name":"x","age":-1}',
      '{"name":"x","age":1,"tags":["a","b","a"]}',
      '{"name":"x","age":1,"other":1}',
      '{ "name":"x","age":1}',
      '{"name":"\\ud83d","age":1}',
      '{"name":"x\u0001","age":1}',
    ],
  )
})

test('further properties come where additionalProperties asks for them, under other names', () => {
  const schema = {
    type: 'object',
    properties: { a: { const: 1 }, ab: { const: 2 } },
    required: ['a'],
    additionalProperties: { type: 'string' },
  }
  assertAccepts(
    schema,
    [{ a: 1 }, { a: 1, ab: 2 }, { a: 1, abc: 'x', b: 'y' }, { a: 1, '': 'x' }],
    ['{"a":1,"a":"x"}', '{"a":1,"\\u0061":"x"}', '{"a":1,"c":3}', '{"b":"x","a":1}'],
  )
  assertAccepts({ type: 'object' }, [{}, { x: [1, { y: null }] }], [[], 'null'])
  assertAccepts({ type: 'object', maxProperties: 1 }, [{}, { x: 1 }], [{ x: 1, y: 2 }])
})

test('an empty schema is any JSON object', () => {
  assertAccepts({}, [{}, { a: { b: [1.5e3, true] } }], ['1', [], '"x"'])
})

test('schemas that refer to themselves nest as deep as one likes', () => {
  const tree = {
    $defs: {
      node: {
        type: 'object',
        properties: {
          value: { type: 'integer' },
          children: { type: 'array', items: { $ref: '#/$defs/node' } },
        },
        required: ['value'],
        additionalProperties: false,
      },
    },
    $ref: '#/$defs/node',
  }
  const deep = Array.from({ length: 200 }).reduce<unknown>(
    (child) => ({ value: 1, children: child === undefined ? [] : [child] }),
    undefined,
  )
  assertAccepts(tree, [deep], ['{"value":1,"children":[{}]}', '{"value":1,"children":[{"value":1}'])
  const list = {
    type: 'object',
    properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
    required: ['next'],
  }
  assertAccepts(list, ['{"next":{"next":{"next":null}}}'], ['{"next":{}}'])
})

test('branches that differ only behind what nests take no more with each level', () => {
  const operation = (name: string) => ({
    type: 'object',
    properties: { left: { $ref: '#' }, name: { const: name } },
    required: ['left', 'name'],
  })
  const automaton = compile({
    anyOf: [operation('add'), operation('multiply'), operation('divide'), { type: 'integer' }],
  })
  let at = automaton.start
  for (let level = 0; level < 40; level++) {
    at = automaton.read(at, Buffer.from('{"left":'))!
    assert.ok(at.threads.length < 50)
  }
  const names = Array.from({ length: 40 }, (_, level) => ['add', 'divide', 'multiply'][level % 3])
  const rest = names.map((name) => `,"name":"${name}"}`).join('')
  assert.equal(automaton.read(at, Buffer.from(`1${rest}`))?.accepts, true)
  assert.equal(automaton.read(at, Buffer.from(`1${rest}}`)), undefined)
  assert.equal(automaton.read(at, Buffer.from('1,"name":"modulo"')), undefined)
})

test('allOf and references with neighbours hold together', () => {
  assertAccepts(
    {
      $defs: {
        base: { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] },
      },
      allOf: [
        { $ref: '#/$defs/base' },
        { properties: { id: { minimum: 5 }, x: { type: 'null' } }, required: ['x'] },
      ],
    },
    [{ id: 5, x: null }],
    [{ id: 4, x: null }, { id: 5 }],
  )
  assertAccepts(
    {
      type: 'object',
      properties: { a: { const: 1 }, b: { const: 2 } },
      anyOf: [{ required: ['a'] }, { required: ['b'] }],
    },
    [{ a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    [{}],
  )
  assertAccepts({ type: 'number', allOf: [{ type: 'integer' }] }, [1], [1.5])
  assertAccepts(
    {
      allOf: [
        { type: 'array', prefixItems: [{ type: 'integer' }, { type: 'null' }], items: true },
        { prefixItems: [{ minimum: 5 }], items: { enum: [null, 'x'] } },
      ],
    },
    [[5, null, 'x'], [5], []],
    [[4], [5, 'x'], [5, null, 1], ['x']],
  )
  assertAccepts(
    { type: 'array', prefixItems: [true], allOf: [{ items: { const: 1 } }] },
    [[1, 1]],
    [[2]],
  )
})

test('a property may be named like something that all objects have', () => {
  const named = {
    type: 'object',
    properties: { constructor: { const: 1 } },
    required: ['toString'],
  }
  assertAccepts({ allOf: [named, { type: 'object' }] }, ['{"constructor":1,"toString":2}'], ['{}'])
  assertRefused({ oneOf: [named, { ...named, properties: {} }] }, '/oneOf/1', /anyOf/)
})

test('definitions that each take the next one twice are no work twice', () => {
  const twice = (from: number) => ({
    allOf: [{ $ref: `#/$defs/${from}` }, { $ref: `#/$defs/${from}` }],
  })
  const $defs: Record<string, Schema> = { 40: { type: 'integer', minimum: 5 } }
  for (let index = 0; index < 40; index++) $defs[index] = twice(index + 1)
  assertAccepts({ $defs, $ref: '#/$defs/0' }, ['5'], ['4'])
  const many = Array.from({ length: 256 }, (_, at) => ({
    properties: { [`a${at}`]: {}, [`b${at}`]: {}, [`c${at}`]: {}, [`d${at}`]: {} },
  }))
  assertRefused({ allOf: many }, '', /combines too many schemas/)
})

test('oneOf is taken where its branches exclude each other', () => {
  const shape = (kind: string, size: Schema) => ({
    type: 'object',
    properties: { kind: { const: kind }, size },
    required: ['kind', 'size'],
  })
  assertAccepts(
    {
      oneOf: [
        shape('circle', { type: 'number' }),
        shape('label', { type: 'string' }),
        { type: 'null' },
      ],
    },
    [{ kind: 'circle', size: 1.5 }, { kind: 'label', size: 'x' }, 'null'],
    [{ kind: 'label', size: 1 }],
  )
  assertRefused({ oneOf: [{ type: 'integer' }, { type: 'number' }] }, '/oneOf/1', /anyOf/)
})

test('numbers keep to their bounds, digit by digit', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -3000, max: 3000 }),
      fc.nat(4000),
      fc.boolean(),
      fc.boolean(),
      (low, span, below, above) => {
        const schema = {
          type: 'integer',
          [below ? 'exclusiveMinimum' : 'minimum']: low,
          [above ? 'exclusiveMaximum' : 'maximum']: low + span + 2,
        }
        const automaton = compile(schema)
        const [first, last] = [low + Number(below), low + span + 2 - Number(above)]
        for (const value of [first, last, Math.trunc((first + last) / 2)])
          assert.ok(accepts(automaton, String(value)), `${value} under ${JSON.stringify(schema)}`)
        for (const value of [first - 1, last + 1, first * 10 - 1000, last * 10 + 1000])
          if (value < first || value > last)
            assert.ok(!accepts(automaton, String(value)), `${value}`)
      },
    ),
    { numRuns: 200 },
  )
  assertAccepts(
    { type: 'number', minimum: 0, maximum: 1 },
    ['0', '1', '0.5', '0.000001'],
    ['1.1', '-0.5', '1.0001', '00.5'],
  )
  assertAccepts(
    { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
    ['0.5', '0.01'],
    ['0', '1', '0.0', '0.00'],
  )
  assertAccepts(
    { type: 'number', minimum: -1, maximum: -0.5 },
    ['-0.5', '-0.7', '-1.0'],
    ['-0.4', '0.6', '-1.1'],
  )
  assertAccepts({ type: 'number', minimum: 2 }, ['2', '2.5', '1234567.5'], ['1.9', '-3'])
})

test('bounds with decimals let numbers have fewer and more of them', () => {
  assertAccepts(
    { type: 'number', minimum: 0.3, maximum: 12.125 },
    ['0.3', '0.30', '0.3001', '1', '3', '3.0', '7.25', '12', '12.1', '12.125', '12.1249999'],
    ['0', '0.2', '0.29', '0.299', '12.126', '12.1250001', '12.2', '13', '-1', '1.', '01'],
  )
  assertAccepts(
    { type: 'number', exclusiveMinimum: -0.5, exclusiveMaximum: 0.25 },
    ['-0.4', '-0.49', '-0.4999', '-0.01', '0', '0.2', '0.24', '0.2499'],
    ['-0.5', '-0.50', '-0.51', '-1', '0.25', '0.250', '0.3', '1'],
  )
  assertAccepts(
    { type: 'number', minimum: 0.5 },
    ['0.5', '1', '937125', '14.78'],
    ['0.4', '0', '-1'],
  )
})

test('bounds beyond the numbers that are written leave none that breaks them', () => {
  for (const type of ['integer', 'number']) {
    assertAccepts({ type, minimum: -1e20, maximum: 1e20 }, ['999999999999999', '-1'], [])
    for (const bounds of [{ minimum: 1e20 }, { exclusiveMaximum: -1e20 }])
      assertRefused({ type, ...bounds }, '', /is met by no text/)
  }
  const fine = { type: 'number', minimum: 1e10, maximum: 10_000_000_000.000002 }
  assertRefused(fine, '', /is met by no text/)
})

test('strings keep to pattern, length and format, in code points and with escapes', () => {
  assertAccepts(
    { type: 'string', minLength: 2, maxLength: 3 },
    ['"ab"', '"a\u{1f600}c"', '"\\n\\u00e9"'],
    ['"a"', '"abcd"'],
  )
  assertAccepts({ type: 'string', pattern: '^a|b$' }, ['"axx"', '"xxb"', '"a"'], ['"xa"', '"bx"'])
  assertAccepts({ type: 'string', pattern: '"' }, ['"\\""', '"x\\"y"'], ['"""', '"x"'])
  assertAccepts(
    { type: 'string', format: 'date-time' },
    ['"2026-02-28T23:59:59Z"'],
    ['"2026-02-30T23:59:59Z"', '"2026-13-01T00:00:00Z"'],
  )
  assertAccepts({ type: 'string', format: 'color' }, ['"anything"'], ['1'])
})

for (const [schema, pointer] of [
  [{ type: 'object', properties: { a: { not: {} } } }, '/properties/a/not'],
  [{ type: 'object', patternProperties: {} }, '/patternProperties'],
  [{ type: 'array', uniqueItems: true }, '/uniqueItems'],
  [{ type: 'string', minLength: 3, maxLength: 2 }, ''],
  [{ type: 'string', pattern: '(?=a)' }, '/pattern'],
  [{ type: 'string', pattern: '(' }, '/pattern'],
  [{ type: 'string', pattern: 'a', maxLength: 3 }, '/maxLength'],
  [{ type: 'string', format: 'ipv6' }, '/format'],
  [{ type: 'number', multipleOf: 0.1 }, '/multipleOf'],
  [{ type: 'text' }, '/type'],
  [{ properties: { a: 5 } }, '/properties/a'],
  [{ $ref: '#/$defs/none' }, '/$ref'],
  [{ $ref: 'https://example.com/schema' }, '/$ref'],
  [{ $ref: '#/$defs/50%' }, '/$ref'],
  [{ anyOf: [{ $ref: '#' }, { $ref: '#' }] }, ''],
  [{ type: 'object', properties: { a: false }, required: ['a'] }, ''],
  [{ type: 'array', items: { $ref: '#' }, minItems: 1 }, ''],
  [{ type: 'string', maxLength: 10_000_000 }, ''],
] as const)
  test(`${JSON.stringify(schema)} is refused by name`, () =>
    assertRefused(schema as Schema, pointer))
