/** Properties of the split and of adaptive allocation that only many repetitions show, with fixed seeds. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { createRandom } from '../../src/core/random.ts'
import { addUnit, NO_SUMS, type Sums } from '../../src/core/sums.ts'
import { horvitzThompson, thompson } from '../../src/experiments/bandit.ts'
import { betaPosterior, probabilityBest } from '../../src/experiments/bayes.ts'
import { logBeta } from '../../src/experiments/distributions/gamma.ts'
import { estimateOf } from '../../src/experiments/estimate.ts'
import {
  chiSquareMismatch,
  MISMATCH_BELOW,
  sequentialMismatch,
} from '../../src/experiments/sample-ratio.ts'
import { close } from './close.ts'

test('a split of 51 to 49 is noticed in 10,000 units as seldom as planned', (t) => {
  const repetitions = 4000
  const random = createRandom(37)
  const noticed = { once: 0, always: 0 }
  for (let repetition = 0; repetition < repetitions; repetition++) {
    let first = 0
    let isSeen = false
    for (let unit = 1; unit <= 10_000; unit++) {
      if (random.next() < 0.51) first += 1
      if (unit % 500 === 0 && sequentialMismatch([first, unit - first], [1, 1]).p < MISMATCH_BELOW)
        isSeen = true
    }
    const { p } = chiSquareMismatch([first, 10_000 - first], [1, 1])
    if (p < MISMATCH_BELOW) noticed.once += 1
    if (isSeen) noticed.always += 1
  }
  const [once, always] = [noticed.once / repetitions, noticed.always / repetitions]
  t.diagnostic(`noticed at one look: ${once} (planned 0.098); watched all the time: ${always}`)
  assert.ok(Math.abs(once - 0.098) < 0.015)
  assert.ok(always < once, 'watching all the time has its price')
})

/** P(first arm is better) of two beta posteriors, kept up to date with one multiplication a step. */
class Race {
  /** Parameters of both arms: 1 + successes, 1 + failures. */
  readonly arms: readonly [[number, number], [number, number]] = [
    [1, 1],
    [1, 1],
  ]
  chance = 0.5

  /** g(a + 1) = g + h / a, and so on (Cook 2005), with h = B(a + c, b + d) / (B(a, b) B(c, d)). */
  add(arm: 0 | 1, isGood: boolean): void {
    const [[a, b], [c, d]] = this.arms
    const h = Math.exp(logBeta(a + c, b + d) - logBeta(a, b) - logBeta(c, d))
    const own = this.arms[arm]
    const part = isGood ? 0 : 1
    this.chance += ((arm === 0) === isGood ? h : -h) / own[part]
    own[part] += 1
  }
}

/** Two arms that are alike, so many units, one after the other. */
const race = (next: () => number, units: number, floor: number) => {
  const state = new Race()
  const naive: [number[], number[]] = [[], []]
  const sums: Sums[] = [NO_SUMS, NO_SUMS]
  for (let unit = 0; unit < units; unit++) {
    const shares = thompson([state.chance, 1 - state.chance], floor)
    const arm = next() < shares[0]! ? 0 : 1
    const isGood = next() < 0.5
    naive[arm].push(Number(isGood))
    sums[arm] = addUnit(sums[arm]!, { total: Number(isGood), base: 1, weight: 1 / shares[arm]! })
    state.add(arm, isGood)
  }
  return { state, naive, sums }
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

test('under Thompson sampling plain means are too low, and the weighted ones are not', (t) => {
  const [repetitions, units] = [4000, 200]
  const random = createRandom(41)
  const [plain, guarded, weighted, normalised]: number[][] = [[], [], [], []]
  const keep = (list: number[], values: readonly number[]) => {
    if (values.length > 0) list.push(meanOf(values))
  }
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (const values of race(() => random.next(), units, 0).naive) keep(plain!, values)
    const { naive, sums } = race(() => random.next(), units, 0.1)
    for (const values of naive) keep(guarded!, values)
    weighted!.push(...sums.map((each) => horvitzThompson(each, units)))
    normalised!.push(...sums.map((each) => estimateOf(each).value))
  }
  const [without, naive, unbiased, hajek] = [plain, guarded, weighted, normalised].map((values) =>
    meanOf(values!),
  )
  t.diagnostic(
    `mean of arms at 0.5: plain ${without!.toFixed(3)}, with a floor of 0.1 ${naive!.toFixed(3)}, ` +
      `there Horvitz–Thompson ${unbiased!.toFixed(3)}, Hájek ${hajek!.toFixed(3)}`,
  )
  close(without!, 0.466, 0.004)
  assert.ok(naive! < 0.49)
  close(unbiased!, 0.5, 0.006)
  assert.ok(Math.abs(hajek! - 0.5) < Math.abs(naive! - 0.5) / 2)
})

test('the chance that is kept up to date is that of the quadrature', () => {
  const random = createRandom(43)
  const { state } = race(() => random.next(), 150, 0.1)
  const [first, second] = state.arms.map(([a, b]) => betaPosterior(a - 1, b - 1))
  close(state.chance, probabilityBest([first!, second!])[0]!, 1e-9)
})
