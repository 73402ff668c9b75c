import assert from 'node:assert/strict'
import test from 'node:test'
import { allocate, horvitzThompson, thompson, topTwo } from '../../src/experiments/bandit.ts'
import {
  betaPosterior,
  expectedLoss,
  normalPosterior,
  probabilityBest,
  readLift,
  updateNormal,
} from '../../src/experiments/bayes.ts'
import { logBeta } from '../../src/experiments/distributions/gamma.ts'
import { estimateOf } from '../../src/experiments/estimate.ts'
import { collect } from '../../src/core/sums.ts'
import { checkStop, trackingShares } from '../../src/experiments/track-and-stop.ts'
import { close } from './close.ts'

/** Closed form of P(B > A) for Beta posteriors with an integer first parameter of A. */
const closedForm = (a: readonly [number, number], b: readonly [number, number]): number => {
  let sum = 0
  for (let i = 0; i < b[0]; i++) {
    sum += Math.exp(
      logBeta(a[0] + i, a[1] + b[1]) -
        Math.log(b[1] + i) -
        logBeta(1 + i, b[1]) -
        logBeta(a[0], a[1]),
    )
  }
  return sum
}

test('the chance to beat the control agrees with the closed form', () => {
  const chance = probabilityBest([betaPosterior(420, 580), betaPosterior(468, 532)])[1]!
  close(chance, 0.984_592_595_9, 5e-11)
  close(chance, closedForm([421, 581], [469, 533]), 1e-12)
  close(probabilityBest([betaPosterior(8, 2), betaPosterior(9, 1)])[1]!, 0.706_766_917_3)
})

test('the expected loss of either choice is exact', () => {
  const [a, b] = [betaPosterior(420, 580), betaPosterior(468, 532)]
  close(expectedLoss(b, a), 0.000_121_657_2)
  close(expectedLoss(a, b), 0.048_025_848_8)
})

test('the normal posterior weighs the prior by precision', () => {
  const posterior = updateNormal(
    { value: 0.08, variance: 0.04 ** 2, units: 100 },
    { mean: 0, deviation: 0.05 },
  )
  const lift = readLift(posterior, 0.05)
  close(lift.mean, 0.048_780_487_8)
  close(lift.deviation, 0.031_234_752_4)
  close(lift.chanceToWin, 0.940_825_093_6)
  close(lift.riskOfShipping, 0.000_794_037)
  close(lift.riskOfNotShipping, 0.049_574_524_8)
  close(lift.interval, [-0.012_438_5, 0.109_999_5], 5e-8)
})

const BEST = [0.006_084_406_9, 0.236_314_167_5, 0.757_601_425_6]
const ARMS = [betaPosterior(30, 70), betaPosterior(40, 60), betaPosterior(45, 55)]

test('the best of three arms is found by quadrature, and the worst with the direction turned', () => {
  close(probabilityBest(ARMS), BEST)
  const normal = [normalPosterior(0, 1), normalPosterior(1, 1)]
  close(probabilityBest(normal, 'down'), [...probabilityBest(normal)].reverse(), 1e-12)
  close(probabilityBest(normal)[1]!, 0.760_249_938_9)
})

test('Thompson and top-two allocation follow from the chances', () => {
  close(thompson(BEST, 0.01), [0.015_901_874_7, 0.239_224_742_5, 0.744_873_382_8])
  close(topTwo(BEST), [0.013_491_794_4, 0.488_172_898_7, 0.498_335_306_9])
  close(topTwo([0, 1, 0]), [0.25, 0.5, 0.25])
  const rule = { type: 'thompson', floor: 0.01, direction: 'up' } as const
  close(allocate(ARMS, rule), [0.015_901_874_7, 0.239_224_742_5, 0.744_873_382_8])
  close(
    allocate(ARMS, { ...rule, type: 'top_two', floor: 0 }).reduce((sum, share) => sum + share),
    1,
  )
})

