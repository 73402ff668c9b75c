import test from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { percentile, summarise } from '../../loadtest/statistics.ts'

test('percentiles are those of the nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  assert.equal(percentile(hundred, 0.5), 50)
  assert.equal(percentile(hundred, 0.9), 90)
  assert.equal(percentile(hundred, 0.99), 99)
  assert.equal(percentile([15, 20, 35, 40, 50], 0.3), 20)
  assert.equal(percentile([7], 0.99), 7)
  assert.equal(percentile([], 0.5), null)
})

test('a summary sorts by number and leaves its argument as it is', () => {
  const values = [100, 9, 20]
  assert.deepEqual(summarise(values), { count: 3, p50: 20, p90: 100, p99: 100, max: 100 })
  assert.deepEqual(values, [100, 9, 20])
  assert.deepEqual(summarise([]), { count: 0, p50: null, p90: null, p99: null, max: null })
})

test('at least the share of the values does not exceed its percentile, and no smaller value does that', () => {
  const values = fc.array(fc.double({ noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (list, share) => {
      const found = percentile(
        list.toSorted((left, right) => left - right),
        share,
      )!
      assert.ok(list.filter((value) => value <= found).length >= share * list.length)
      assert.ok(list.filter((value) => value < found).length < share * list.length)
    }),
  )
})
