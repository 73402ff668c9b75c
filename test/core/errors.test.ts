import test from 'node:test'
import assert from 'node:assert/strict'
import {
  CATALOG,
  RefineError,
  assertNever,
  describeError,
  invalidField,
  toRefineError,
  type ErrorCode,
} from '../../src/core/errors.ts'

test('every code has a status of an error, a title and a type', () => {
  for (const [code, entry] of Object.entries(CATALOG)) {
    assert.ok(entry.status >= 400 && entry.status < 600, code)
    assert.ok(entry.title.length > 0 && entry.type.length > 0, code)
    const error = new RefineError(code as ErrorCode, 'said')
    assert.equal(error.status, entry.status)
    assert.equal(error.retryable, entry.retryable)
    assert.equal(error.level, entry.level)
  }
})

test('what only time heals may be tried again, what is wrong may not', () => {
  for (const code of ['overloaded', 'rate_limited', 'upstream_unavailable'] as const)
    assert.equal(new RefineError(code, '').retryable, true)
  for (const code of ['invalid_request', 'unknown_model', 'upstream_rejected'] as const)
    assert.equal(new RefineError(code, '').retryable, false)
})

test('an invalid field names its pointer, and its name as a parameter', () => {
  const error = invalidField('/options/n', 'must be at least 1')
  assert.equal(error.code, 'invalid_request')
  assert.equal(error.param, 'options.n')
  assert.deepEqual(error.fields, [{ pointer: '/options/n', message: 'must be at least 1' }])
  assert.match(error.message, /\/options\/n.*must be at least 1/)
})

test('an error of ours passes unchanged; anything else becomes internal and keeps its text to itself', () => {
  const ours = new RefineError('overloaded', 'wait', { retryAfter: 3 })
  assert.equal(toRefineError(ours), ours)
  assert.equal(ours.retryAfter, 3)
  for (const thrown of [new Error('password is hunter2'), 'password is hunter2', undefined]) {
    const wrapped = toRefineError(thrown)
    assert.equal(wrapped.code, 'internal')
    assert.equal(wrapped.cause, thrown)
    assert.doesNotMatch(JSON.stringify(describeError(wrapped)), /hunter2/)
  }
})

test('an unexpected member of a union is shown', () => {
  assert.throws(() => assertNever('odd' as never), /Unexpected value: "odd"/)
})
