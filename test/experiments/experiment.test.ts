import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { guardrailsOf, observedValue, type Metric } from '../../src/experiments/experiment.ts'
import { checkNeighbours, defineExperiment } from '../../src/experiments/experiment-rules.ts'
import { checkChange, checkPhase } from '../../src/experiments/experiment-changes.ts'
import { definition } from './definition.ts'

const ARM = { name: 'control', weight: 0.5, strategy: 'single' }
const METRIC = { name: 'correct', type: 'boolean', direction: 'up', primary: true }
const two = (changes: object) => [ARM, { ...ARM, name: 'treatment', ...changes }]

test('the smallest definition of the wire is accepted and completed', () => {
  const experiment = defineExperiment(definition())
  assert.equal(experiment.status, 'draft')
  assert.equal(experiment.coverage, 1)
  assert.deepEqual(experiment.stop, { alpha: 0.05, tuned_for: 5000, minimum_units: 100 })
  assert.equal(experiment.allocation.type, 'fixed')
})

test('a definition survives its own defaults', () => {
  const experiment = defineExperiment(definition({ stop: { maximum_units: 1000 } }))
  assert.deepEqual(defineExperiment(experiment), experiment)
})

for (const [what, changes, param, words] of [
  ['weights that do not sum to 1', { arms: two({ weight: 0.4 }) }, 'arms', /sum to 0\.9/],
  ['two arms of one name', { arms: two({ name: 'control' }) }, 'arms.1.name', /unique/],
  ['a single arm', { arms: [{ ...ARM, weight: 1 }] }, 'arms', /2/],
  ['an arm without a strategy', { arms: two({ strategy: '' }) }, 'arms.1.strategy', /./],
  ['a range nobody would fall into', { coverage: 0.0001 }, 'arms.0.weight', /0\.0001/],
  ['a coverage above one', { coverage: 2 }, 'coverage', /./],
  ['an unknown field', { colour: 'red' }, 'colour', /known/],
  ['an unknown field of an arm', { arms: two({ colour: 'red' }) }, 'arms.1.colour', /known/],
  ['an unknown role', { arms: two({ models: { boss: 'x' } }) }, 'arms.1.models.boss', /known/],
  ['a key with a colon', { key: 'a:b' }, 'key', /./],
  [
    'all arms killed',
    {
      arms: [
        { ...ARM, killed: 'x' },
        { ...ARM, name: 'b', killed: 'x' },
      ],
    },
    'arms',
    /killed/,
  ],
  ['a metric twice', { metrics: [METRIC, METRIC] }, 'metrics.1.name', /unique/],
  [
    'an unknown type of metric',
    { metrics: [{ ...METRIC, type: 'text' }] },
    'metrics.0.type',
    /"boolean", "number"/,
  ],
  [
    'logarithms of truth',
    { metrics: [{ ...METRIC, transform: 'log' }] },
    'metrics.0.transform',
    /number/,
  ],
  [
    'a guardrail on nothing',
    { guardrails: [{ metric: 'x', margin: 1 }] },
    'guardrails.0.metric',
    /correct/,
  ],
  [
    'a margin of zero',
    { guardrails: [{ metric: 'correct', margin: 0 }] },
    'guardrails.0.margin',
    /./,
  ],
  [
    'two guardrails on one metric',
    { guardrails: [0.1, 0.2].map((margin) => ({ metric: 'correct', margin })) },
    'guardrails.1.metric',
    /already/,
  ],
  [
    'a guardrail on a metric with a margin of its own',
    {
      metrics: [{ ...METRIC, margin: 0.01 }],
      guardrails: [{ metric: 'correct', margin: 0.1, relative: true }],
    },
    'guardrails.0.metric',
    /already/,
  ],
  [
    'a share of a logarithm',
    {
      metrics: [{ name: 'cost', type: 'number', direction: 'down', transform: 'log' }],
      guardrails: [{ metric: 'cost', margin: 0.1, relative: true }],
    },
    'guardrails.0.relative',
    /factor/,
  ],
  [
    'a covariate under shares that move',
    { metrics: [{ ...METRIC, covariate: 'before' }], allocation: { type: 'thompson' } },
    'metrics.0.covariate',
    /fixed/,
  ],
  ['a holdout without a layer', { holdout: { from: 0, to: 0.1 } }, 'holdout', /layer/],
  [
    'a holdout inside the claim',
    { layer: { name: 'l', from: 0, to: 0.5 }, holdout: { from: 0.4, to: 0.6 } },
    'holdout',
    /overlap/,
  ],
  ['an empty part of a layer', { layer: { name: 'l', from: 0.5, to: 0.5 } }, 'layer.to', /above/],
  ['a limit below the minimum', { stop: { maximum_units: 10 } }, 'stop.maximum_units', /200/],
  ['an end that is no date', { stop: { ends_at: 'soon' } }, 'stop.ends_at', /./],
  [
    'a floor that leaves no choice',
    { allocation: { type: 'thompson', floor: 0.5 } },
    'allocation.floor',
    /1 \/ 2/,
  ],
  ['an unknown status', { status: 'done' }, 'status', /draft/],
] as const) {
  test(`refused with the field named: ${what}`, () => {
    assert.throws(
      () => defineExperiment(definition(changes)),
      (error: unknown) => {
        assert.ok(error instanceof RefineError)
        assert.equal(error.code, 'invalid_request')
        assert.equal(error.param, param)
        assert.match(error.message, words)
        return true
      },
    )
  })
}

