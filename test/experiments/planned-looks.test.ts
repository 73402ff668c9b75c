import assert from 'node:assert/strict'
import test from 'node:test'
import { createRandom } from '../../src/core/random.ts'
import { successes } from '../../src/core/sums.ts'
import { findErrors } from '../../src/core/validation.ts'
import { checkPhase } from '../../src/experiments/experiment-changes.ts'
import { defineExperiment } from '../../src/experiments/experiment-rules.ts'
import { ExperimentResults } from '../../src/experiments/results-schema.ts'
import { resultsOf, type ArmData } from '../../src/experiments/results.ts'
import { close, digits } from './close.ts'
import { definition } from './definition.ts'

const AT = '2030-01-01T00:00:00.000Z'
const LOOKS = { number: 5, units: 2000 }
const OBRIEN_FLEMING = [4.8769, 3.357, 2.6803, 2.2898, 2.031]

const planned = (changes: object = {}, looks: object = {}) =>
  defineExperiment(
    definition({
      status: 'running',
      stop: { planned_looks: { ...LOOKS, ...looks } },
      ...changes,
    }),
  )

const arms = (hits: readonly number[], units: number): ArmData[] =>
  hits.map((count, arm) => ({
    name: ['control', 'treatment', 'third'][arm]!,
    exposures: units,
    metrics: { correct: { count: units, sums: successes(count, units) } },
  }))

/** Looks at an experiment as the units come in. */
const watch = (experiment: ReturnType<typeof planned>, course: readonly ArmData[][]) => {
  let previous: ExperimentResults | undefined
  return course.map((data) => {
    previous = resultsOf(experiment, data, { at: AT, ...(previous && { previous }) })
    assert.deepEqual(findErrors(ExperimentResults, previous), [])
    return previous
  })
}

test('looks are taken when they are due, with the bounds of the specification, and nothing in between', () => {
  const course = [50, 200, 300, 400, 600, 800, 999, 1000].map((units) =>
    arms([units * 0.4, units * 0.44], units),
  )
  const seen = watch(planned(), course)
  const taken = seen.map(({ planned_looks }) => planned_looks!.taken.length)
  assert.deepEqual(taken, [0, 1, 1, 2, 3, 4, 4, 5])
  assert.deepEqual(
    seen.map(({ planned_looks }) => planned_looks!.next),
    [400, 800, 800, 1200, 1600, 2000, 2000, null],
  )
  const last = seen.at(-1)!.planned_looks!.taken
  close(
    last.map(({ bound }) => bound),
    OBRIEN_FLEMING,
    digits(4),
  )
  assert.deepEqual(
    last.map(({ share }) => share),
    [0.2, 0.4, 0.6, 0.8, 1],
  )
  close(last.at(-1)!.spent, 0.05, 0)
  const { planned: result } = seen.at(-1)!.arms[1]!.metrics['correct']!
  const error = Math.sqrt((0.4 * 0.6 + 0.44 * 0.56) / 1000)
  close(result!.z, 0.04 / error)
  close(result!.interval!.map(Number), [0.04 - 2.031 * error, 0.04 + 2.031 * error], 1e-5)
  assert.equal(seen.at(-1)!.decision.action, 'keep', 'the last look is over without a winner')
})

test('an arm ships at the look whose bound it crosses, which says by how much', () => {
  const [before, at, after] = watch(planned(), [
    arms([60, 99], 150),
    arms([160, 209], 400),
    arms([160, 209], 401),
  ])
  assert.equal(before!.decision.reason, 'Look 1 of 5 is due at 400 units with a value.')
  assert.equal(at!.decision.action, 'ship')
  assert.match(
    at!.decision.reason,
    /^Superior in correct \(only just: z = 3\.5\d* at the look, the bound is 3\.357\)/,
  )
  assert.deepEqual(after!.decision, at!.decision)
})

test('what looks decisive between the planned looks decides nothing', () => {
  const [, second] = watch(planned(), [arms([80, 100], 200), arms([100, 250], 350)])
  const { p_anytime, planned: result } = second!.arms[1]!.metrics['correct']!
  assert.ok(p_anytime! < 1e-6)
  assert.equal(result!.crossed, null)
  assert.equal(second!.decision.action, 'continue')
})

