import test from 'node:test'
import assert from 'node:assert/strict'
import {
  bootstrap,
  clusteredWilson,
  newcombePaired,
  quantile,
  wilson,
  type Interval,
} from '../../src/evaluation/statistics/interval.ts'
import { mcnemarExact } from '../../src/evaluation/statistics/paired-test.ts'
import { areaUnderCurve, countPairs } from '../../src/evaluation/statistics/ranking.ts'
import { balanceScore, passAtK } from '../../src/evaluation/statistics/sampling-curves.ts'
import { relativeScore, selfCorrection } from '../../src/evaluation/statistics/self-correction.ts'
import { paretoFront } from '../../src/evaluation/statistics/pareto.ts'
import { anytimeCurve, areaUnderSteps, thinned } from '../../src/evaluation/statistics/anytime.ts'

const near = (actual: number | null, expected: number, digits = 1e-9): void =>
  assert.ok(
    actual !== null && Math.abs(actual - expected) <= digits,
    `${actual} is not ${expected} within ${digits}`,
  )

const nearInterval = (actual: Interval, low: number, high: number, digits?: number): void => {
  near(actual.low, low, digits)
  near(actual.high, high, digits)
}

test('the Wilson interval has the published values', () => {
  nearInterval(wilson(420, 1000), 0.3897726822, 0.4508395992)
  nearInterval(wilson(8, 10), 0.4901624715, 0.9433178486)
  nearInterval(wilson(0, 10), 0, 0.2775327999)
  nearInterval(wilson(10, 10), 1 - 0.2775327999, 1)
  nearInterval(wilson(81, 263), 0.2553, 0.3662, 5e-5) // Newcombe 1998, Table I
  nearInterval(wilson(1, 29), 0.0061, 0.1718, 5e-5)
  assert.deepEqual(wilson(0, 0), { low: 0, high: 1 })
})

test('runs that repeat an item exactly count once, and independent ones count all', () => {
  const copied = Array.from({ length: 10 }, (_, index) => ({ right: index < 8 ? 5 : 0, runs: 5 }))
  const { low, high } = clusteredWilson(copied)
  nearInterval({ low, high }, 0.4901624715, 0.9433178486)
  const even = Array.from({ length: 10 }, () => ({ right: 4, runs: 5 }))
  assert.deepEqual(clusteredWilson(even), wilson(40, 50))
  const mixed = [5, 3, 4, 4, 5, 3, 2, 5, 4, 5].map((right) => ({ right, runs: 5 }))
  nearInterval(clusteredWilson(mixed), wilson(28.8, 36).low, wilson(28.8, 36).high) // variance 1/225, .16 × 225 = 36
  const sure = Array.from({ length: 10 }, () => ({ right: 5, runs: 5 }))
  assert.deepEqual(clusteredWilson(sure), wilson(10, 10))
})

test('one run an item gives the plain interval', () => {
  const clusters = Array.from({ length: 10 }, (_, index) => ({ right: Number(index < 8), runs: 1 }))
  nearInterval(clusteredWilson(clusters), 0.4901624715, 0.9433178486)
})

test('the paired interval is the one published for the airway data', () => {
  // Fagerland, Lydersen & Laake 2014, Statistics in Medicine 33, 2850–2875: −0.286 (−0.507, −0.026)
  nearInterval(
    newcombePaired({ both: 1, firstOnly: 1, secondOnly: 7, neither: 12 }),
    -0.507,
    -0.026,
    5e-4,
  )
})

test('pairs that agree narrow the paired interval', () => {
  const together = newcombePaired({ both: 50, firstOnly: 5, secondOnly: 0, neither: 45 })
  const apart = newcombePaired({ both: 27, firstOnly: 28, secondOnly: 23, neither: 22 })
  near((together.low + together.high) / 2, 0.05, 0.01)
  assert.ok(together.low > 0 && apart.low < 0)
  assert.deepEqual(newcombePaired({ both: 0, firstOnly: 0, secondOnly: 0, neither: 0 }), {
    low: -1,
    high: 1,
  })
})

