import assert from 'node:assert/strict'
import test from 'node:test'
import { findErrors } from '../../src/core/validation.ts'
import { defineExperiment } from '../../src/experiments/experiment-rules.ts'
import { ExperimentResults } from '../../src/experiments/results-schema.ts'
import { resultsOf, type ArmData } from '../../src/experiments/results.ts'
import { sketchOf } from '../../src/experiments/quantile.ts'
import { sharesOf } from '../../src/experiments/shares.ts'
import { collect, NO_SUMS, successes } from '../../src/core/sums.ts'
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
  close(treatment!.p!, 0.030_755_882_7)
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

test('a guardrail on a number that never varies holds, or is broken, after 100 units', () => {
  const same = (value: number, units: number): ArmData['metrics'] => ({
    cost: {
      count: units,
      sums: collect(Array.from({ length: units }, () => ({ total: value, base: 1 }))),
    },
  })
  for (const relative of [false, true]) {
    const guarded = (value: number, units: number) => {
      const guardrails = [{ metric: 'cost', margin: 0.5, relative }]
      const experiment = running({ metrics: [CORRECT, COST], guardrails })
      const data = [
        arm('control', 50, units, same(0, units)),
        arm('treatment', 50, units, same(value, units)),
      ]
      const { passes, breached } = resultsOf(experiment, data, { at: AT }).arms[1]!.metrics['cost']!
        .guardrail!
      return [passes, breached]
    }
    assert.deepEqual(guarded(0, 99), [false, false])
    assert.deepEqual(guarded(0, 100), [true, false])
    assert.deepEqual(guarded(1, 100), [false, true])
  }
  const truths = running({ guardrails: [{ metric: 'correct', margin: 0.5, relative: true }] })
  const never = [arm('control', 0, 100), arm('treatment', 0, 100)]
  const { guardrail } = resultsOf(truths, never, { at: AT }).arms[1]!.metrics['correct']!
  assert.equal(guardrail!.passes, false, 'what never came true yet still may')
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

test('a difference that turned round since it was shown ships nothing and keeps nothing', () => {
  const tight = running({
    metrics: [CORRECT, COST],
    guardrails: [{ metric: 'cost', margin: 0.01 }],
  })
  const first = resultsOf(tight, winning, { at: AT })
  const later = [
    arm('control', 530, 2000, costs(10, 2000)),
    arm('treatment', 529, 2000, costs(10, 2000)),
  ]
  const results = resultsOf(tight, later, { at: AT, previous: first })
  const { p_anytime, pointed, better } = results.arms[1]!.metrics['correct']!
  assert.deepEqual([pointed, better], ['better', false])
  assert.equal(p_anytime, first.arms[1]!.metrics['correct']!.p_anytime)
  assert.deepEqual([results.decision.action, results.decision.arm], ['continue', null])
})

test('a look kept by an earlier version does not tell where it pointed, which is taken for where it points now', () => {
  const first = resultsOf(running(), winning, { at: AT })
  const previous = structuredClone(first)
  delete (previous.arms[1]!.metrics['correct'] as { pointed?: unknown }).pointed
  const { arms } = resultsOf(running(), winning, { at: AT, previous })
  assert.equal(arms[1]!.metrics['correct']!.pointed, 'better')
})

test('of several arms that may ship the first primary metric chooses, not the one with the larger numbers', () => {
  const metrics = [CORRECT, { ...COST, primary: true }]
  const arms = ['control', 'better', 'cheaper'].map((name, index) => ({
    name,
    weight: index === 0 ? 0.4 : 0.3,
    strategy: 'single',
  }))
  const data = [
    arm('control', 560, 1400, costs(100, 1400)),
    arm('better', 630, 1050, costs(100, 1050)),
    arm('cheaper', 420, 1050, costs(50, 1050)),
  ]
  const { decision } = resultsOf(running({ metrics, arms }), data, { at: AT })
  assert.deepEqual([decision.action, decision.arm], ['ship', 'better'])
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

const LATENCY = { name: 'latency', type: 'number', direction: 'down', quantile: 0.5 }

/** Units with so many runs each, whose latencies are spread by 10 % around 2 seconds. */
const delays = (units: number, runs: number): ArmData['metrics'] => ({
  latency: {
    count: units * runs,
    sums: { ...NO_SUMS, units, base: units * runs, baseBase: units * runs * runs },
    sketch: sketchOf(
      Array.from({ length: units * runs }, (_, run) => 1.8 + ((run * 7) % 41) / 100),
    ),
  },
})

test('a quantile is known no better for many runs of the same units', () => {
  const resultOf = (units: number, runs: number) => {
    const data = ['control', 'treatment'].map((name) => ({
      name,
      exposures: units,
      metrics: delays(units, runs),
    }))
    return resultsOf(running({ metrics: [LATENCY] }), data, { at: AT }).arms[1]!.metrics['latency']!
  }
  const [single, clustered, few] = [resultOf(400, 1), resultOf(400, 20), resultOf(20, 200)]
  close(clustered.standard_error!, single.standard_error!, 0.01)
  close(clustered.interval!.map(Number), single.interval!.map(Number), 0.05)
  assert.deepEqual([few.method, clustered.method, clustered.count], [null, 'mixture', 8000])
})

test('a guardrail on a quantile that many units have in common holds', () => {
  const metrics = [{ ...LATENCY, margin: 0.2 }]
  const data = ['control', 'treatment'].map((name) => ({
    name,
    exposures: 100_000,
    metrics: delays(100_000, 1),
  }))
  const { guardrail, standard_error: error } = resultsOf(running({ metrics }), data, { at: AT })
    .arms[1]!.metrics['latency']!
  assert.equal(guardrail!.passes, true)
  assert.ok(error! > 0 && error! < 0.02)
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

/** Units whose judge and, of the first `labelled`, whose users say yes or no; the judge is wrong in every tenth. */
const judged = (rate: number, units: number, labelled: number): ArmData['metrics'] => {
  const truths = Array.from({ length: units }, (_, unit) => Number((unit * 7) % 100 < rate * 100))
  const said = truths.map((truth, unit) => (unit % 10 === 3 ? 1 : truth))
  const known = truths.slice(0, labelled)
  return {
    correct: { count: labelled, sums: collect(known.map((total) => ({ total, base: 1 }))) },
    judge: { count: units, sums: collect(said.map((total) => ({ total, base: 1 }))) },
    'correct~errors': {
      count: labelled,
      sums: collect(
        known.map((truth, unit) => ({ total: said[unit]! - truth, base: 1, covariate: truth })),
      ),
    },
  }
}

test('a metric that a judge predicts is known as exactly as the judge allows, and without its bias', () => {
  const PREDICTED = { ...CORRECT, predicted_by: 'judge' }
  const JUDGE = { name: 'judge', type: 'boolean', direction: 'up' }
  const data = [0.4, 0.5].map((rate, index) => ({
    name: ['control', 'treatment'][index]!,
    exposures: 4000,
    metrics: judged(rate, 4000, 400),
  }))
  const [plain, powered] = [CORRECT, PREDICTED].map(
    (metric) => resultsOf(running({ metrics: [metric, JUDGE] }), data, { at: AT }).arms,
  )
  const [control, treatment] = powered!.map(({ metrics }) => metrics['correct']!)
  close([control!.mean!, treatment!.mean!], [0.4, 0.5], 0.02)
  assert.ok(powered![0]!.metrics['judge']!.mean! > 0.45, 'the judge itself says too often yes')
  assert.ok(treatment!.standard_error! < 0.75 * plain![1]!.metrics['correct']!.standard_error!)
  assert.deepEqual([control!.units, control!.agreement!.units], [400, 400])
  close(control!.agreement!.bias!, 0.06, 0.02)
  assert.ok(control!.agreement!.kappa! > 0.8 && control!.agreement!.kappa! < 0.95)
  assert.equal(plain![0]!.metrics['correct']!.agreement, null)
})

test('a prediction needs another metric with a plain mean, and the field is named', () => {
  const refused = (metrics: object[], message: RegExp) =>
    assert.throws(() => running({ metrics }), message)
  const by = { ...CORRECT, predicted_by: 'cost' }
  refused([by], /metrics\/0\/predicted_by.*no "cost"/)
  refused([{ ...CORRECT, predicted_by: 'correct' }], /predicted_by/)
  refused([by, { ...COST, quantile: 0.5 }], /metrics\/0\/predicted_by.*quantile/)
  refused([{ ...by, covariate: 'x' }, COST], /metrics\/0\/covariate/)
  refused([by, { ...COST, predicted_by: 'correct' }], /is predicted itself/)
})

test('other metrics are named by e-BH on the e-values of the look, primary ones never', () => {
  const metrics = [CORRECT, COST, { ...COST, name: 'same' }]
  const more = (mean: number, same: number) => ({
    ...costs(mean, 1000),
    same: costs(same, 1000)['cost']!,
  })
  const data = [arm('control', 400, 1000, more(10, 5)), arm('treatment', 520, 1000, more(11, 5))]
  const { correct, cost, same } = resultsOf(running({ metrics }), data, { at: AT }).arms[1]!.metrics
  assert.deepEqual([correct!.discovered, cost!.discovered, same!.discovered], [null, true, false])
  assert.ok(cost!.evidence! >= 2 / 0.05 && same!.evidence! < 1)
  close(1 / correct!.evidence!, correct!.p_anytime!, 1e-12)
})

test('a bandit has unbiased means beside those with little noise', () => {
  const weighted = (units: number, hits: number, weight: number): ArmData['metrics'] => ({
    correct: {
      count: units,
      sums: collect(
        Array.from({ length: units }, (_, unit) => ({
          total: Number(unit < hits),
          base: 1,
          weight,
        })),
      ),
    },
  })
  const data = [
    { name: 'control', exposures: 200, metrics: weighted(200, 80, 1 / 0.2) },
    { name: 'treatment', exposures: 800, metrics: weighted(800, 400, 1 / 0.8) },
  ]
  const bandit = running({ allocation: { type: 'thompson' } })
  const [control, treatment] = resultsOf(bandit, data, { at: AT }).arms.map(
    ({ metrics }) => metrics['correct']!,
  )
  close([control!.unbiased_mean!, treatment!.unbiased_mean!], [0.4, 0.5])
  close([control!.mean!, treatment!.mean!], [0.4, 0.5])
  assert.equal(
    resultsOf(running(), data, { at: AT }).arms[0]!.metrics['correct']!.unbiased_mean,
    null,
  )
})

test('a lift is believed less the less is known of it', () => {
  const believed = (units: number) => {
    const data = [arm('control', units * 0.4, units), arm('treatment', units * 0.48, units)]
    return resultsOf(running(), data, { at: AT }).arms[1]!.metrics['correct']!
  }
  const [few, many] = [believed(500), believed(50_000)]
  close([few.lift!, many.lift!], [0.2, 0.2])
  assert.ok(few.lift_believed!.mean < 0.1 && many.lift_believed!.mean > 0.19)
  assert.ok(many.lift_believed!.chance_better > 0.999 && few.lift_believed!.chance_better < 0.999)
  const down = { ...CORRECT, direction: 'down' }
  const data = [arm('control', 200, 500), arm('treatment', 240, 500)]
  const worse = resultsOf(running({ metrics: [down] }), data, { at: AT }).arms[1]!.metrics[
    'correct'
  ]!
  close(worse.lift_believed!.mean, few.lift_believed!.mean)
  close(worse.lift_believed!.chance_better, 1 - few.lift_believed!.chance_better)
  close(worse.lift_believed!.interval!.map(Number), few.lift_believed!.interval!.map(Number))
})

test('track-and-stop ends with the likelihood ratio of the leader, and with nothing else', () => {
  const look = (hits: readonly [number, number], units: number, changes: object = {}) =>
    resultsOf(
      running({ allocation: { type: 'track_and_stop' }, ...changes }),
      [arm('control', hits[0], units), arm('treatment', hits[1], units)],
      { at: AT },
    )
  const early = look([210, 240], 500)
  assert.deepEqual(early.best_arm!.arm, 'treatment')
  close([early.best_arm!.evidence, early.best_arm!.threshold], [1.824_817_5, 5.063_576_2], 0.01)
  assert.match(
    early.decision.reason,
    /treatment leads with evidence 1\.8\d+, of 5\.064 that it takes/,
  )
  const late = look([840, 960], 2000)
  close([late.best_arm!.evidence, late.best_arm!.threshold], [7.299_270_1, 5.225_106_6], 0.01)
  assert.deepEqual([late.decision.action, late.decision.arm], ['ship', 'treatment'])
  assert.equal(look([960, 840], 2000).decision.arm, 'control')
  const guarded = look([840, 960], 2000, { metrics: [CORRECT, { ...COST, margin: 1 }] })
  assert.match(guarded.decision.reason, /Not yet shown to hold: cost/)
  assert.equal(resultsOf(running(), [], { at: AT }).best_arm, null)
  const { arms } = running()
  const killed = arms.map((each, index) => (index === 1 ? { ...each, killed: 'slow' } : each))
  assert.equal(look([840, 960], 2000, { arms: killed }).best_arm, null, 'nothing is left to lead')
})

test('under track-and-stop no p-value decides before there is a leader, and the limit keeps the control', () => {
  const hits = [arm('control', 300, 1000), arm('treatment', 700, 1000)]
  const allocation = { type: 'track_and_stop', minimum_units: 2000 }
  const { best_arm, decision } = resultsOf(running({ allocation }), hits, { at: AT })
  assert.equal(best_arm, null)
  assert.equal(decision.status, 'undecided')
  assert.match(decision.reason, /each needs 2000 units/)
  const over = running({ allocation, stop: { maximum_units: 2000 } })
  assert.equal(resultsOf(over, hits, { at: AT }).decision.action, 'keep')
})

test('an arm that was switched off gets no share of a bandit, and the others need not wait for it', () => {
  const names = ['control', 'off', 'treatment']
  const arms = names.map((name, index) => ({
    name,
    weight: index === 0 ? 0.4 : 0.3,
    strategy: 'single',
    ...(name === 'off' && { killed: 'slow' }),
  }))
  const others = [arm('control', 400, 1000), arm('treatment', 450, 1000)]
  for (const type of ['thompson', 'top_two', 'track_and_stop']) {
    const experiment = running({ arms, allocation: { type } })
    for (const data of [others, [...others, arm('off', 90, 100)], [...others, arm('off', 1, 5)]]) {
      const [first, off, last] = sharesOf(experiment, data)!
      assert.equal(off, 0)
      close(first! + last!, 1)
      assert.ok(first! > 0)
    }
    const best = resultsOf(experiment, [...others, arm('off', 1, 5)], { at: AT }).best_arm
    assert.equal(best?.arm, type === 'track_and_stop' ? 'treatment' : undefined)
    const alone = arms.map((each) => (each.name === 'control' ? each : { ...each, killed: 'slow' }))
    assert.equal(sharesOf(running({ arms: alone, allocation: { type } }), others), undefined)
  }
})

test('nothing is decided of arms that were switched off', () => {
  const { arms } = running()
  const killed = arms.map((each, index) => (index === 1 ? { ...each, killed: 'slow' } : each))
  const data = [arm('control', 400, 1000), arm('treatment', 410, 1000)]
  const { decision } = resultsOf(running({ arms: killed }), data, { at: AT })
  assert.equal(decision.action, 'continue')
  assert.equal(decision.reason, 'Every other arm is switched off.')
  const over = resultsOf(running({ arms: killed, stop: { maximum_units: 2000 } }), data, { at: AT })
  assert.equal(over.decision.reason, 'The limit was reached without a winner.')
})
