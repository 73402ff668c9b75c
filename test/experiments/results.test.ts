import assert from 'node:assert/strict'
import test from 'node:test'
import { findErrors } from '../../src/core/validation.ts'
import { defineExperiment } from '../../src/experiments/experiment-rules.ts'
import { ExperimentResults } from '../../src/experiments/results-schema.ts'
import { resultsOf, type ArmData } from '../../src/experiments/results.ts'
import { sketchOf } from '../../src/experiments/quantile.ts'
import { collect, successes } from '../../src/core/sums.ts'
import { close } from './close.ts'
import { definition } from './definition.ts'

const AT = '2030-01-01T00:00:00.000Z'
const COST = { name: 'cost', type: 'number', direction: 'down' }
const CORRECT = { name: 'correct', type: 'boolean', direction: 'up', primary: true }

const running = (changes: object = {}) =>
  defineExperiment(definition({ status: 'running', stop: { tuned_for: 2000 }, ...changes }))

const arm = (
  name: string,
  hits: number,
  units: number,
  more: ArmData['metrics'] = {},
): ArmData => ({
  name,
  exposures: units,
  metrics: { correct: { count: units, sums: successes(hits, units) }, ...more },
})

/** n units with one cost each, around the mean. */
const costs = (mean: number, units: number): ArmData['metrics'] => ({
  cost: {
    count: units,
    sums: collect(
      Array.from({ length: units }, (_, index) => ({ total: mean + (index % 5) - 2, base: 1 })),
    ),
  },
})

test('the running example comes out with every figure of the specification', () => {
  const results = resultsOf(running(), [arm('control', 420, 1000), arm('treatment', 468, 1000)], {
    at: AT,
  })
  assert.deepEqual(findErrors(ExperimentResults, results), [])
  const [control, treatment] = results.arms.map(({ metrics }) => metrics['correct']!)
  assert.equal(control!.difference, null)
  close(control!.interval as [number, number], [0.389_772_682_2, 0.450_839_599_2])
  close(treatment!.difference!, 0.048)
  close(treatment!.p!, 0.030_561_067_4)
  close(treatment!.difference_interval as [number, number], [0.004_453_219_2, 0.091_290_316_7])
  close(treatment!.p_anytime!, 0.374_577_053_2)
  close(treatment!.interval_anytime as [number, number], [
    0.048 - 0.067_363_59,
    0.048 + 0.067_363_59,
  ])
  close(treatment!.lift!, 0.114_285_714_3)
  close(treatment!.chance_best!, 0.984_592_595_9)
  close(treatment!.expected_loss!, 0.000_121_657_2)
  assert.equal(control!.expected_loss, null)
  close(control!.mean_interval_anytime!.map(Number), [0.365_705_893_9, 0.475_619_789_5])
  assert.equal(treatment!.method, 'mixture')
  assert.equal(results.decision.action, 'continue')
  close(results.srm.p_fixed!, 1)
})

test('an experiment without data has results, with nothing claimed', () => {
  const results = resultsOf(running({ metrics: [CORRECT, COST] }), [], { at: AT })
  assert.deepEqual(findErrors(ExperimentResults, results), [])
  for (const { metrics, exposures } of results.arms) {
    assert.equal(exposures, 0)
    assert.deepEqual([metrics['correct']!.mean, metrics['cost']!.interval], [null, null])
  }
  assert.equal(results.decision.status, 'undecided')
})

test('few units get the exact method for rates, and nothing for numbers', () => {
  const data = [arm('control', 1, 20, costs(5, 20)), arm('treatment', 18, 20, costs(9, 20))]
  const results = resultsOf(running({ metrics: [CORRECT, COST] }), data, { at: AT })
  const { correct, cost } = results.arms[1]!.metrics
  assert.equal(correct!.method, 'exact')
  assert.ok(correct!.p_anytime! < 0.001 && correct!.interval_anytime![0]! > 0)
  assert.deepEqual([cost!.method, cost!.p_anytime, cost!.interval_anytime], [null, null, null])
  assert.notEqual(cost!.p, null)
  assert.equal(results.decision.status, 'undecided')
})

const winning = [
  arm('control', 400, 1000, costs(10, 1000)),
  arm('treatment', 520, 1000, costs(10, 1000)),
]

test('a superior arm ships when every guardrail is shown to hold', () => {
  const experiment = running({ metrics: [CORRECT, { ...COST, margin: 1 }] })
  const { decision, arms } = resultsOf(experiment, winning, { at: AT })
  assert.deepEqual([decision.action, decision.arm, decision.at], ['ship', 'treatment', AT])
  assert.deepEqual(decision.evidence!.exposures, { control: 1000, treatment: 1000 })
  assert.equal(arms[1]!.metrics['cost']!.guardrail!.passes, true)
})

test('a guardrail on what never happens holds once enough units say so, and breaks where it happens', () => {
  const failed = { name: 'failed', type: 'boolean', direction: 'down', margin: 0.05 }
  const guarded = (units: number, failures: number) => {
    const experiment = running({ metrics: [CORRECT, failed] })
    const of = (count: number): ArmData['metrics'] => ({
      failed: { count: units, sums: successes(count, units) },
    })
    const data = [arm('control', 0, units, of(0)), arm('treatment', 0, units, of(failures))]
    return resultsOf(experiment, data, { at: AT }).arms[1]!.metrics['failed']!.guardrail!
  }
  assert.deepEqual([guarded(100, 0).passes, guarded(100, 0).breached], [false, false])
  assert.equal(guarded(300, 0).passes, true)
  const broken = guarded(300, 60)
  assert.deepEqual([broken.passes, broken.breached], [false, true])
})

