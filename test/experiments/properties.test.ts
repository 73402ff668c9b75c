import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { rangesOf } from '../../src/experiments/assignment.ts'
import { bradleyTerry } from '../../src/experiments/bradley-terry.ts'
import { estimateOf } from '../../src/experiments/estimate.ts'
import { anytime, mixtureRadius } from '../../src/experiments/sequential.ts'
import { collect, mergeSums } from '../../src/core/sums.ts'
import { close } from './close.ts'

const check = (property: fc.IRawProperty<unknown>): void => {
  fc.assert(property as fc.IProperty<unknown>, { seed: 8, numRuns: 200 })
}
const level = fc.double({ min: 0.001, max: 0.2, noNaN: true })

test('the radius of the confidence sequence falls as units come in', () => {
  check(
    fc.property(
      fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
      fc.integer({ min: 2, max: 1_000_000 }),
      fc.integer({ min: 1, max: 100_000 }),
      level,
      (variance, units, more, alpha) => {
        const mixture = variance * 0.001
        const radius = (n: number): number => mixtureRadius(variance / n, mixture, alpha)
        assert.ok(radius(units + more) < radius(units))
      },
    ),
  )
})

test('the always-valid p is at most α exactly when zero lies outside the sequence', () => {
  check(
    fc.property(
      fc.double({ min: -1, max: 1, noNaN: true }),
      fc.double({ min: 1e-6, max: 1, noNaN: true }),
      fc.integer({ min: 2, max: 100_000 }),
      fc.integer({ min: 10, max: 100_000 }),
      level,
      (value, variance, units, tunedFor, alpha) => {
        const { interval, p } = anytime({ value, variance, units }, { tunedFor, alpha })
        fc.pre(Math.abs(p - alpha) > 1e-12)
        assert.equal(p <= alpha, interval[0] > 0 || interval[1] < 0)
      },
    ),
  )
})

test('raising the coverage never moves a unit', () => {
  check(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 10 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (parts, first, second, u) => {
        const total = parts.reduce((sum, part) => sum + part, 0)
        const weights = parts.map((part) => part / total)
        const armAt = (coverage: number): number =>
          rangesOf(weights, coverage).findIndex(([from, to]) => u >= from && u < to)
        const before = armAt(Math.min(first, second))
        if (before >= 0) assert.equal(armAt(Math.max(first, second)), before)
        assert.ok(armAt(1) >= 0)
      },
    ),
  )
})

test('Bradley–Terry does not depend on the scale of the counts', () => {
  check(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 6, maxLength: 6 }),
      fc.integer({ min: 2, max: 9 }),
      (games, scale) => {
        const [a, b, c, d, e, f] = games as [number, number, number, number, number, number]
        const wins = [
          [0, a, b],
          [c, 0, d],
          [e, f, 0],
        ]
        const scaled = wins.map((row) => row.map((count) => count * scale))
        close(bradleyTerry(scaled), bradleyTerry(wins))
      },
    ),
  )
})

test('sums say the same however the units are divided', () => {
  const unit = fc.record({
    total: fc.integer({ min: -100, max: 100 }),
    base: fc.integer({ min: 1, max: 5 }),
  })
  check(
    fc.property(
      fc.array(unit, { minLength: 3, maxLength: 30 }),
      fc.integer({ min: 0, max: 30 }),
      (units, at) => {
        const parts = mergeSums(collect(units.slice(0, at)), collect(units.slice(at)))
        const [merged, whole] = [estimateOf(parts), estimateOf(collect(units))]
        close([merged.value, merged.variance], [whole.value, whole.variance])
      },
    ),
  )
})
