import assert from 'node:assert/strict'
import test from 'node:test'
import { bradleyTerry, eloAbove, winProbability } from '../../src/experiments/bradley-terry.ts'
import { duelEvidence, NO_DUELS, summariseDuels, verdictOf } from '../../src/experiments/duel.ts'
import { signTest } from '../../src/experiments/distributions/binomial.ts'
import { planExperiment } from '../../src/experiments/experiment-plan.ts'
import {
  agreementOf,
  cohensKappa,
  covarianceWithErrors,
  predictionPowered,
} from '../../src/experiments/judge-validity.ts'
import { estimateOf } from '../../src/experiments/estimate.ts'
import { collect } from '../../src/core/sums.ts'
import { lengthControlledWinRate } from '../../src/experiments/length-control.ts'
import {
  alwaysValidSize,
  differenceSize,
  duelSize,
  proportionSize,
  smallestEffect,
} from '../../src/experiments/plan.ts'
import { close, digits } from './close.ts'

test('a win counts only when it is the same in both orders', () => {
  assert.equal(verdictOf('first', 'second'), 'a')
  assert.equal(verdictOf('second', 'first'), 'b')
  assert.equal(verdictOf('first', 'first'), 'first')
  assert.equal(verdictOf('second', 'second'), 'second')
  assert.equal(verdictOf('first', 'tie'), 'tie')
  assert.equal(verdictOf('tie', 'tie'), 'tie')
})

test('a hundred duels are summarised with ties as half a win', () => {
  const counts = { a: 48, b: 30, first: 14, second: 4, tie: 4 }
  const summary = summariseDuels(counts, { tunedFor: 100, alpha: 0.05 })
  close(summary.score, 0.59)
  close(summary.consistency, 0.78)
  close(summary.positionLean, 0.1)
  close(summary.pSign, 0.053_544_392_5)
  close(summary.z, 2.071_359_383_4)
  close(summary.standardError, 0.043_449_727_1)
  close((summary.intervalAnytime[1] - summary.intervalAnytime[0]) / 2, 0.131_879_002_4)
})

test('a single duel says nothing yet', () => {
  const summary = summariseDuels({ ...NO_DUELS, a: 1 }, { tunedFor: 100, alpha: 0.05 })
  assert.deepEqual(summary.intervalAnytime, [0, 1])
  close(summary.pAnytime, 1)
})

test('the anytime duel test costs what looking at every moment costs', () => {
  for (const [wins, losses, anytime, fixed] of [
    [60, 40, 1, 0.056_887_9],
    [65, 35, 0.087_249_422_2, 0.003_517_6],
    [70, 30, 0.002_340_239_7, undefined],
    [120, 80, 0.206_045_908_4, 0.005_685_2],
  ] as const) {
    close(duelEvidence(wins, losses).p, anytime)
    if (fixed !== undefined) close(signTest(wins, wins + losses), fixed, 5e-8)
  }
})

test('Bradley–Terry puts three strategies on one scale', () => {
  const wins = [
    [0, 60, 75],
    [40, 0, 65],
    [25, 35, 0],
  ]
  const strengths = bradleyTerry(wins)
  close(strengths, [0.501_288_08, 0.326_824_8, 0.171_887_12])
  close(winProbability(strengths[0]!, strengths[1]!), 0.605_337_861_8)
  close(
    [eloAbove(strengths[0]!, strengths[2]!), eloAbove(strengths[1]!, strengths[2]!)],
    [185.9376, 111.6287],
    5e-5,
  )
})

test('the length-controlled win rate is a half when length alone explains the wins', () => {
  const duels = Array.from({ length: 400 }, (_, index) => {
    const isLonger = index % 2 === 0
    // The longer answer wins three times out of four; A is longer as often as B.
    const longerWins = index % 8 < 6
    return { score: Number(isLonger === longerWins), lengthDifference: isLonger ? 120 : -120 }
  })
  const raw = duels.reduce((sum, { score }) => sum + score, 0) / duels.length
  const { winRate, lengthEffect, interval } = lengthControlledWinRate(duels, 0.05)
  close(raw, 0.5)
  close(winRate, 0.5, 1e-6)
  close(lengthEffect * Math.tanh(1), Math.log(3), 1e-4)
  assert.ok(interval[0] < 0.5 && 0.5 < interval[1])
})

