import assert from 'node:assert/strict'
import test from 'node:test'
import {
  difference,
  newcombeInterval,
  pooledTest,
  relativeLift,
  waldInterval,
  welchTest,
  wilsonInterval,
  zTest,
} from '../../src/experiments/analysis.ts'
import { cuped, estimateOf, proportion } from '../../src/experiments/estimate.ts'
import { nonInferiority, slackOf } from '../../src/experiments/guardrail.ts'
import { benjaminiHochberg, eBenjaminiHochberg, holm } from '../../src/experiments/multiplicity.ts'
import { quantileRanks, readQuantile, sketchOf } from '../../src/experiments/quantile.ts'
import { addUnit, collect, mergeSums, subtractSums, successes } from '../../src/core/sums.ts'
import { close } from './close.ts'

const control = proportion(420, 1000)
const treatment = proportion(468, 1000)

test('the difference of two proportions has the published errors, tests and intervals', () => {
  const change = difference(control, treatment)
  close(change.value, 0.048)
  const unpooled = zTest(change)
  close(unpooled.standardError, 0.022_194_053_3)
  close(unpooled.statistic, 2.162_741_498_5)
  close(unpooled.p, 0.030_561_067_4)
  const pooled = pooledTest(control, treatment)
  close(pooled.standardError, 0.022_219_991)
  close(pooled.statistic, 2.160_216_896_7)
  close(pooled.p, 0.030_755_882_7)
  close(waldInterval(change, 0.05), [0.004_500_454_9, 0.091_499_545_1])
  close(newcombeInterval(control, treatment, 0.05), [0.004_453_219_2, 0.091_290_316_7])
})

test('Newcombe’s own example is reproduced', () => {
  const interval = newcombeInterval(proportion(48, 80), proportion(56, 70), 0.05)
  close(interval, [0.0524, 0.3339], 5e-5)
})

test('the relative lift carries the error of both arms', () => {
  const lift = relativeLift(control, treatment)
  close(lift.value, 0.114_285_714_3)
  close(Math.sqrt(lift.variance), 0.055_911_216_6)
  close(waldInterval(lift, 0.05), [0.004_701_743_4, 0.223_869_685_1])
})

test('Wilson’s interval holds in the middle, near the end and at it', () => {
  close(wilsonInterval(420, 1000, 0.05), [0.389_772_682_2, 0.450_839_599_2])
  close(wilsonInterval(8, 10, 0.05), [0.490_162_471_5, 0.943_317_848_6])
  close(wilsonInterval(0, 10, 0.05), [0, 0.277_532_799_9])
})

test('Welch’s test has its fractional degrees of freedom', () => {
  const first = { value: 3.2, variance: 1.1 ** 2 / 200, units: 200 }
  const second = { value: 3.5, variance: 1.3 ** 2 / 180, units: 180 }
  const { standardError, statistic, df, p, interval } = welchTest(first, second, 0.05)
  close(standardError, 0.124_253_325_5)
  close(statistic, 2.414_422_301_2)
  close(df, 352.395_463_474_1)
  close(p, 0.016_269_066_3)
  close(interval, [0.055_628_671_8, 0.544_371_328_2])
})

const units = (totals: readonly number[], bases?: readonly number[]) =>
  collect(totals.map((total, index) => ({ total, base: bases?.[index] ?? 1 })))

test('a ratio of geometric means comes from the logarithms', () => {
  const a = estimateOf(units([1.2, 0.8, 1.5, 2, 1.1].map(Math.log)))
  const b = estimateOf(units([1, 0.7, 1.4, 1.6, 0.9].map(Math.log)))
  const logs = difference(a, b)
  close(Math.exp(logs.value), 0.850_669_141_8)
  close(waldInterval(logs, 0.05).map(Math.exp), [0.558_756_9, 1.295_085_6], 5e-8)
})

test('a ratio of two metrics and a mean over clusters are the same estimate', () => {
  const ratio = estimateOf(units([2, 3, 1, 4, 2], [1, 2, 1, 2, 1]))
  close(ratio.value, 1.714_285_714_3)
  close(Math.sqrt(ratio.variance), 0.173_769_248_6)
  const clusters = estimateOf(units([2, 0, 3, 0, 2], [3, 2, 4, 1, 2]))
  close(clusters.value, 0.583_333_3, 5e-8)
  close(Math.sqrt(clusters.variance), 0.158_737_9, 5e-8)
  close(Math.sqrt(proportion(7, 12).variance), 0.142_318_8, 5e-8)
})

const CUPED_ARMS = [
  collect(
    [12, 15, 9, 14, 10, 16].map((total, i) => ({
      total,
      base: 1,
      covariate: [10, 13, 8, 12, 9, 14][i]!,
    })),
  ),
  collect(
    [14, 17, 11, 15, 13, 18].map((total, i) => ({
      total,
      base: 1,
      covariate: [11, 14, 9, 12, 11, 15][i]!,
    })),
  ),
] as const