test('the caller’s check of arms sees each with its pointer', () => {
  const seen: string[] = []
  defineExperiment(definition(), {
    arm: (arm, pointer) => seen.push(`${pointer} ${arm.strategy}`),
  })
  assert.deepEqual(seen, ['/arms/0 single', '/arms/1 self-refine'])
})

test('weights of thirds are accepted with the decimals people write', () => {
  const arms = ['a', 'b', 'c'].map((name) => ({ ...ARM, name, weight: 0.333_333_3 }))
  assert.equal(defineExperiment(definition({ arms })).arms.length, 3)
})

test('guardrails are those listed and the metrics with a margin', () => {
  const metrics = [METRIC, { name: 'cost', type: 'number', direction: 'down', margin: 0.1 }]
  const guardrails = [{ metric: 'correct', margin: 0.02 }]
  assert.deepEqual(guardrailsOf(defineExperiment(definition({ metrics, guardrails }))), [
    { metric: 'correct', margin: 0.02, relative: false },
    { metric: 'cost', margin: 0.1 },
  ])
})

test('experiments of one layer may not claim the same units', () => {
  const layer = { name: 'main', from: 0, to: 0.5 }
  const one = defineExperiment(definition({ key: 'one', layer, status: 'running' }))
  const clash = (changes: object, key = 'two') =>
    defineExperiment(definition({ key, layer: { ...layer, ...changes } }))
  assert.throws(() => checkNeighbours(clash({ from: 0.4, to: 0.6 }), [one]), { param: 'layer' })
  assert.throws(() => checkNeighbours(clash({ from: 0.5, to: 1, salt: 'x' }), [one]), {
    param: 'layer.salt',
  })
  checkNeighbours(clash({ from: 0.5, to: 1 }), [one])
  checkNeighbours(clash({}, 'one'), [one])
  checkNeighbours(clash({ name: 'other' }), [one])
  const holding = defineExperiment(
    definition({ layer: { ...layer, from: 0.5, to: 0.8 }, holdout: { from: 0, to: 0.1 } }),
  )
  assert.throws(() => checkNeighbours(holding, [one]), { param: 'holdout' })
})

test('a running experiment may ramp up and kill an arm, but weights need a new salt', () => {
  const before = defineExperiment(definition({ status: 'running', coverage: 0.1 }))
  const change = (changes: object) =>
    checkPhase(before, defineExperiment(definition({ status: 'running', ...changes })))
  change({ coverage: 1 })
  change({
    arms: before.arms.map((arm) => (arm.name === 'control' ? arm : { ...arm, killed: 'slow' })),
  })
  const weights = before.arms.map((arm, index) => ({ ...arm, weight: index === 0 ? 0.4 : 0.6 }))
  assert.throws(() => change({ arms: weights }), { param: 'salt' })
  const options = before.arms.map((arm) => ({ ...arm, options: { rounds: 9 } }))
  assert.throws(() => change({ arms: options }), { param: 'salt' })
  const renamed = defineExperiment(definition({ status: 'running', key: 'other' }))
  assert.throws(() => checkChange(before, renamed), { param: 'key' })
})

test('an arm that is switched on again needs a new salt, but in the shadow, where it missed no units', () => {
  const change = (settings: object, later: object = {}) => {
    const running = defineExperiment(definition({ status: 'running', ...settings }))
    const arms = running.arms.map((arm, index) => (index === 1 ? { ...arm, killed: 'slow' } : arm))
    const off = defineExperiment({ ...running, arms })
    checkPhase(running, off)
    checkPhase(off, defineExperiment({ ...running, ...later }))
  }
  assert.throws(() => change({}), { param: 'salt', message: /switched on again: "/ })
  assert.throws(() => change({}, { status: 'paused' }), { param: 'salt' })
  change({ status: 'draft' })
  change({ mode: 'shadow', duel: { judge: 'judge' } })
})

test('states follow one another in one direction', () => {
  const at = (status: string) => defineExperiment(definition({ status }))
  checkChange(at('draft'), at('running'))
  checkChange(at('running'), at('paused'))
  checkChange(at('paused'), at('running'))
  checkChange(at('running'), at('decided'))
  for (const [from, to] of [
    ['draft', 'decided'],
    ['running', 'draft'],
    ['decided', 'running'],
  ] as const) {
    assert.throws(() => checkChange(at(from), at(to)), { code: 'conflict', param: 'status' })
  }
})

test('raw outcomes become numbers, or nothing', () => {
  const metric = (changes: object = {}): Metric => ({
    name: 'm',
    type: 'number',
    direction: 'up',
    ...changes,
  })
  assert.equal(observedValue(metric(), true), 1)
  assert.equal(observedValue(metric({ cap: 3 }), 10), 3)
  assert.equal(observedValue(metric({ transform: 'log' }), Math.E), 1)
  assert.equal(observedValue(metric({ transform: 'log' }), 0), undefined)
  assert.equal(observedValue(metric(), 'good'), undefined)
  assert.equal(observedValue(metric(), Number.NaN), undefined)
  assert.equal(observedValue(metric({ type: 'boolean' }), 0.5), undefined)
  assert.equal(observedValue(metric({ type: 'boolean' }), 0), 0)
})