test('without a length effect the controlled win rate is the raw one', () => {
  const duels = Array.from({ length: 300 }, (_, index) => ({
    score: index % 3 === 0 ? 1 : index % 3 === 1 ? 0.5 : 1,
    lengthDifference: 0,
  }))
  close(lengthControlledWinRate(duels, 0.05).winRate, 5 / 6, 1e-6)
})

test('separated duels still have a finite fit', () => {
  const duels = Array.from({ length: 20 }, () => ({ score: 1, lengthDifference: 3 }))
  const { winRate } = lengthControlledWinRate(duels, 0.05)
  assert.ok(winRate > 0.9 && winRate <= 1)
})

test('agreement with people is measured beyond chance', () => {
  close(
    cohensKappa([
      [45, 5],
      [10, 40],
    ]),
    0.7,
  )
  close(
    cohensKappa([
      [10, 0],
      [0, 0],
    ]),
    1,
  )
})

/** One number of each unit. */
const single = (values: readonly number[]) => collect(values.map((total) => ({ total, base: 1 })))

test('prediction-powered inference corrects the judge by its labelled errors', () => {
  const judged = estimateOf(single([1, 1, 0, 1, 0, 1, 1, 0, 1, 1]))
  const labels = [1, 0, 0, 1, 0]
  const errors = estimateOf(single([1, 0, 1, 1, 0].map((f, index) => f - labels[index]!)))
  const { value, variance, units } = predictionPowered(judged, errors)
  close(value, 0.5)
  close(Math.sqrt(variance), 0.251_661_1, 5e-8)
  assert.equal(units, 5)
})

test('where all units are labelled the predicted mean is known as exactly as the plain one', () => {
  const truths = [1, 0, 4, 2, 2, 5, 0, 3]
  const judge = [1.5, 0.5, 2, 1, 1.5, 2.5, 0.5, 1]
  const errors = collect(
    truths.map((truth, unit) => ({ total: judge[unit]! - truth, base: 1, covariate: truth })),
  )
  const powered = predictionPowered(
    estimateOf(single(judge)),
    estimateOf(errors),
    covarianceWithErrors(errors),
  )
  const plain = estimateOf(single(truths))
  close([powered.value, powered.variance], [plain.value, plain.variance])
})

test('agreement with people follows from the sums of the errors', () => {
  const answers = [
    ...Array<[number, number]>(45).fill([1, 1]),
    ...Array<[number, number]>(5).fill([1, 0]),
    ...Array<[number, number]>(10).fill([0, 1]),
    ...Array<[number, number]>(40).fill([0, 0]),
  ]
  const errors = collect(
    answers.map(([judge, truth]) => ({ total: judge - truth, base: 1, covariate: truth })),
  )
  const { units, bias, kappa } = agreementOf(errors, true)
  close([units, bias, kappa], [100, -0.05, 0.7])
  assert.ok(Number.isNaN(agreementOf(errors, false).kappa))
  const twice = collect([{ total: 1, base: 2, covariate: 0.5 }])
  assert.ok(Number.isNaN(agreementOf(twice, true).kappa), 'several runs of a unit have no table')
})

const POWER = { alpha: 0.05, power: 0.8 }
const spread = (p: number, q: number): number => p * (1 - p) + q * (1 - q)

test('sample sizes are those of the table', () => {
  for (const [from, to, pooled, unpooled] of [
    [0.42, 0.47, 1549.6, 1546.86],
    [0.42, 0.52, 389.85, 387.11],
    [0.1, 0.12, 3840.85, 3838.1],
  ] as const) {
    close(proportionSize(from, to, POWER), pooled, 0.005)
    close(differenceSize(spread(from, to), to - from, POWER), unpooled, 0.005)
  }
  close(differenceSize(2, 0.1, POWER), 1569.78, 0.0065)
  close(smallestEffect(spread(0.42, 0.42), 1000, POWER), 0.061_838_290_8)
  for (const [rate, pairs] of [
    [0.55, 782.53],
    [0.6, 193.85],
    [0.65, 84.81],
  ] as const) {
    close(duelSize(rate, POWER), pairs, 0.005)
  }
})

