import test from 'node:test'
import assert from 'node:assert/strict'
import { emptyUsage } from '../../src/core/run-state.ts'
import type { Item } from '../../src/evaluation/data-set.ts'
import type { RunMeasure } from '../../src/evaluation/measure.ts'
import { amount, duration, percent, points, ratio } from '../../src/evaluation/report/format.ts'
import { linearScale, logScale } from '../../src/evaluation/report/charts/scale.ts'
import { toMarkdown } from '../../src/evaluation/report/markdown.ts'
import { toHtml } from '../../src/evaluation/report/page.ts'
import { reportResults } from '../../src/evaluation/report/results.ts'
import { newcombePaired, wilson } from '../../src/evaluation/statistics/interval.ts'

const measure = (
  arm: string,
  item: number,
  last: boolean,
  changes: Partial<RunMeasure> = {},
): RunMeasure => ({
  arm,
  item: String(item),
  repeat: 0,
  difficulty: undefined,
  status: 'completed',
  ended: 'finished',
  answered: true,
  first: false,
  last,
  usage: { ...emptyUsage(), calls: 2, input_tokens: 30, output_tokens: 20, seconds: 1 },
  drafts: { total: 4, right: last ? 2 : 0 },
  candidates: { total: 4, right: last ? 2 : 0 },
  majority: [1, 2, 4].map((k) => ({ k, right: last })),
  effectiveAnswers: 2,
  scores: [],
  comparisons: { total: 0, consistent: 0, decidable: 0, decidedRightly: 0 },
  reviews: { onRight: 0, falseAlarms: 0, onWrong: 0, found: 0 },
  revisions: { total: 0, copies: 0 },
  timeline: [{ seconds: 1, tokens: 50, right: last }],
  ...changes,
})

const plan = (arms: readonly string[], items: number, repeats = 1) => ({
  arms: arms.map((name) => ({ name })),
  items: Array.from({ length: items }, (_, id): Item => ({
    id: String(id),
    question: { input: 'q' },
    label: '1',
    difficulty: undefined,
  })),
  repeats,
  seed: 1,
})

test('an arm is compared on the runs that both arms have', () => {
  const measures = [
    ...[true, false, false, true].map((last, item) => measure('a|b', item, last)),
    ...[true, true, true].map((last, item) => measure('c', item, last)),
  ]
  const results = reportResults({ plan: plan(['a|b', 'c', 'empty'], 4), measures, dataName: 'd' })
  const [first, second] = results.arms
  assert.deepEqual([results.baseline, results.complete, results.arms.length], ['a|b', false, 2])
  assert.deepEqual(first!.accuracy, { value: 0.5, ...wilson(2, 4) })
  const { value, pairs, better, worse, p, method } = second!.difference!
  assert.deepEqual([value, pairs, better, worse, p], [2 / 3, 3, 2, 0, 0.5])
  assert.match(method, /Newcombe/)
  assert.deepEqual([first!.on_pareto_front, second!.on_pareto_front], [false, true])
  assert.equal(first!.anytime.area_tokens, 0) // nothing before the horizon of 50 tokens
  const markdown = toMarkdown(results)
  assert.match(markdown, /7 of 12 runs: not complete/)
  assert.match(markdown, /\| a\\\|b \| 50\.0 \[15\.0, 85\.0\] \| – \|/)
  assert.doesNotMatch(markdown, /NaN|undefined|null/)
})

test('repeated items are compared by items, with the same interval each time', () => {
  const measures = ['single', 'x'].flatMap((arm) =>
    Array.from({ length: 20 }, (_, index) =>
      measure(arm, index % 10, arm === 'x' || index % 3 === 0, { repeat: Math.floor(index / 10) }),
    ),
  )
  const report = () =>
    reportResults({ plan: plan(['x', 'single'], 10, 2), measures, dataName: 'd' })
  const { difference } = report().arms[0]!
  assert.equal(report().baseline, 'single')
  assert.match(difference!.method, /bootstrap over items/)
  assert.equal(difference!.p, null)
  assert.ok(difference!.low < difference!.value && difference!.value < difference!.high)
  assert.deepEqual(report().arms[0]!.difference, difference)
})

test('repeated items that all differ alike count once each, and confirm nothing by their few', () => {
  const measures = ['single', 'x'].flatMap((arm) =>
    [0, 1, 2, 3, 4, 5].map((index) =>
      measure(arm, index % 3, arm === 'x' && index < 3, { repeat: Math.floor(index / 3) }),
    ),
  )
  const claim = { claim: 'more', arm: 'x', against: 'single', expect: 'above' } as const
  const results = reportResults({
    plan: plan(['x', 'single'], 3, 2),
    measures,
    dataName: 'd',
    expectations: [claim],
  })
  const { value, low, high, method, pairs } = results.arms[0]!.difference!
  assert.deepEqual(
    [value, pairs, method],
    [0.5, 6, 'Newcombe square-and-add for pairs, each item once'],
  )
  const once = newcombePaired({ both: 0, firstOnly: 1.5, secondOnly: 0, neither: 1.5 })
  assert.deepEqual({ low, high }, once)
  assert.equal(results.expectations[0]!.verdict, 'undecided')
})

test('an arm that is held against one without a token has no ratio of tokens', () => {
  const measures = ['single', 'x'].map((arm) =>
    measure(arm, 0, true, arm === 'single' ? { usage: emptyUsage() } : {}),
  )
  const claim = { claim: 'kept', arm: 'x', against: 'single', expect: 'kept' } as const
  const results = reportResults({
    plan: plan(['x', 'single'], 1),
    measures,
    dataName: 'd',
    expectations: [claim],
  })
  assert.equal(results.expectations[0]!.tokens_ratio, null)
  for (const text of [toMarkdown(results), toHtml(results)]) {
    assert.doesNotMatch(text, /NaN|Infinity|undefined/)
  }
})