test('a superior arm waits while a guardrail is open or broken', () => {
  const tight = running({
    metrics: [CORRECT, COST],
    guardrails: [{ metric: 'cost', margin: 0.01 }],
  })
  const open = resultsOf(tight, winning, { at: AT })
  assert.deepEqual([open.decision.action, open.decision.arm], ['continue', null])
  assert.match(open.decision.reason, /cost/)
  const dear = [winning[0]!, arm('treatment', 520, 1000, costs(15, 1000))]
  const broken = resultsOf(tight, dear, { at: AT }).arms[1]!.metrics['cost']!
  assert.deepEqual(
    [broken.guardrail!.passes, broken.guardrail!.breached, broken.better],
    [false, true, false],
  )
})

test('nothing is decided while the split is mismatched', () => {
  const data = [arm('control', 400, 1000), arm('treatment', 700, 1300)]
  const { srm, decision } = resultsOf(running(), data, { at: AT })
  assert.equal(srm.mismatched, true)
  assert.deepEqual([decision.action, decision.status], ['continue', 'undecided'])
})

test('the control is kept when the other arm is worse, and when the limit is reached', () => {
  const worse = [arm('control', 520, 1000), arm('treatment', 400, 1000)]
  const lost = resultsOf(running(), worse, { at: AT }).decision
  assert.deepEqual([lost.action, lost.arm], ['keep', 'control'])
  const limited = running({ stop: { tuned_for: 2000, maximum_units: 2000 } })
  const equal = [arm('control', 420, 1000), arm('treatment', 421, 1000)]
  assert.equal(resultsOf(limited, equal, { at: AT }).decision.action, 'keep')
  const late = running({ stop: { ends_at: '2029-12-31T00:00:00Z' } })
  assert.equal(resultsOf(late, equal, { at: AT }).decision.action, 'keep')
})

test('a decision stands with its data, and p-values never rise again', () => {
  const first = resultsOf(running(), winning, { at: AT })
  const later = [arm('control', 900, 2000), arm('treatment', 930, 2000)]
  const second = resultsOf(running(), later, { at: '2030-01-02T00:00:00.000Z', previous: first })
  assert.deepEqual(second.decision, first.decision)
  const p = (results: typeof first): number => results.arms[1]!.metrics['correct']!.p_anytime!
  assert.equal(p(second), p(first))
  assert.ok(p(resultsOf(running(), later, { at: AT })) > p(first))
})

test('several arms share the level of the primary metrics', () => {
  const arms = ['control', 'b', 'c'].map((name, index) => ({
    name,
    weight: index === 0 ? 0.4 : 0.3,
    strategy: 'single',
  }))
  const data = [arm('control', 560, 1400), arm('b', 530, 1050), arm('c', 441, 1050)]
  const results = resultsOf(running({ arms }), data, { at: AT })
  const [b, c] = results.arms.slice(1).map(({ metrics }) => metrics['correct']!)
  close(b!.p_adjusted!, 2 * b!.p_anytime!)
  assert.equal(c!.p_adjusted, Math.max(c!.p_anytime!, b!.p_adjusted!))
  assert.equal(results.decision.arm, 'b')
  close(
    results.arms.reduce((sum, { metrics }) => sum + metrics['correct']!.chance_best!, 0),
    1,
  )
})

test('missing feedback is an outcome with its own test', () => {
  const answered = (name: string, responses: number): ArmData => ({
    ...arm(name, Math.round(responses / 2), responses),
    exposures: 2000,
  })
  const data = [answered('control', 400), answered('treatment', 600)]
  const { response_rate, response_p } = resultsOf(running(), data, { at: AT }).arms[1]!.metrics[
    'correct'
  ]!
  close(response_rate!, 0.3)
  assert.ok(response_p! < 1e-6)
})

test('quantiles, logarithms and covariates are compared in their own way', () => {
  const metrics = [
    { name: 'latency', type: 'number', direction: 'down', quantile: 0.95 },
    { name: 'tokens', type: 'number', direction: 'down', transform: 'log' },
    { name: 'score', type: 'number', direction: 'up', covariate: 'first_score' },
  ]
  const data = ['control', 'treatment'].map((name, index): ArmData => {
    const values = Array.from(
      { length: 1000 },
      (_, unit) => 1 + (unit % 100) * (index === 0 ? 1 : 2),
    )
    const before = values.map((_, unit) => (unit * 7919) % 100)
    const units = (totals: readonly number[]) =>
      collect(totals.map((total, unit) => ({ total, base: 1, covariate: before[unit]! })))
    return {
      name,
      exposures: 1000,
      metrics: {
        latency: { count: 1000, sums: units(values), sketch: sketchOf(values) },
        tokens: { count: 1000, sums: units(values.map((value) => Math.log(value * 2 ** index))) },
        score: { count: 1000, sums: units(before.map((x, unit) => x + index + (unit % 3))) },
      },
    }
  })
  const results = resultsOf(defineExperiment(definition({ status: 'running', metrics })), data, {
    at: AT,
  })
  assert.deepEqual(findErrors(ExperimentResults, results), [])
  const { latency, tokens, score } = results.arms[1]!.metrics
  close(latency!.mean! / 189, 1, 0.02)
  assert.equal(latency!.better, false)
  assert.ok(tokens!.lift! > 1)
  close(score!.difference!, 1, 0.01)
  assert.ok(score!.p_anytime! < 1e-6)
})

test('a bandit has no mismatch test: its shares are meant to move', () => {
  const experiment = running({ allocation: { type: 'thompson' } })
  const data = [arm('control', 100, 200), arm('treatment', 900, 1800)]
  assert.deepEqual(resultsOf(experiment, data, { at: AT }).srm, {
    p: null,
    p_fixed: null,
    mismatched: false,
  })
})