test('an always-valid plan needs 1.92 times the fixed one', () => {
  for (const [to, perArm] of [
    [0.47, 2964],
    [0.52, 742],
  ] as const) {
    const fixed = proportionSize(0.42, to, POWER)
    const size = alwaysValidSize(spread(0.42, to), to - 0.42, 3.2 * fixed, POWER)
    close(size, perArm, 3)
    close(size / fixed, 1.92, 0.02)
  }
})

test('a plan gives days, money and what the budget shows', () => {
  const plan = planExperiment({
    type: 'boolean',
    baseline: 0.42,
    effect: 0.05,
    units_per_day: 1000,
    cost_per_run: 0.01,
    budget: 20,
  })
  assert.deepEqual(plan.fixed, { units_per_arm: 1550, units: 3100, days: 3.1, cost: 31 })
  assert.ok(plan.always_valid.units_per_arm > 2900)
  close(plan.smallest_effect!, smallestEffect(spread(0.42, 0.47), 1000, POWER))
  assert.equal(
    planExperiment({ type: 'number', deviation: 1, effect: 0.1 }).fixed.units_per_arm,
    1570,
  )
})

test('intervals of a win rate stay between 0 and 1, however few the prompts', () => {
  const few = summariseDuels(
    { ...NO_DUELS, a: 11, first: 7, second: 5 },
    { tunedFor: 5000, alpha: 0.05 },
  )
  assert.ok(few.intervalAnytime[0] >= 0 && few.intervalAnytime[1] === 1)
  const all = summariseDuels({ ...NO_DUELS, a: 9, first: 1 }, { tunedFor: 5000, alpha: 0.05 })
  assert.equal(all.interval[1], 1)
})

test('a duel needs each prompt once for every pair of arms, and two answers to it', () => {
  const request = { type: 'duel', effect: 0.05, units_per_day: 100, cost_per_run: 0.01, budget: 20 }
  const two = planExperiment(request)
  assert.deepEqual(two.fixed, { units_per_arm: 783, units: 783, days: 7.83, cost: 15.66 })
  assert.equal(two.tuned_for, Math.ceil(1.6 * duelSize(0.55, POWER)))
  close(two.smallest_effect!, smallestEffect(0.55 * 0.45, 1000, POWER))
  const three = planExperiment({ ...request, arms: 3 }).fixed
  assert.equal(three.units, 3 * three.units_per_arm)
  close(three.cost!, 0.06 * three.units_per_arm)
})

test('a plan for looks laid down beforehand inflates the units, and tells what they save', () => {
  const request = { type: 'boolean', baseline: 0.42, effect: 0.05, cost_per_run: 0.01 }
  assert.equal(planExperiment(request).planned_looks, null)
  const { fixed, always_valid, planned_looks } = planExperiment({
    ...request,
    planned_looks: { number: 5 },
  })
  const { inflation, units, units_per_arm, expected_units, bounds, cost } = planned_looks!
  close(inflation, 1.0247, digits(4))
  assert.equal(units_per_arm, Math.ceil(1549.6 * inflation))
  assert.deepEqual([units, cost], [2 * units_per_arm, (2 * units_per_arm) / 100])
  close(bounds, [4.8769, 3.357, 2.6803, 2.2898, 2.031], digits(4))
  assert.ok(expected_units < fixed.units && units < always_valid.units)
  const pocock = { ...request, planned_looks: { number: 5, spending: 'pocock' } }
  assert.ok(planExperiment(pocock).planned_looks!.units > units)
})

test('a plan without what it needs names the field', () => {
  assert.throws(() => planExperiment({ type: 'duel', effect: 0.1, planned_looks: { number: 3 } }), {
    param: 'planned_looks',
  })
  assert.throws(() => planExperiment({ type: 'number', effect: 1 }), { param: 'deviation' })
  assert.throws(() => planExperiment({ type: 'duel', effect: 1e-180 }), { param: 'effect' })
  assert.throws(() => planExperiment({ type: 'boolean', effect: 0.1 }), { param: 'baseline' })
  assert.throws(() => planExperiment({ type: 'boolean', baseline: 0.95, effect: 0.1 }), {
    param: 'effect',
  })
  assert.throws(() => planExperiment({ type: 'number', deviation: 1, effect: 0 }), {
    param: 'effect',
  })
})
