/** Properties that only many repetitions show, with fixed seeds. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { createRandom } from '../../src/core/random.ts'
import { criticalNormal, difference, zTest } from '../../src/experiments/analysis.ts'
import { duelEvidence } from '../../src/experiments/duel.ts'
import { proportion, type Estimate } from '../../src/experiments/estimate.ts'
import { exactDifferenceTest } from '../../src/experiments/exact-sequence.ts'
import { alwaysValidSize, proportionSize } from '../../src/experiments/plan.ts'
import { sequentialMismatch } from '../../src/experiments/sample-ratio.ts'
import { anytime, mixtureRadius } from '../../src/experiments/sequential.ts'

const ALPHA = 0.05

/** Successes of both arms at each look, `step` units per arm between looks. */
const experiments = function* (
  seed: number,
  rates: readonly [number, number],
  looks: number,
  step: number,
  repetitions: number,
) {
  const random = createRandom(seed)
  for (let repetition = 0; repetition < repetitions; repetition++) {
    let [control, treatment] = [0, 0]
    const path: Look[] = []
    for (let look = 1; look <= looks; look++) {
      for (let unit = 0; unit < step; unit++) {
        if (random.next() < rates[0]) control += 1
        if (random.next() < rates[1]) treatment += 1
      }
      path.push({ units: look * step, control, treatment })
    }
    yield path
  }
}

interface Look {
  readonly units: number
  readonly control: number
  readonly treatment: number
}

const changeAt = (look: Look) =>
  difference(proportion(look.control, look.units), proportion(look.treatment, look.units))

/** τ² = z²_{α/2} (s²_t + s²_c) / (N_t + N_c), which with n units in each arm is z² V / 2; and α/2 in place of α. */
const isFoundByStatsig = ({ value, variance }: Estimate): boolean =>
  Math.abs(value) > mixtureRadius(variance, (criticalNormal(ALPHA) ** 2 * variance) / 2, ALPHA / 2)

test('A/A tests watched 40 times stay below 5 % false positives where the plain z test does not', (t) => {
  const repetitions = 4000
  const counts = { naive: 0, once: 0, statsig: 0, 500: 0, 2000: 0, 5000: 0 }
  for (const path of experiments(20261123, [0.42, 0.42], 40, 50, repetitions)) {
    const changes = path.map(changeAt)
    if (changes.some((change) => zTest(change).p < ALPHA)) counts.naive += 1
    if (zTest(changes.at(-1)!).p < ALPHA) counts.once += 1
    if (changes.some(isFoundByStatsig)) counts.statsig += 1
    for (const tunedFor of [500, 2000, 5000] as const) {
      if (changes.some((change) => anytime(change, { tunedFor, alpha: ALPHA }).p < ALPHA)) {
        counts[tunedFor] += 1
      }
    }
  }
  const share = (count: number): number => count / repetitions
  const percent = (count: number): string => `${(100 * share(count)).toFixed(1)} %`
  t.diagnostic(
    `false positives in 40 looks: naive z ${percent(counts.naive)} (one look ${percent(counts.once)}); ` +
      `Statsig's rule ${percent(counts.statsig)}; confidence sequence tuned for 500 / 2000 / 5000: ${[500, 2000, 5000].map((n) => percent(counts[n as 500])).join(' / ')}`,
  )
  assert.ok(share(counts.naive) > 0.25)
  assert.ok(share(counts.statsig) < 0.01, 'tuned anew at each look and with half of α: cautious')
  for (const tunedFor of [500, 2000, 5000] as const) assert.ok(share(counts[tunedFor]) <= ALPHA)
})

/** The always-valid p as results use it: exact below 100 units or ten events of either kind, then the mixture. */
const servedP = ({ units, control, treatment }: Look): number => {
  const events = Math.min(control, treatment, units - control, units - treatment)
  if (units >= 100 && events >= 10) {
    return anytime(changeAt({ units, control, treatment }), { tunedFor: 600, alpha: ALPHA }).p
  }
  return exactDifferenceTest({ successes: control, units }, { successes: treatment, units }).p
}