test('the exact test of McNemar has the binomial values', () => {
  near(mcnemarExact(1, 7), 18 / 256)
  near(mcnemarExact(7, 1), 18 / 256)
  assert.equal(mcnemarExact(5, 5), 1)
  assert.equal(mcnemarExact(0, 0), 1)
  near(mcnemarExact(0, 10), 2 / 1024)
  near(mcnemarExact(500, 600), 0.0028195449914364) // large counts do not underflow
})

test('the bootstrap repeats itself and narrows to the mean without spread', () => {
  const items = Array.from({ length: 100 }, (_, index) => ({ sum: (index % 4) - 1, runs: 2 }))
  assert.deepEqual(bootstrap(items, 7), bootstrap(items, 7))
  assert.notDeepEqual(bootstrap(items, 7), bootstrap(items, 8))
  // Standard error of the mean difference per run: sqrt(1.25 / 100) / 2
  nearInterval(bootstrap(items, 7), 0.25 - 1.96 * 0.0559, 0.25 + 1.96 * 0.0559, 0.01)
  // Of five items not 2.5 % are cut off at either end, which would give 0.2 and 0.8, but P(Z > √1.25 · 2.776).
  const few = [0, 1, 2, 3, 4].map((sum) => ({ sum, runs: 4 }))
  nearInterval(bootstrap(few, 7, 20_000), 0.05, 0.95)
  const flat = Array.from({ length: 9 }, () => ({ sum: 1, runs: 2 }))
  assert.deepEqual(bootstrap(flat, 1, 50), { low: 0.5, high: 0.5 })
})

test('quantiles interpolate', () => {
  assert.equal(quantile([1, 2, 3, 4], 0.5), 2.5)
  assert.equal(quantile([1, 2, 3, 4, 5], 0.75), 4)
  assert.equal(quantile([3], 0.9), 3)
})

test('the area under the curve counts ties as half', () => {
  const rated = [
    { score: 0.8, right: true },
    { score: 0.5, right: true },
    { score: 0.5, right: false },
    { score: 0.2, right: false },
  ]
  assert.equal(areaUnderCurve(rated), 3.5 / 4)
  assert.deepEqual(countPairs(rated), { pairs: 4, ordered: 3.5 })
  assert.equal(areaUnderCurve(rated.map(({ right }) => ({ score: 1, right }))), 0.5)
  assert.equal(areaUnderCurve(rated.map(({ score, right }) => ({ score, right: !right }))), 0.5 / 4)
  assert.equal(areaUnderCurve(rated.slice(0, 2)), null)
})

test('pass@k is the chance of a right one among k drawn without replacement', () => {
  near(passAtK(5, 2, 1), 0.4)
  near(passAtK(5, 2, 2), 0.7) // 1 − C(3,2)/C(5,2)
  assert.equal(passAtK(5, 2, 4), 1)
  assert.equal(passAtK(5, 0, 5), 0)
  assert.equal(passAtK(5, 1, 5), 1)
  near(passAtK(200, 10, 100), 1 - 0.00078, 1e-4)
  assert.throws(() => passAtK(3, 1, 4), RangeError)
})

test('the balance score rewards many right ones among few', () => {
  assert.equal(balanceScore(16, 8), 0.5)
  assert.equal(balanceScore(8, 4), 0.25)
  assert.equal(balanceScore(10, 10), 1)
  assert.equal(balanceScore(0, 0), 0)
})

const turns = (kept: number, broken: number, repaired: number, stayed: number) =>
  [
    [kept, true, true],
    [broken, true, false],
    [repaired, false, true],
    [stayed, false, false],
  ].flatMap(([count, first, last], group) =>
    Array.from({ length: count as number }, (_, index) => ({
      item: `${group}-${index}`,
      first: first as boolean,
      last: last as boolean,
    })),
  )

test('self-correction splits a change into what was kept and what was repaired', () => {
  const found = selfCorrection(turns(54, 6, 10, 30))
  near(found.accuracy_first, 0.6)
  near(found.accuracy_last, 0.64)
  near(found.delta, 0.04)
  near(found.wrong_to_right, 0.1)
  near(found.right_to_wrong, 0.06)
  near(found.confidence_level, 0.9)
  near(found.critique_score, 0.25)
  near(found.relative_score, (0.64 - 0.36) / (2 * 0.6 * 0.4))
  assert.deepEqual(found.quadrants, { kept: 54, broken: 6, repaired: 10, stayed_wrong: 30 })
  // Acc2 = Acc1·CL + (1 − Acc1)·CS
  near(0.6 * found.confidence_level! + 0.4 * found.critique_score!, found.accuracy_last)
})

