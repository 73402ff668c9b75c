import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import Schema from 'typebox/schema'
import { checkJsonSchema, schemaErrors } from '../../src/core/json-schema.ts'
import { linearPattern, PatternRefused } from '../../src/core/linear-pattern.ts'

const accepts = (schema: object, value: unknown): boolean =>
  schemaErrors(schema as Record<string, unknown>, value).length === 0
const refusal = (schema: object): string => {
  try {
    checkJsonSchema(schema as Record<string, unknown>, '/s')
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

test('a pattern that would keep a backtracking engine for ever is matched at once', () => {
  const evil = `${'a'.repeat(60)}!`
  for (const pattern of ['^(a+)+$', '^(a|a)*$', '^(a|aa)+$', '^(.*a){20}$']) {
    assert.equal(accepts({ pattern }, evil), false)
    assert.equal(accepts({ patternProperties: { [pattern]: false } }, { [evil]: 1 }), true)
  }
  assert.equal(accepts({ pattern: '^(a+)+$' }, 'a'.repeat(60)), true)
})

test('a schema that asks for more steps than there is time is given up', () => {
  const doubled = Object.fromEntries(
    Array.from({ length: 60 }, (_, at) => {
      const next = { $ref: `#/$defs/d${at + 1}` }
      return [`d${at}`, at === 59 ? { type: 'integer' } : { allOf: [next, next] }]
    }),
  )
  const schema = { $ref: '#/$defs/d0', $defs: doubled }
  assert.match(schemaErrors(schema, 1)[0]?.message ?? '', /100000 steps/)
  assert.match(refusal(schema), /^\/s: .*too many steps/)
  const tree = { type: 'array', anyOf: [{ items: { $ref: '#' } }, { items: { $ref: '#' } }] }
  const deep = JSON.parse(`${'['.repeat(50)}1${']'.repeat(50)}`) as unknown
  assert.equal(refusal(tree), '')
  assert.match(schemaErrors(tree, deep)[0]?.message ?? '', /steps/)
  const huge = { pattern: '(?:[a-z]{1,60}){60}$' }
  assert.match(schemaErrors(huge, 'a'.repeat(100_000))[0]?.message ?? '', /steps/)
})

const KEYWORDS: readonly [object, readonly unknown[], readonly unknown[]][] = [
  [{ type: ['integer', 'null'] }, [1, null, 2.0], ['1', 1.5, {}]],
  [{ enum: [1, { a: [2] }] }, [1, { a: [2] }], [2, { a: [3] }, '1']],
  [{ const: { a: 1, b: 2 } }, [{ b: 2, a: 1 }], [{ a: 1 }, null]],
  [{ minimum: 1, exclusiveMaximum: 3 }, [1, 2.9, 'x'], [0.9, 3]],
  [{ exclusiveMinimum: 1, maximum: 3 }, [1.1, 3], [1, 3.1]],
  [{ multipleOf: 0.1 }, [0.3, 1.2, -7], [0.25]],
  [{ minLength: 2, maxLength: 3 }, ['ab', '😀😀😀'], ['😀', 'abcd']],
  [{ pattern: 'b' }, ['abc', 1], ['ac']],
  [{ format: 'email' }, ['a@b.co', 'x@y.org'], ['a@', 'words']],
  [{ format: 'unknown-to-all' }, ['anything'], []],
  [{ minItems: 1, maxItems: 2 }, [[1], [1, 2]], [[], [1, 2, 3]]],
  [
    { uniqueItems: true },
    [[1, '1', { a: 1 }]],
    [
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
    ],
  ],
  [{ minProperties: 1, maxProperties: 1 }, [{ a: 1 }], [{}, { a: 1, b: 2 }]],
  [{ required: ['a', '__proto__'] }, [JSON.parse('{"a":1,"__proto__":1}')], [{ a: 1 }]],
  [{ properties: { a: { type: 'string' } } }, [{ a: 'x' }, { b: 1 }, 7], [{ a: 1 }]],
  [{ properties: { a: true }, additionalProperties: false }, [{ a: 1 }], [{ b: 1 }]],
  [{ patternProperties: { '^x': { type: 'null' } } }, [{ x1: null, y: 1 }], [{ x1: 1 }]],
  [{ patternProperties: { '^x': true }, additionalProperties: false }, [{ x: 1 }], [{ y: 1 }]],
  [{ propertyNames: { maxLength: 2 } }, [{ ab: 1 }], [{ abc: 1 }]],
  [{ dependentRequired: { a: ['b'] } }, [{ a: 1, b: 1 }, { c: 1 }], [{ a: 1 }]],
  [{ dependentSchemas: { a: { minProperties: 2 } } }, [{ a: 1, b: 2 }], [{ a: 1 }]],
  [{ dependencies: { a: ['b'], c: { minProperties: 2 } } }, [{ b: 1 }], [{ a: 1 }, { c: 1 }]],
  [{ items: { type: 'integer' } }, [[], [1, 2]], [[1, 'x']]],
  [{ prefixItems: [{ const: 1 }], items: { const: 2 } }, [[1, 2, 2], [1]], [[2], [1, 3]]],
  [{ items: [{ const: 1 }], additionalItems: false }, [[1], []], [[1, 1], [2]]],
  [{ contains: { const: 1 }, maxContains: 2 }, [[1], [0, 1, 1]], [[], [1, 1, 1]]],
  [{ contains: { const: 1 }, minContains: 0 }, [[]], []],
  [{ allOf: [{ minimum: 1 }, { maximum: 2 }] }, [1.5], [0, 3]],
  [{ anyOf: [{ type: 'string' }, { minimum: 3 }] }, ['x', 3], [1]],
  [{ oneOf: [{ multipleOf: 2 }, { multipleOf: 3 }] }, [2, 3], [6, 7]],
  [{ not: { type: 'string' } }, [1], ['x']],
  [{ if: { minimum: 5 }, then: { multipleOf: 5 }, else: { const: 1 } }, [5, 10, 1], [6, 2]],
  [{ $ref: '#/$defs/a~1b', $defs: { 'a/b': { const: 1 } } }, [1], [2]],
  [{ $ref: '#up', definitions: { x: { $anchor: 'up', const: 1 } } }, [1], [2]],
  [{ $ref: 'urn:x#/$defs/y', $id: 'urn:x', $defs: { y: { const: 1 } } }, [1], [2]],
  [{ allOf: [{ properties: { a: true } }], unevaluatedProperties: false }, [{ a: 1 }], [{ b: 1 }]],
  [{ prefixItems: [true], contains: { const: 3 }, unevaluatedItems: false }, [[1, 3]], [[1, 2, 3]]],
  [{ properties: { pattern: { const: '(' } } }, [{ pattern: '(' }], [{ pattern: 'x' }]],
  [{ const: { $ref: 'nowhere', pattern: '(' } }, [{ $ref: 'nowhere', pattern: '(' }], [1]],
]

for (const [schema, good, bad] of KEYWORDS) {
  test(`what fits ${JSON.stringify(schema)} is told from what does not`, () => {
    assert.equal(refusal(schema), '')
    for (const value of good) assert.equal(accepts(schema, value), true, JSON.stringify(value))
    for (const value of bad) assert.equal(accepts(schema, value), false, JSON.stringify(value))
  })
}

test('what is wrong is told where it is', () => {
  const schema = {
    properties: { list: { items: { required: ['a/b'], properties: { n: { type: 'integer' } } } } },
  }
  assert.deepEqual(schemaErrors(schema, { list: [{ 'a/b': 1 }, { n: 'x' }] }), [
    { pointer: '/list/1/a~1b', message: 'is required' },
    { pointer: '/list/1/n', message: 'must be integer' },
  ])
})

test('what no schema can mean is refused', () => {
  assert.match(refusal({ properties: { a: { $ref: '#/nothing' } } }), /refers to "#\/nothing"/)
  assert.match(refusal({ $ref: 'https://example.org/schema' }), /refers to/)
  assert.match(refusal({ pattern: '(?=a)b' }), /looks ahead/)
  assert.match(refusal({ patternProperties: { '(a)\\1': true } }), /back-reference/)
  assert.match(refusal({ items: { pattern: 'a{1001}' } }), /more than 1000 times/)
  assert.match(refusal({ pattern: '(?:a{500}){500}' }), /states/)
  assert.match(refusal({ pattern: 'x'.repeat(2001) }), /longer than 2000/)
  assert.match(refusal({ pattern: String.raw`\p{Letter}` }), /not supported/)
  assert.match(refusal({ pattern: '[b-a]' }), /not a regular expression/)
})

const schemas = fc.letrec<{ node: object }>((tie) => {
  const inner = tie('node')
  const few = fc.array(inner, { minLength: 1, maxLength: 2 })
  const named = fc.dictionary(fc.constantFrom('a', 'b'), inner, { maxKeys: 2 })
  return {
    node: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.record({ type: fc.constantFrom('integer', 'string', 'array', 'object', 'null') }),
      fc.record({ enum: fc.array(fc.constantFrom(0, 1, 'a', null), { minLength: 1 }) }),
      fc.record({ minimum: fc.integer({ min: -1, max: 2 }) }),
      fc.record({ minLength: fc.nat(2), pattern: fc.constantFrom('^a', 'b$', 'a|b') }),
      fc.record({ properties: named, required: fc.subarray(['a', 'b']) }),
      fc.record({ properties: named, additionalProperties: fc.oneof(fc.boolean(), inner) }),
      fc.record({ items: inner, maxItems: fc.nat(3), uniqueItems: fc.boolean() }),
      fc.record({ prefixItems: few }),
      fc.record({ contains: inner }),
      fc.record({ anyOf: few, not: inner }),
      fc.record({ oneOf: few }),
      fc.record({ allOf: few }),
      fc.record({ patternProperties: fc.record({ '^a$': inner }), additionalProperties: inner }),
      fc.record({ if: inner, then: inner, else: inner }),
    ),
  }
}).node
const values = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
const shapes = fc.oneof(
  values,
  fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(values, fc.constantFrom(0, 1, 'a'))),
  fc.array(fc.constantFrom<unknown>(0, 1, 'a', 'ab', null, { a: 1 }), { maxLength: 4 }),
  fc.constantFrom<unknown>(0, 1, 'a', 'ab', null),
)