test('from the first unit on, with the exact martingale while units are few, A/A stays below 5 %', (t) => {
  const repetitions = 2000
  for (const rate of [0.03, 0.42]) {
    let found = 0
    for (const path of experiments(7, [rate, rate], 60, 5, repetitions)) {
      if (path.some((look) => servedP(look) < ALPHA)) found += 1
    }
    t.diagnostic(`false positives at a rate of ${rate}: ${(100 * found) / repetitions} %`)
    assert.ok(found / repetitions <= ALPHA)
  }
})

test('the confidence sequence covers a known effect at every look', (t) => {
  const repetitions = 2000
  const looks = 40
  const covered = Array.from({ length: looks }, () => 0)
  let always = 0
  for (const path of experiments(11, [0.42, 0.5], looks, 50, repetitions)) {
    let isAlways = true
    for (const [look, point] of path.entries()) {
      const [low, high] = anytime(changeAt(point), { tunedFor: 2000, alpha: ALPHA }).interval
      if (low <= 0.08 && 0.08 <= high) covered[look] = covered[look]! + 1
      else isAlways = false
    }
    if (isAlways) always += 1
  }
  const least = Math.min(...covered) / repetitions
  t.diagnostic(
    `coverage: at the worst look ${least}, at all looks together ${always / repetitions}`,
  )
  assert.ok(least >= 0.95)
  assert.ok(always / repetitions >= 0.95)
})

test('the planned power is reached, at one look and with looks at any time', (t) => {
  const power = { alpha: ALPHA, power: 0.8 }
  const fixed = Math.ceil(proportionSize(0.42, 0.52, power))
  const variance = 0.42 * 0.58 + 0.52 * 0.48
  const tunedFor = 3.2 * fixed
  const planned = alwaysValidSize(variance, 0.1, tunedFor, power)
  const repetitions = 2000
  const step = Math.ceil(planned / 40)
  let atOnce = 0
  for (const [look] of experiments(13, [0.42, 0.52], 1, fixed, repetitions)) {
    if (zTest(changeAt(look!)).p < ALPHA) atOnce += 1
  }
  const stops: number[] = []
  for (const path of experiments(17, [0.42, 0.52], 40, step, repetitions)) {
    const stop = path.find((look) => anytime(changeAt(look), { tunedFor, alpha: ALPHA }).p < ALPHA)
    stops.push(stop?.units ?? Infinity)
  }
  stops.sort((a, b) => a - b)
  const reached = stops.filter(Number.isFinite).length / repetitions
  t.diagnostic(
    `power ${atOnce / repetitions} with ${fixed} per arm at one look; ${reached} by ${40 * step} ` +
      `per arm with 40 looks, median stop ${stops[repetitions / 2]}`,
  )
  assert.ok(atOnce / repetitions >= 0.78)
  assert.ok(reached >= 0.8)
  assert.ok(stops[repetitions / 2]! < 1.4 * fixed)
})

test('a duel watched after each of 1000 verdicts stays below 5 % false positives', (t) => {
  const repetitions = 1000
  const random = createRandom(19)
  let found = 0
  for (let repetition = 0; repetition < repetitions; repetition++) {
    let wins = 0
    for (let pair = 1; pair <= 1000; pair++) {
      if (random.next() < 0.5) wins += 1
      if (duelEvidence(wins, pair - wins).p < ALPHA) {
        found += 1
        break
      }
    }
  }
  t.diagnostic(`false positives: ${(100 * found) / repetitions} %`)
  assert.ok(found / repetitions <= ALPHA)
})

test('the split of units watched all the time is wrongly suspected in fewer than 5 % at that level', (t) => {
  const repetitions = 1000
  const random = createRandom(23)
  let found = 0
  for (let repetition = 0; repetition < repetitions; repetition++) {
    let first = 0
    for (let unit = 1; unit <= 1000; unit++) {
      if (random.next() < 0.5) first += 1
      if (unit % 10 === 0 && sequentialMismatch([first, unit - first], [1, 1]).p < ALPHA) {
        found += 1
        break
      }
    }
  }
  t.diagnostic(`false alarms: ${(100 * found) / repetitions} %`)
  assert.ok(found / repetitions <= ALPHA)
})
