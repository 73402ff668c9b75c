import test from 'node:test'
import assert from 'node:assert/strict'
import { Type } from 'typebox'
import { RefineError } from '../../src/core/errors.ts'
import { describeFields, findErrors, validate } from '../../src/core/validation.ts'

const Options = Type.Object(
  {
    n: Type.Optional(Type.Integer({ minimum: 1, maximum: 64, default: 4 })),
    mode: Type.Optional(Type.Enum(['fast', 'careful'])),
    nested: Type.Optional(
      Type.Object({ name: Type.String() }, { additionalProperties: false, default: { name: 'x' } }),
    ),
    either: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  },
  { additionalProperties: false },
)

const fieldsOf = (value: unknown, pointer?: string) => findErrors(Options, value, pointer)

test('a valid value has no errors, and gets the defaults on a copy', () => {
  const value = { mode: 'fast' }
  assert.deepEqual(validate(Options, value), { mode: 'fast', n: 4, nested: { name: 'x' } })
  assert.deepEqual(value, { mode: 'fast' })
})

test('defaults are fresh for every call', () => {
  const first = validate(Options, {})
  first.nested!.name = 'changed'
  assert.equal(validate(Options, {}).nested!.name, 'x')
})

test('types are never coerced', () => {
  assert.deepEqual(
    fieldsOf({ n: '4' }).map(({ pointer }) => pointer),
    ['/n'],
  )
  assert.match(describeFields(fieldsOf({ n: '4' })), /^\/n must be integer$/)
})

test('an unknown field is named where it stands, with its characters escaped', () => {
  assert.deepEqual(fieldsOf({ nested: { name: 'x', 'a/b~c': 1 } }), [
    { pointer: '/nested/a~1b~0c', message: 'is not a known field' },
  ])
})

test('a missing field is named', () => {
  assert.deepEqual(fieldsOf({ nested: {} }, '/options'), [
    { pointer: '/options/nested/name', message: 'is required' },
  ])
})

test('a value outside a list is told the list', () => {
  assert.deepEqual(fieldsOf({ mode: 'odd' }), [
    { pointer: '/mode', message: 'must be one of "fast", "careful"' },
  ])
})

test('a limit is told with its number', () => {
  assert.match(describeFields(fieldsOf({ n: 65 })), /\/n .*64/)
})

test('something is said even of a value that fits no alternative', () => {
  for (const value of [{ either: 3 }, 3, null, []]) {
    const fields = fieldsOf(value)
    assert.ok(fields.length > 0)
    assert.ok(fields.every(({ message }) => message.length > 0))
  }
  assert.match(describeFields([{ pointer: '', message: 'is odd' }]), /^the body is odd$/)
})

test('many unknown fields are still named, and told at most sixteen at a time', () => {
  for (const count of [1, 7, 8, 40]) {
    const keys = Array.from({ length: count }, (_, index) => `key${index}`)
    const fields = fieldsOf(Object.fromEntries(keys.map((key) => [key, 1])))
    assert.ok(fields.length >= Math.min(count, 8) && fields.length <= 16)
    assert.equal(new Set(fields.map(({ pointer }) => pointer)).size, fields.length)
    assert.ok(fields.every(({ message }) => message === 'is not a known field'))
  }
})

test('validate throws an invalid request that names every field below the pointer', () => {
  assert.throws(
    () => validate(Options, { n: 0, mode: 'odd' }, '/options'),
    (thrown) => {
      assert.ok(thrown instanceof RefineError)
      assert.equal(thrown.code, 'invalid_request')
      const pointers = thrown.fields.map(({ pointer }) => pointer)
      assert.deepEqual(pointers.toSorted(), ['/options/mode', '/options/n'])
      assert.match(thrown.message, /\/options\/n/)
      return true
    },
  )
})