test('any schema and value are judged as another implementation judges them', () => {
  const judge = fc.property(schemas, shapes, (schema, value) => {
    assert.equal(accepts(schema, value), Schema.Check(schema, value))
  })
  fc.assert(judge, { numRuns: 1000 })
})

const PIECES = ['a', 'b', '.', '[ab]', '[^a]', String.raw`\d`, String.raw`\w`, String.raw`\s`]
const CLASSES = [
  String.raw`[\s\S]`,
  String.raw`[\D]`,
  '[^]',
  '[]',
  String.raw`\b`,
  String.raw`\p{L}`,
]
const patterns = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(...PIECES, ...CLASSES, '^', '$', String.raw`\u{1F600}`, String.raw`\x41`),
    fc.array(tie('expression'), { maxLength: 3 }).map((parts) => parts.join('')),
    fc
      .tuple(
        tie('expression'),
        fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{2,}', '*?', '{0,40}'),
      )
      .map(([inner, times]) => `(?:${inner})${times}`),
    fc.tuple(tie('expression'), tie('expression')).map((both) => `(${both.join('|')})`),
  ),
})).expression
const texts = fc.string({
  unit: fc.constantFrom('a', 'b', '1', ' ', '\n', '\u00a0', 'é', '😀', '_', 'A'),
  maxLength: 6,
})

test('any pattern matches what it matches in ECMAScript', () => {
  const judge = fc.property(patterns, texts, (source, text) => {
    try {
      assert.equal(linearPattern(source).test(text), new RegExp(source, 'u').test(text))
    } catch (error) {
      fc.pre(!(error instanceof PatternRefused && /states/.test(error.message)))
      throw error
    }
  })
  fc.assert(judge, { numRuns: 1000 })
})
