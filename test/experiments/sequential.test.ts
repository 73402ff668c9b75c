import assert from 'node:assert/strict'
import test from 'node:test'
import { difference, relativeLift } from '../../src/experiments/analysis.ts'
import { proportion, type Estimate } from '../../src/experiments/estimate.ts'
import {
  exactDifference,
  exactDifferenceTest,
  exactInterval,
} from '../../src/experiments/exact-sequence.ts'
import {
  chiSquareMismatch,
  MISMATCH_BELOW,
  sequentialMismatch,
} from '../../src/experiments/sample-ratio.ts'
import {
  anytime,
  anytimeTest,
  logMixtureEvidence,
  mixtureRadius,
  mixtureScale,
  oneSidedP,
  oneSidedRadius,
} from '../../src/experiments/sequential.ts'
import { twoSidedNormal } from '../../src/experiments/distributions/normal.ts'
import { close } from './close.ts'

const change = difference(proportion(420, 1000), proportion(468, 1000))
const radiusOf = (estimate: Estimate, tunedFor: number): number => {
  const { interval } = anytime(estimate, { tunedFor, alpha: 0.05 })
  return (interval[1] - interval[0]) / 2
}

test('the confidence sequence equals GrowthBook’s for every tuning', () => {
  for (const [tunedFor, radius, p] of [
    [1000, 0.067_946_588_4, 0.455_083_084_7],
    [2000, 0.067_363_59, 0.374_577_053_2],
    [5000, 0.069_329_319_5, 0.345_077_342_2],
  ] as const) {
    close(radiusOf(change, tunedFor), radius)
    close(anytime(change, { tunedFor, alpha: 0.05 }).p, p)
  }
  const larger = difference(proportion(420, 1000), proportion(510, 1000))
  close(radiusOf(larger, 2000), 0.067_426_742_5)
  close(anytime(larger, { tunedFor: 2000, alpha: 0.05 }).p, 0.002_043_144_4)
})

test('the running example has the variance of the specification', () => {
  close(change.variance, 0.000_492_576)
})

test('the confidence sequence equals Eppo’s with its tuning', () => {
  const scale = mixtureScale(10_000, 0.05)
  close(1 / scale, 1260.056_098, 5e-7)
  const rho = 1 / scale
  const factor = Math.sqrt(((2000 + rho) / 2000) * Math.log((2000 + rho) / (rho * 0.05 ** 2)))
  close(factor, 3.363_887_7, 5e-8)
  close(radiusOf(change, 10_000), 0.074_658_303_3)
  close(Math.sqrt(change.variance) * factor, 0.074_658_303_3)
})

test('the confidence sequence equals Statsig’s with half the level', () => {
  const { variance } = change
  const dataVariance = variance * 1000
  const mixture = (1.959_963_984_540_054 ** 2 * dataVariance) / 2000
  close(mixture, 0.000_946_105_2)
  const radius = mixtureRadius(variance, mixture, 0.025)
  close(radius, 0.079_554_924_8)
  // Statsig shows a p that belongs to a normal interval of that radius.
  const critical = radius / Math.sqrt(variance)
  const inflation = critical / 1.959_963_984_540_054
  close(critical, 3.584_515_359_7)
  close(inflation, 1.828_867_973_1)
  close(twoSidedNormal(2.162_741_498_5 / inflation), 0.236_984_573_1)
})

test('the confidence sequence equals TensorZero’s for one arm', () => {
  const variance = 0.25 / 100
  for (const [rho, radius] of [
    [0.296, 0.161_373_714],
    [0.296_341_027, 0.161_333_366_1],
  ] as const) {
    close(mixtureRadius(variance, (0.25 * rho) ** 2, 0.05), radius)
  }
})

test('the always-valid p equals that of the mixture sequential probability ratio test', () => {
  const variance = 2 / 1000
  close(Math.exp(logMixtureEvidence(0.12, variance, 0.01)), 8.199_886_111_9)
  close(anytimeTest(logMixtureEvidence(0.12, variance, 0.01)).p, 0.121_952_913_3)
})

test('GrowthBook’s published relative lift of two proportions is reproduced', () => {
  const lift = relativeLift(proportion(1396, 3000), proportion(2422, 3461))
  close(lift.value, 0.503_86, 5e-6)
  close(Math.sqrt(lift.variance), 0.033_86, 5e-6)
  close(anytime(lift, { tunedFor: 5000, alpha: 0.05 }).interval, [0.400_98, 0.606_75], 5e-6)
})

test('GrowthBook’s published relative lift of two means is reproduced', () => {
  const mean = (sum: number, squares: number, units: number): Estimate => ({
    value: sum / units,
    variance: (squares - sum ** 2 / units) / (units - 1) / units,
    units,
  })
  const lift = relativeLift(mean(1396.87, 52_377.9767, 3000), mean(2422.7, 134_698.29, 3461))
  const { interval, p } = anytime(lift, { tunedFor: 1000, alpha: 0.05 })
  close(lift.value, 0.503_36, 5e-6)
  close(interval, [-0.558_44, 1.565_16], 5e-6)
  assert.equal(p, 1)
})

