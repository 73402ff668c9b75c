import assert from 'node:assert/strict'
import test from 'node:test'
import {
  assign,
  rangesOf,
  unitHash,
  unitOf,
  type AssignmentReason,
} from '../../src/experiments/assignment.ts'
import { defineExperiment } from '../../src/experiments/experiment-rules.ts'
import { close } from './close.ts'
import { definition } from './definition.ts'

const running = (changes: object = {}) =>
  defineExperiment(definition({ status: 'running', ...changes }))

const UNITS = Array.from({ length: 10_000 }, (_, index) => `user-${index}`)

test('the hash of a unit is the published one', () => {
  for (const [unit, hash, u, bucket] of [
    ['user_1', 3_685_466_984, 0.858_089_65, 8580],
    ['user_2', 3_246_441_380, 0.755_871_036_1, 7558],
    ['user_3', 3_078_535_077, 0.716_777_303_5, 7167],
  ] as const) {
    assert.equal(unitHash('exp_1', 'salt', unit) * 2 ** 32, hash)
    close(unitHash('exp_1', 'salt', unit), u)
    assert.equal(assign(running({ key: 'exp_1', salt: 'salt' }), unit).bucket, bucket)
  }
})

test('ranges leave room for a ramp-up', () => {
  const flat = (weights: readonly number[], coverage: number): number[] =>
    rangesOf(weights, coverage).flat()
  close(flat([0.5, 0.5], 0.5), [0, 0.25, 0.5, 0.75])
  close(flat([0.5, 0.5], 0), [0, 0, 0.5, 0.5])
  close(flat([0.5, 0.5], 0.1), [0, 0.05, 0.5, 0.55])
  close(flat([0.5, 0.25, 0.25], 0.3), [0, 0.15, 0.5, 0.575, 0.75, 0.825])
  // Weights that miss 1 by rounding leave no unit out.
  close(flat([0.333_333_3, 0.333_333_3, 0.333_333_3], 1).at(-1)!, 1, 0)
})

test('units are split by the weights and the propensity says so', () => {
  const experiment = running({
    arms: [
      { name: 'a', weight: 0.7, strategy: 'single' },
      { name: 'b', weight: 0.3, strategy: 'self-refine' },
    ],
  })
  const first = UNITS.filter((unit) => assign(experiment, unit).arm.name === 'a').length
  assert.ok(Math.abs(first / UNITS.length - 0.7) < 0.015)
  const { reason, propensity, isRecorded, arm } = assign(experiment, 'user-1')
  assert.deepEqual([reason, propensity, isRecorded], ['assigned', arm.weight, true])
})

test('another salt assigns independently', () => {
  const [one, two] = [running({ salt: 'x' }), running({ salt: 'y' })]
  const same = UNITS.filter(
    (unit) => assign(one, unit).arm.name === assign(two, unit).arm.name,
  ).length
  assert.ok(Math.abs(same / UNITS.length - 0.5) < 0.02)
})

test('a ramp-up moves no unit in a million between arms', () => {
  const ramps = [0.01, 0.1, 0.5, 1].map((coverage) => rangesOf([0.5, 0.3, 0.2], coverage))
  const armAt = (ranges: readonly (readonly [number, number])[], u: number): number =>
    ranges.findIndex(([from, to]) => u >= from && u < to)
  let moved = 0
  let entered = 0
  for (let index = 0; index < 1_000_000; index++) {
    const u = unitHash('ramp', '1', `unit-${index}`)
    let arm = -1
    for (const ranges of ramps) {
      const next = armAt(ranges, u)
      if (arm >= 0 && next !== arm) moved += 1
      arm = next
    }
    if (arm >= 0) entered += 1
  }
  assert.equal(moved, 0)
  assert.equal(entered, 1_000_000)
})

test('a unit beyond the coverage gets the control and is not recorded', () => {
  const experiment = running({ coverage: 0.2 })
  const outcomes = UNITS.map((unit) => assign(experiment, unit))
  const outside = outcomes.filter(({ reason }) => reason === 'uncovered')
  assert.ok(Math.abs(outside.length / UNITS.length - 0.8) < 0.015)
  assert.ok(outside.every(({ arm, isRecorded }) => arm.name === 'control' && !isRecorded))
})