const moments = (
  means: readonly number[],
  variances: readonly number[],
  counts: readonly number[],
) => means.map((mean, arm) => ({ mean, variance: variances[arm]!, count: counts[arm]! }))

test('track-and-stop shares equal those of the cone solver', () => {
  close(
    trackingShares(moments([0.2, 0.6, 0.4], [0.1, 0.2, 0.15], [10, 10, 10]), {
      epsilon: 0.02,
      floor: 0.05,
      regularization: 0.5,
    }),
    [0.05, 0.509_055, 0.440_945],
    1e-4,
  )
  close(
    trackingShares(moments([0.25, 0.55, 0.4, 0.6], [0.05, 0.15, 0.1, 0.2], [15, 30, 20, 35]), {
      epsilon: 0.05,
      floor: 0.05,
      regularization: 2,
    }),
    [0.05, 0.417_755, 0.05, 0.482_245],
    1e-4,
  )
  close(
    trackingShares(moments([0.5, 0.51, 0.3], [0.1, 0.1, 0.1], [10, 10, 10]), {
      epsilon: 0.01,
      floor: 0.01,
      regularization: 0,
    }),
    [0.494_996, 0.495_004, 0.01],
    1e-4,
  )
})

test('two arms share the traffic by their standard deviations', () => {
  const arms = moments([0.5, 0.6], [0.4 ** 2, 0.2 ** 2], [50, 50])
  const shares = trackingShares(arms, { epsilon: 0, floor: 1e-6, regularization: 0 })
  close(shares, [2 / 3, 1 / 3], 1e-6)
})

test('shares are found for ten arms and for arms that are all alike', () => {
  const options = { epsilon: 0, floor: 1e-6, regularization: 0.01 }
  const alike = trackingShares(moments([1, 1, 1], [0, 0, 0], [10, 10, 10]), options)
  close(
    alike.reduce((sum, share) => sum + share),
    1,
  )
  const ten = Array.from({ length: 10 }, (_, arm) => arm)
  const shares = trackingShares(
    moments(
      ten.map((arm) => arm / 10),
      ten.map(() => 0.25),
      ten.map(() => 100),
    ),
    options,
  )
  close(
    shares.reduce((sum, share) => sum + share),
    1,
  )
  assert.ok(shares[9]! > shares[8]! && shares[8]! > shares[7]!)
})

test('the likelihood ratio decides when to stop', () => {
  const look = (count: number) =>
    checkStop(moments([0.42, 0.48], [0.2436, 0.2496], [count, count]), 0, 0.05)
  close([look(500).evidence, look(500).threshold], [1.824_817_5, 5.063_576_2], 5e-8)
  close([look(2000).evidence, look(2000).threshold], [7.299_270_1, 5.225_106_6], 5e-8)
  assert.deepEqual([look(500).stop, look(2000).stop, look(2000).leader], [false, true, 1])
})

const LOG = [
  [0, 0.5, 1],
  [0, 0.5, 0],
  [1, 0.5, 1],
  [0, 0.8, 1],
  [1, 0.2, 0],
  [1, 0.2, 1],
] as const

test('logged propensities give unbiased means, and means with little noise', () => {
  const sums = [0, 1].map((wanted) =>
    collect(
      LOG.filter(([arm]) => arm === wanted).map(([, propensity, reward]) => ({
        total: reward,
        base: 1,
        weight: 1 / propensity,
      })),
    ),
  )
  const weighted = sums.map((each) => horvitzThompson(each, LOG.length))
  close(weighted, [0.541_666_7, 1.166_666_7], 5e-8)
  const normalised = sums.map(estimateOf)
  close(
    normalised.map(({ value }) => value),
    [0.619_047_6, 0.583_333_3],
    5e-8,
  )
  for (const { variance } of normalised) assert.ok(variance > 0 && Number.isFinite(variance))
})