test('the one-sided bound is tuned with twice the level', () => {
  const tuning = { tunedFor: 2000, alpha: 0.05 }
  close(mixtureScale(2000, 0.1), 0.003_164_429_8, 5e-11)
  close(oneSidedRadius(change, tuning), 0.061_679_365_5)
  // At the level that equals its p, with the same mixture, the bound would touch zero.
  const touching = { ...change, value: oneSidedRadius(change, tuning) }
  close(oneSidedP(touching, tuning), 0.05)
  assert.equal(oneSidedP({ ...change, value: -0.1 }, tuning), 1)
})

test('the tuning is close to the exact optimum', () => {
  // y = ln(1 + y) − 2 ln α, the solution of −W₋₁(−α²/e) − 1 = y.
  let exact = 6
  for (let round = 0; round < 200; round++) exact = Math.log1p(exact) - 2 * Math.log(0.05)
  close(exact, 8.211_968_062_1)
  close(mixtureScale(1, 0.05), 7.936_154_601_7)
})

test('the exact sequence of one proportion holds from the first unit on', () => {
  close(exactInterval(70, 100, 0.05), [0.542_754_012_4, 0.830_553_522])
  close(exactInterval(8, 10, 0.05), [0.353_042_192_1, 0.989_516_904_8])
  close(exactInterval(420, 1000, 0.05), [0.365_705_893_9, 0.475_619_789_5])
  close(exactInterval(0, 0, 0.05), [0, 1])
  assert.equal(exactInterval(5, 5, 0.05)[1], 1)
  assert.equal(exactInterval(0, 5, 0.05)[0], 0)
})

test('the exact difference of two proportions excludes zero exactly when its p is below the level', () => {
  for (const [first, second] of [
    [2, 9],
    [1, 15],
    [0, 16],
    [10, 12],
    [18, 1],
  ] as const) {
    const control = { successes: first, units: 20 }
    const arm = { successes: second, units: 20 }
    const [low, high] = exactDifference(control, arm, 0.05)
    assert.equal(exactDifferenceTest(control, arm).p < 0.05, low > 0 || high < 0)
    assert.ok(low <= (second - first) / 20 && (second - first) / 20 <= high)
  }
})

test('sample-ratio mismatch by χ² gives the published values', () => {
  for (const [counts, weights, statistic, p, tolerance] of [
    [[5050, 4950], [1, 1], 1, 0.317_310_5, 5e-8],
    [[5200, 4800], [1, 1], 16, 6.334_25e-5, 5e-11],
    [[821_588, 815_482], [1, 1], 22.774_369, 1.821_79e-6, 5e-12],
    [[10_150, 5000, 4850], [2, 1, 1], 6.75, 0.034_218_1, 5e-8],
    [[10_300, 4950, 4750], [2, 1, 1], 22, 1.670_17e-5, 5e-11],
  ] as const) {
    const result = chiSquareMismatch(counts, weights)
    close(result.statistic, statistic, 5e-7)
    close(result.p, p, tolerance)
  }
})

test('the sequential mismatch test depends on totals only', () => {
  const batches = [
    [520, 480, 0.025_077, 0.975_235],
    [530, 470, 0.325_541, 0.722_136],
    [540, 460, 1.115_102, 0.327_882],
    [560, 440, 3.046_518, 0.047_524],
  ] as const
  let counts: [number, number] = [0, 0]
  for (const [first, second, factor, p] of batches) {
    counts = [counts[0] + first, counts[1] + second]
    const result = sequentialMismatch(counts, [1, 1], 10_000)
    close(result.logBayesFactor, factor, 5e-7)
    close(result.p, p, 5e-7)
  }
  close(sequentialMismatch([5200, 4800], [1, 1], 10_000).logBayesFactor, 3.653_881, 5e-7)
  close(sequentialMismatch([5200, 4800], [1, 1], 10_000).p, 0.025_890_5, 5e-8)
  close(sequentialMismatch([5200, 4800], [1, 1]).logBayesFactor, 5.613_613, 5e-7)
  close(sequentialMismatch([5200, 4800], [1, 1]).p, 0.003_647_86, 5e-9)
})

test('a split of 51 to 49 is found with the power of the specification', () => {
  // Normal approximation of the χ² test at 0.001 with 10,000 units: P(|Z + 2| > 3.29).
  assert.equal(MISMATCH_BELOW, 0.001)
  const { p } = chiSquareMismatch([5165, 4835], [1, 1])
  assert.ok(p < 0.001)
  assert.ok(chiSquareMismatch([5164, 4836], [1, 1]).p > 0.001)
})