test('CUPED takes the covariate out, with the slope of all data or of the arms', () => {
  const raw = difference(estimateOf(CUPED_ARMS[0]), estimateOf(CUPED_ARMS[1]))
  close(raw.value, 2)
  close(Math.sqrt(raw.variance), 1.556_349_004)
  for (const [pooling, slope, value, error] of [
    ['all', 1.218_181_818_2, 0.781_818_181_8, 0.201_226_724_6],
    ['within', 1.173_076_923_1, 0.826_923_076_9, 0.192_264_952_5],
  ] as const) {
    const adjusted = cuped(CUPED_ARMS, pooling)
    const change = difference(adjusted.arms[0]!, adjusted.arms[1]!)
    close(adjusted.slope, slope)
    close(change.value, value)
    close(Math.sqrt(change.variance), error)
  }
})

test('CUPED leaves estimates alone when the covariate tells nothing', () => {
  const arms = [units([1, 2, 4]), units([2, 3, 5])]
  const adjusted = cuped(arms)
  assert.equal(adjusted.slope, 0)
  close(adjusted.arms[1]!.variance, estimateOf(arms[1]!).variance)
})

test('sums merge in any order and forget what a unit was before', () => {
  const whole = units([1, 2, 3, 4], [1, 2, 1, 3])
  const parts = mergeSums(units([4, 2], [3, 2]), units([3, 1], [1, 1]))
  assert.deepEqual(parts, whole)
  const changed = addUnit(subtractSums(units([1, 9], [1, 5]), units([9], [5])), {
    total: 2,
    base: 2,
  })
  assert.deepEqual(changed, units([1, 2], [1, 2]))
  assert.deepEqual(successes(2, 3), units([1, 0, 1]))
})

test('the interval of a quantile has the ranks and the coverage of the binomial distribution', () => {
  const { low, high, coverage } = quantileRanks(1000, 0.95, 0.05)
  assert.deepEqual([low, high], [936, 964])
  close(coverage, 0.958_095_268_2)
})

test('a sketch gives quantiles within one per cent', () => {
  const values = Array.from({ length: 1000 }, (_, index) => (index + 1) * 0.01)
  const { value, interval, count } = readQuantile(sketchOf(values), 0.95, 0.05)
  assert.equal(count, 1000)
  close([value / 9.5, interval[0] / 9.36, interval[1] / 9.64], [1, 1, 1], 0.01)
  assert.equal(readQuantile(sketchOf([0, 0, 5]), 0.5, 0.05).value, 0)
  assert.ok(Number.isNaN(readQuantile(sketchOf([]), 0.5, 0.05).value))
})

test('non-inferiority compares with the margin, not with zero', () => {
  const zero = { value: 0, variance: 0, units: 1 }
  const arm = { value: -0.01, variance: 0.02 ** 2, units: 1 }
  const tolerance = { direction: 'up', margin: 0.05, relative: false } as const
  const { z, p, bound, passes } = nonInferiority(slackOf(zero, arm, tolerance), {
    margin: 0.05,
    alpha: 0.05,
  })
  close(z, 2)
  close(p, 0.022_750_131_9)
  close(bound, -0.042_897_072_5)
  assert.equal(passes, true)
})

test('a relative margin is a share of the control and carries its error', () => {
  const latency = { value: 2, variance: 0.01, units: 100 }
  const slower = { value: 2.1, variance: 0.04, units: 100 }
  const slack = slackOf(latency, slower, { direction: 'down', margin: 0.1, relative: true })
  close(slack.value, 0.1)
  close(slack.variance, 0.04 + 1.21 * 0.01)
})

test('a relative margin is tolerated in the bad direction below zero too', () => {
  const control = { value: -10, variance: 0.01, units: 100 }
  const slack = (value: number, direction: 'up' | 'down') =>
    slackOf(control, { ...control, value }, { direction, margin: 0.1, relative: true })
  close([slack(-10, 'up').value, slack(-10.5, 'up').value, slack(-12, 'up').value], [1, 0.5, -1])
  close(
    [slack(-10, 'down').value, slack(-9.5, 'down').value, slack(-8, 'down').value],
    [1, 0.5, -1],
  )
  close(slack(-10, 'up').variance, 0.01 + 1.21 * 0.01)
})

test('corrections for several tests reproduce the example of Benjamini and Hochberg', () => {
  const ps = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719,
    0.6528, 0.759, 1,
  ]
  const rejected = (adjusted: readonly number[]): number => adjusted.filter((p) => p <= 0.05).length
  assert.equal(rejected(benjaminiHochberg(ps)), 4)
  close(benjaminiHochberg(ps).slice(0, 5), [0.0015, 0.003, 0.0095, 0.035625, 0.0603])
  close(holm(ps).slice(0, 5), [0.0015, 0.0056, 0.0247, 0.114, 0.2211])
  const shuffled = holm([0.0095, 0.0001, 0.0004, ...ps.slice(4), 0.0019])
  close(shuffled.slice(0, 3), [0.114, 0.0015, 0.0056])
})

test('e-BH rejects the two largest of five e-values', () => {
  assert.deepEqual(eBenjaminiHochberg([3, 120, 0.5, 60, 12], 0.05), [
    false,
    true,
    false,
    true,
    false,
  ])
  assert.deepEqual(eBenjaminiHochberg([1, 2], 0.05), [false, false])
})