test('experiments of one layer share no unit, and the holdout is in none', () => {
  const layer = { name: 'main', salt: 's' }
  const holdout = { from: 0.9, to: 1 }
  const one = running({ key: 'one', layer: { ...layer, from: 0, to: 0.4 }, holdout })
  const two = running({ key: 'two', layer: { ...layer, from: 0.4, to: 0.9 }, holdout })
  const counts = { assigned: 0, holdout: 0 }
  for (const unit of UNITS) {
    const reasons = [one, two].map((experiment) => assign(experiment, unit).reason)
    assert.notDeepEqual(reasons, ['assigned', 'assigned'])
    assert.equal(reasons[0] === 'holdout', reasons[1] === 'holdout')
    if (reasons.includes('assigned')) counts.assigned += 1
    if (reasons[0] === 'holdout') counts.holdout += 1
  }
  assert.equal(counts.assigned + counts.holdout, UNITS.length)
  assert.ok(Math.abs(counts.holdout / UNITS.length - 0.1) < 0.01)
})

test('a killed arm sends its units to the control, with the reason, and moves nobody else', () => {
  const before = running()
  const arms = before.arms.map((arm, index) => (index === 1 ? { ...arm, killed: 'too slow' } : arm))
  const after = running({ arms })
  for (const unit of UNITS.slice(0, 1000)) {
    const [was, is] = [assign(before, unit), assign(after, unit)]
    assert.equal(is.arm.name, 'control')
    assert.equal(is.reason, was.arm.name === 'control' ? 'assigned' : 'killed')
  }
})

test('a killed control hands over to the first arm that is left', () => {
  const arms = running().arms.map((arm, index) =>
    index === 0 ? { ...arm, killed: 'broken' } : arm,
  )
  const experiment = running({ arms })
  assert.ok(UNITS.slice(0, 100).every((unit) => assign(experiment, unit).arm.name === 'treatment'))
})

test('an arm can be asked for by those who may, and is recorded as forced', () => {
  const forced = assign(running(), 'u', { variant: 'treatment', mayForce: true })
  assert.deepEqual(
    [forced.arm.name, forced.reason, forced.isRecorded],
    ['treatment', 'forced', true],
  )
  assert.throws(() => assign(running(), 'u', { variant: 'treatment' }), {
    param: 'experiment.variant',
  })
  assert.throws(
    () => assign(running(), 'u', { variant: 'x', mayForce: true }),
    /control, treatment/,
  )
})

test('only a running experiment assigns', () => {
  const reasonOf = (status: string, winner?: string): [AssignmentReason, string] => {
    const { reason, arm } = assign(running({ status }), 'u', winner === undefined ? {} : { winner })
    return [reason, arm.name]
  }
  assert.deepEqual(reasonOf('draft'), ['inactive', 'control'])
  assert.deepEqual(reasonOf('paused'), ['inactive', 'control'])
  assert.deepEqual(reasonOf('decided', 'treatment'), ['decided', 'treatment'])
  assert.deepEqual(reasonOf('decided'), ['decided', 'control'])
  const { arms } = running()
  const killed = arms.map((arm, index) => (index === 1 ? { ...arm, killed: 'slow' } : arm))
  const { arm } = assign(running({ status: 'decided', arms: killed }), 'u', { winner: 'treatment' })
  assert.equal(arm.name, 'control', 'a winner that was switched off since ships no more')
})

test('the shares of a bandit are the propensities', () => {
  const shares = [0.1, 0.9]
  const outcomes = UNITS.map((unit) => assign(running(), unit, { shares }))
  const control = outcomes.filter(({ arm }) => arm.name === 'control')
  assert.ok(control.every(({ propensity }) => propensity === 0.1))
  assert.ok(Math.abs(control.length / UNITS.length - 0.1) < 0.01)
})

test('the unit is what the request says, else what the experiment assigns by', () => {
  const sources = { conversation: 'c', question: 'q' }
  assert.equal(unitOf(running({ unit: 'user' }), { ...sources, explicit: 'e' }), 'e')
  assert.equal(unitOf(running(), { ...sources, explicit: 'e' }), 'e')
  assert.equal(unitOf(running({ unit: 'user' }), sources), 'c')
  assert.equal(unitOf(running({ unit: 'conversation' }), sources), 'c')
  assert.equal(unitOf(running(), sources), 'q')
})