test('late looks spend what is due by then, and the limit of the experiment makes a look the last', () => {
  const experiment = planned({
    stop: { planned_looks: LOOKS, ends_at: '2030-01-02T00:00:00Z' },
  })
  const first = resultsOf(experiment, arms([100, 110], 260), { at: AT })
  assert.deepEqual(
    first.planned_looks!.taken.map(({ share }) => share),
    [0.26],
  )
  const late = { at: '2030-01-03T00:00:00.000Z', previous: first }
  const last = resultsOf(experiment, arms([160, 208], 400), late)
  assert.deepEqual(
    last.planned_looks!.taken.map(({ share }) => share),
    [0.26, 1],
  )
  close(last.planned_looks!.taken.at(-1)!.spent, 0.05, 0)
  assert.ok(last.planned_looks!.taken.at(-1)!.bound < 1.97, 'hardly anything was spent before')
  assert.equal(last.planned_looks!.next, null)
  assert.equal(last.decision.action, 'ship')
})

test('several arms share α: the second is held to a lower bound once the first crossed', () => {
  const three = ['control', 'treatment', 'third'].map((name, arm) => ({
    name,
    weight: arm === 0 ? 0.4 : 0.3,
    strategy: 'single',
  }))
  const experiment = planned({ arms: three }, { units: 3000, spending: 'pocock' })
  const [results] = watch(experiment, [arms([80, 160, 105], 200)])
  const [second, third] = results!.arms.slice(1).map(({ metrics }) => metrics['correct']!.planned!)
  assert.deepEqual([second!.crossed, third!.crossed], ['better', 'better'])
  assert.ok(third!.bound < second!.bound)
  close(second!.bound, results!.planned_looks!.taken[0]!.bound, 0)
  const [alone] = watch(planned({}, { spending: 'pocock' }), [arms([80, 160], 200)])
  close(third!.bound, alone!.planned_looks!.taken[0]!.bound)
})

test('rates too rare for a normal approximation are not looked at, and lose nothing by it', () => {
  const [results] = watch(planned(), [arms([0, 30], 200)])
  const { planned: result, standard_error } = results!.arms[1]!.metrics['correct']!
  assert.deepEqual([result, standard_error], [null, null])
  assert.equal(results!.planned_looks!.taken.length, 1)
})

test('A/A experiments with planned looks are decided wrongly in at most 5 %, however often somebody looks', (t) => {
  const repetitions = 400
  const experiment = planned({}, { number: 4, units: 1600, spending: 'pocock' })
  const random = createRandom(31)
  let found = 0
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const hits = [0, 0]
    let previous: ExperimentResults | undefined
    for (let units = 100; units <= 800; units += 100) {
      for (let unit = 0; unit < 100; unit++) {
        for (const arm of [0, 1]) if (random.next() < 0.42) hits[arm]! += 1
      }
      previous = resultsOf(experiment, arms(hits, units), { at: AT, ...(previous && { previous }) })
    }
    if (previous!.arms[1]!.metrics['correct']!.planned!.crossed !== null) found += 1
  }
  t.diagnostic(`false positives: ${(100 * found) / repetitions} %`)
  assert.ok(found / repetitions <= 0.05 + 2 * Math.sqrt((0.05 * 0.95) / repetitions))
})

test('plans that cannot hold are refused with the field named', () => {
  const refused = (changes: object, looks: object, field: RegExp) =>
    assert.throws(() => planned(changes, looks), field)
  refused({}, { units: 999 }, /planned_looks\/units.*1000/)
  refused({}, { number: 1 }, /planned_looks\/number/)
  refused({ allocation: { type: 'thompson' } }, {}, /planned_looks.*fixed/)
  refused({ metrics: [{ name: 'correct', type: 'boolean', direction: 'up' }] }, {}, /primary/)
  refused({ mode: 'duel', duel: { judge: 'm' } }, {}, /planned_looks.*split/)
  refused(
    { stop: { planned_looks: LOOKS, maximum_units: 1900 } },
    {},
    /planned_looks\/units.*maximum_units, 1900/,
  )
})

test('planned looks and their α stay as they were laid down; other limits may change', () => {
  const before = planned()
  const change = (stop: object) => () =>
    checkPhase(before, planned({ stop: { planned_looks: LOOKS, ...stop } }))
  assert.throws(change({ planned_looks: { ...LOOKS, number: 4 } }), /\/salt/)
  assert.throws(change({ alpha: 0.1 }), /\/salt/)
  assert.doesNotThrow(change({ ends_at: '2031-01-01T00:00:00Z' }))
})