test('the relative score is one half at no change, and 0 and 1 at the ends of its band', () => {
  for (const first of [0.01, 0.3, 0.5, 0.99]) near(relativeScore(first, first), 0.5)
  near(relativeScore(0.3, 0.09), 0)
  near(relativeScore(0.3, 2 * 0.3 - 0.09), 1)
  assert.equal(relativeScore(0, 0), null)
  assert.equal(relativeScore(1, 1), null)
  near(selfCorrection(turns(30, 5, 5, 60)).relative_score, 0.5)
})

test('an item with many runs weighs as much as one with few', () => {
  const found = selfCorrection([
    { item: 'a', first: true, last: false },
    { item: 'b', first: true, last: true },
    { item: 'b', first: true, last: true },
    { item: 'b', first: false, last: true },
  ])
  near(found.confidence_level, 2 / 3 / (1 + 2 / 3))
  near(found.critique_score, 1)
})

test('nothing to correct leaves the rates open', () => {
  const found = selfCorrection(turns(3, 0, 0, 0))
  assert.equal(found.confidence_level, 1)
  assert.equal(found.critique_score, null)
  assert.equal(found.relative_score, null)
})

test('the Pareto front holds what nothing beats, by price', () => {
  const entry = (name: string, price: number, gain: number) => ({ name, price, gain })
  const front = paretoFront([
    entry('dear and best', 9, 0.9),
    entry('dominated', 5, 0.4),
    entry('cheap', 1, 0.5),
    entry('same gain, dearer', 2, 0.5),
    entry('middle', 4, 0.7),
    entry('twin', 4, 0.7),
    entry('same price, worse', 4, 0.6),
  ])
  assert.deepEqual(
    front.map(({ name }) => name),
    ['cheap', 'middle', 'twin', 'dear and best'],
  )
})

test('the anytime curve steps wherever an answer turns right or wrong', () => {
  const curve = anytimeCurve([
    [
      { at: 1, right: false },
      { at: 3, right: true },
    ],
    [
      { at: 1, right: true },
      { at: 2, right: true },
      { at: 4, right: false },
    ],
    [{ at: 3, right: true }],
    [],
  ])
  assert.deepEqual(curve, [
    [1, 0.25],
    [3, 0.75],
    [4, 0.5],
  ])
  near(areaUnderSteps(curve, 10), (0.25 * 2 + 0.75 * 1 + 0.5 * 6) / 10)
  near(areaUnderSteps(curve, 2), 0.25 / 2)
  assert.equal(areaUnderSteps([], 5), 0)
})

test('a thinned curve keeps its ends', () => {
  const curve = Array.from({ length: 100 }, (_, index) => [index, index / 100] as const)
  const few = thinned(curve, 7)
  assert.equal(few.length, 7)
  assert.deepEqual([few[0], few.at(-1)], [curve[0], curve.at(-1)])
})

test('what was kept and repaired adds up: Acc2 = Acc1·CL + (1 − Acc1)·CS, and Δ = Δ i→c − Δ c→i', () => {
  const turns = Array.from({ length: 40 }, (_, at) => ({
    item: String(at),
    first: at % 3 === 0,
    last: at % 5 < 3,
  }))
  const found = selfCorrection(turns)
  const { accuracy_first: first, confidence_level: kept, critique_score: repaired } = found
  const close = (value: number, expected: number): void =>
    assert.ok(Math.abs(value - expected) < 1e-12, `${value}, not ${expected}`)
  close(found.accuracy_last, first * kept! + (1 - first) * repaired!)
  close(found.delta, found.wrong_to_right - found.right_to_wrong)
  close(found.wrong_to_right, (1 - first) * repaired!)
  close(found.right_to_wrong, first * (1 - kept!))
})
