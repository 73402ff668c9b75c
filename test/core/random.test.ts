import test from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createRandom, hashToUnit } from '../../src/core/random.ts'

test('hashToUnit agrees with the values worked out elsewhere', () => {
  const oracles = { user_1: 0.85808965, user_2: 0.7558710361, user_3: 0.7167773035 }
  for (const [unit, expected] of Object.entries(oracles)) {
    assert.ok(Math.abs(hashToUnit(`exp_1:salt:${unit}`) - expected) < 1e-9, unit)
  }
})

test('hashToUnit stays below 1 and spreads keys evenly', () => {
  const values = Array.from({ length: 4000 }, (_, index) => hashToUnit(`key ${index}`))
  assert.ok(values.every((value) => value >= 0 && value < 1))
  for (const quarter of [0, 1, 2, 3]) {
    const count = values.filter((value) => Math.floor(value * 4) === quarter).length
    assert.ok(Math.abs(count - 1000) < 120, `quarter ${quarter} holds ${count}`)
  }
})

test('the same seed gives the same numbers, another seed gives others', () => {
  const draw = (seed: number): number[] => {
    const random = createRandom(seed)
    return Array.from({ length: 8 }, () => random.next())
  }
  assert.deepEqual(draw(7), draw(7))
  assert.notDeepEqual(draw(7), draw(8))
})

test('every draw keeps its range', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 1000 }), (seed, bound) => {
      const random = createRandom(seed)
      for (let draw = 0; draw < 20; draw++) {
        const [unit, integer, next] = [random.next(), random.integer(bound), random.seed()]
        assert.ok(unit >= 0 && unit < 1)
        assert.ok(Number.isInteger(integer) && integer >= 0 && integer < bound)
        assert.ok(Number.isInteger(next) && next >= 0 && next < 2 ** 31)
      }
    }),
  )
})

test('a shuffle keeps every item and leaves its argument as it is', () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.integer()), (seed, items) => {
      const before = [...items]
      const shuffled = createRandom(seed).shuffle(items)
      assert.deepEqual(items, before)
      const sorted = (values: readonly number[]) => values.toSorted((left, right) => left - right)
      assert.deepEqual(sorted(shuffled), sorted(items))
    }),
  )
})

test('a shuffle reaches every order about equally often', () => {
  const random = createRandom(1)
  const counts = new Map<string, number>()
  for (let round = 0; round < 6000; round++) {
    const order = random.shuffle(['a', 'b', 'c']).join('')
    counts.set(order, (counts.get(order) ?? 0) + 1)
  }
  assert.equal(counts.size, 6)
  for (const [order, count] of counts) assert.ok(Math.abs(count - 1000) < 150, `${order}: ${count}`)
})