test('selection is measured between one draft and the oracle', () => {
  const measures = [
    measure('x', 0, true, { drafts: { total: 4, right: 1 }, candidates: { total: 5, right: 2 } }),
    measure('x', 1, false, { drafts: { total: 4, right: 1 }, candidates: { total: 4, right: 1 } }),
    measure('x', 2, true, { drafts: { total: 2, right: 2 }, candidates: { total: 2, right: 2 } }),
    measure('x', 3, false, { drafts: { total: 4, right: 0 } }),
  ]
  const [arm] = reportResults({ plan: plan(['x'], 4), measures, dataName: 'd' }).arms
  const { selection, drafts, usage, balance_score } = arm!
  assert.deepEqual(
    [selection.draft_accuracy, selection.oracle, selection.oracle_gap],
    [0.375, 0.75, 0.25],
  )
  assert.ok(Math.abs(selection.efficiency! - (0.5 - 0.375) / (0.75 - 0.375)) < 1e-12)
  assert.deepEqual(
    drafts.map(({ k, runs, pass }) => [k, runs, Number(pass.toFixed(6))]),
    [
      [1, 4, 0.375],
      [2, 4, 0.5], // (1/2 + 1/2 + 1 + 0) / 4
      [4, 3, 0.666667],
    ],
  )
  assert.equal(usage.accuracy_per_1k_tokens, 10)
  assert.ok(Math.abs(balance_score - (((2 / 8) * 2) / 5 + 1 / 8 / 4 + 2 / 8 + 0) / 4) < 1e-12)
})

test('a report without any run is still a page', () => {
  const results = reportResults({ plan: plan(['x'], 2), measures: [], dataName: 'd' })
  assert.match(toHtml(results), /No run has finished/)
  assert.doesNotMatch(toMarkdown(results), /NaN|undefined/)
})

test('numbers are written as people read them', () => {
  assert.deepEqual([percent(0.41666), percent(null)], ['41.7', '–'])
  assert.deepEqual([points(0.1), points(-0.05), points(-0.0001)], ['+10.0', '−5.0', '0.0'])
  assert.deepEqual([ratio(0.5), ratio(-0.25), ratio(null)], ['0.50', '−0.25', '–'])
  assert.deepEqual([amount(12345.6), amount(0.012345), amount(0)], ['12,346', '0.0123', '0'])
  assert.deepEqual([duration(59), duration(61), duration(3700)], ['59 s', '1 min 1 s', '1 h 1 min'])
})

test('ticks are round and inside the axis', () => {
  assert.deepEqual(linearScale([0.07, 0.52], [0, 100], 5).ticks, [0.1, 0.2, 0.3, 0.4, 0.5])
  const log = logScale([30, 700], [0, 100])
  assert.deepEqual(log.ticks, [50, 100, 200, 500])
  assert.equal(log.place(1), 0)
  assert.equal(Math.round(log.place(700)), 100)
  assert.deepEqual(logScale([1, 1e6], [0, 1]).ticks, [1, 10, 100, 1e3, 1e4, 1e5, 1e6])
})

test('an arm is held against the vote that its tokens would have bought', () => {
  const roles = (...names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, { calls: 1, input_tokens: 1, output_tokens: 1 }]))
  const spending = (tokens: number, ...names: readonly string[]) => ({
    usage: { ...emptyUsage(), input_tokens: tokens, by_role: roles(...names) },
  })
  const votes = [1, 2, 4].map((k) => ({ k, right: k >= 2 }))
  const measures = [0, 1].flatMap((item) => [
    measure('votes', item, true, { ...spending(400, 'generator'), majority: votes }),
    measure('refines', item, true, spending(250, 'generator', 'reviewer')),
    measure('cheap', item, false, spending(60, 'generator', 'judge')),
  ])
  const arms = ['votes', 'refines', 'cheap']
  const results = reportResults({ plan: plan(arms, 2), measures, dataName: 'd' })
  assert.deepEqual(
    results.arms.map(({ vote_at_same_spend: vote }) => vote),
    [
      { k: 4, accuracy: 1, affordable: 4 },
      { k: 2, accuracy: 1, affordable: 2.5 },
      { k: 1, accuracy: 0, affordable: 0.6 },
    ],
  )
  assert.match(toMarkdown(results), /100\.0 \(2\)/)
})

const TOLD =
  'accuracy %|difference|tokens|calls|seconds|cost|failed|Acc@first %|Acc@last %|Δ i→c|Δ c→i|CL|CS|RSS|collapse %|anytime|majority %|vote for the same tokens %|oracle %|efficiency|balance|judge AUC|order consistency %|review J|Spending by role|judge|pass@k %|majority@k %|Left out|gone'.split(
    '|',
  )

test('Markdown and page tell the same: every metric, spending by role, pass@k, what was left out', () => {
  const used = { calls: 2, input_tokens: 7, output_tokens: 3 }
  const measures = [0, 1].map((item) =>
    measure('a', item, item === 0, { usage: { ...emptyUsage(), by_role: { judge: used } } }),
  )
  const leftOut = [{ arm: 'gone', reason: 'no <log-probabilities>' }]
  const results = reportResults({ plan: plan(['a'], 2), measures, dataName: 'd', leftOut })
  for (const report of [toMarkdown(results), toHtml(results)]) {
    for (const told of TOLD) assert.ok(report.includes(told), told)
  }
  assert.ok(toHtml(results).includes('no &lt;log-probabilities&gt;'))
})
