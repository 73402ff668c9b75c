import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { parseArguments, UsageError } from '../../src/cli/arguments.ts'
import { COMPARE, compareSettings, tellComparison } from '../../src/cli/compare.ts'
import { evaluateSettings } from '../../src/cli/evaluate.ts'
import { runEvaluate } from '../../src/cli/evaluate-run.ts'
import { createRandom } from '../../src/core/random.ts'
import { emptyUsage } from '../../src/core/run-state.ts'
import { compareArms, type ArmComparison } from '../../src/evaluation/comparison.ts'
import type { RunMeasure } from '../../src/evaluation/measure.ts'
import { capture } from '../cli/fixtures.ts'
import { close } from '../experiments/close.ts'
import { scriptedLines, scriptedSource, temporaryFolder } from './support.ts'

const run = (arm: string, item: number, last: boolean, cost: number, repeat = 0): RunMeasure =>
  ({
    arm,
    item: String(item),
    repeat,
    last,
    usage: { ...emptyUsage(), input_tokens: cost, cost, seconds: cost },
  }) as RunMeasure

const SETTINGS = { baseline: 'a', alpha: 0.05, tunedFor: 100, margin: null }

const metricOf = ({ metrics }: ArmComparison, name: string) =>
  metrics.find(({ metric }) => metric === name)!

test('arms are compared item by item: what makes an item hard falls out', () => {
  // 40 items, half hopeless for both; b is right on four more, and always costs 2 more than a, whatever the item costs.
  const items = Array.from({ length: 40 }, (_, item) => item)
  const measures = items.flatMap((item) => [
    run('a', item, item < 20, item),
    run('b', item, item < 24, item + 2 + (item % 2) / 10),
  ])
  const [comparison] = compareArms(measures, SETTINGS)
  const correct = metricOf(comparison!, 'correct')
  close(correct.difference!, 0.1)
  // Var = Σ(d − 0.1)² / (39 · 40) with four ones and 36 zeros.
  const error = Math.sqrt((4 * 0.81 + 36 * 0.01) / (39 * 40))
  close(correct.p!, 0.043_983_787)
  close((correct.interval![1] - correct.interval![0]) / 2, 2.022_690_9 * error, 1e-6)
  assert.ok(correct.p_anytime! > correct.p!, 'looking at all times has its price')
  const cost = metricOf(comparison!, 'cost')
  assert.ok(cost.p! < 1e-10 && cost.better === false, 'the spread of the items is not in the way')
  close(comparison!.baseline_cost_per_correct!, 780 / 20)
})

test('runs of one item count as one, and items that only one arm has are left out', () => {
  const measures = [0, 1, 2].flatMap((item) => [
    run('a', item, false, 1),
    ...[0, 1].map((repeat) => run('b', item, repeat === 0 && item > 0, 1, repeat)),
  ])
  const [comparison] = compareArms([...measures, run('b', 9, true, 1)], SETTINGS)
  assert.equal(comparison!.items, 3)
  close(metricOf(comparison!, 'correct').difference!, 1 / 3)
  assert.equal(metricOf(comparison!, 'cost').p, null, 'without spread nothing is told')
})

test('of few items p and interval say the same, and so does the margin', () => {
  const measures = [0, 1, 2, 3, 4, 5].flatMap((item) => [
    run('a', item, false, 1),
    run('b', item, item < 3, 1),
  ])
  const [comparison] = compareArms(measures, { ...SETTINGS, margin: 0.05 })
  const { p, interval, non_inferior } = metricOf(comparison!, 'correct')
  close(interval!, [-0.074_799_572_6, 1.074_799_572_6])
  close(p!, 0.075_586_818_4)
  close([non_inferior!.p, non_inferior!.bound], [0.028_625_744_2, 0.049_421_485_7])
})

test('without an item that both have nothing is claimed', () => {
  const [comparison] = compareArms([run('a', 1, true, 1), run('b', 2, true, 1)], SETTINGS)
  assert.equal(comparison!.items, 0)
  for (const { metric, ...figures } of comparison!.metrics) {
    assert.deepEqual(new Set(Object.values(figures)), new Set([null]), metric)
  }
})

test('accuracy is adjusted over the arms by Holm, what only explores by Benjamini and Hochberg', () => {
  const random = createRandom(3)
  const measures = Array.from({ length: 60 }, (_, item) =>
    ['a', 'b', 'c'].map((arm) => run(arm, item, random.next() < 0.5, 1 + random.next())),
  ).flat()
  const arms = compareArms(measures, SETTINGS)
  const correct = arms.map((arm) => metricOf(arm, 'correct'))
  const lowest = correct.toSorted((x, y) => x.p! - y.p!)[0]!
  close(lowest.p_adjusted!, Math.min(1, 2 * lowest.p!))
  for (const { metrics } of arms) {
    for (const { p, p_adjusted: adjusted } of metrics) assert.ok(adjusted! >= p!)
  }
})

test('an arm that is hardly worse passes a margin, one that is worse does not', () => {
  const items = Array.from({ length: 400 }, (_, item) => item)
  const measures = items.flatMap((item) => [
    run('a', item, true, 1),
    run('near', item, item % 100 !== 0, 1),
    run('far', item, item % 8 !== 0, 1),
  ])
  const [near, far] = compareArms(measures, { ...SETTINGS, margin: 0.05 })
  assert.equal(metricOf(near!, 'correct').non_inferior!.passes, true)
  assert.equal(metricOf(far!, 'correct').non_inferior!.passes, false)
  assert.ok(metricOf(far!, 'correct').chance_better! < 0.01)
})

test('of equal arms at most one in twenty is ever shown to differ, however often it is looked', () => {
  const random = createRandom(11)
  let [naive, always] = [0, 0]
  const trials = 200
  for (let trial = 0; trial < trials; trial++) {
    const measures: RunMeasure[] = []
    let [seenNaive, seenAlways] = [false, false]
    for (let item = 0; item < 300; item++) {
      measures.push(run('a', item, random.next() < 0.5, 1), run('b', item, random.next() < 0.5, 1))
      if (item < 29 || item % 15 !== 14) continue
      const correct = metricOf(compareArms(measures, SETTINGS)[0]!, 'correct')
      seenNaive ||= correct.p! < 0.05
      seenAlways ||= correct.p_anytime! < 0.05
    }
    naive += Number(seenNaive)
    always += Number(seenAlways)
  }
  assert.ok(always / trials <= 0.05, `${always} of ${trials}`)
  assert.ok(naive / trials > 0.1, `one look repeated: ${naive} of ${trials}`)
})

test('the command runs the arms, prints the comparison and keeps it', async (t) => {
  const folder = await temporaryFolder(t)
  const data = path.join(folder, 'set.jsonl')
  await writeFile(data, `${scriptedLines(40).join('\n')}\n`)
  const parsed = parseArguments(COMPARE, [
    '--data',
    data,
    '--strategy',
    'single',
    '--strategy',
    'best-of-n',
    '--out',
    path.join(folder, 'out'),
    '--margin',
    '0.05',
  ])
  assert.ok(parsed !== 'help')
  const settings = evaluateSettings(parsed)
  const [stdout, stderr] = [capture(), capture()]
  const code = await runEvaluate({
    settings,
    source: scriptedSource(t),
    packageRoot: folder,
    stdout,
    stderr,
    signal: new AbortController().signal,
    afterwards: (measures, baseline) =>
      tellComparison(measures, baseline, compareSettings(parsed), { out: settings.out, stdout }),
  })
  assert.equal(code, 0, stderr.text())
  assert.match(stdout.text(), /\| best-of-n \| correct \|/)
  assert.match(
    stdout.text(),
    /best-of-n is more accurate than single on 40 items\. It is shown to lose less than 0\.05\./,
  )
  const kept = JSON.parse(await readFile(path.join(settings.out, 'comparison.json'), 'utf8')) as {
    arms: ArmComparison[]
  }
  assert.equal(kept.arms[0]!.items, 40)
})

test('settings that make no sense are refused by name', () => {
  const read = (...argv: string[]) => {
    const parsed = parseArguments(COMPARE, argv)
    assert.ok(parsed !== 'help')
    return compareSettings(parsed)
  }
  assert.deepEqual(read(), { alpha: 0.05, margin: null, tunedFor: undefined })
  assert.throws(() => read('--alpha', '0'), UsageError)
  assert.throws(() => read('--margin', '2'), /--margin must be between 0 and 1/)
  assert.throws(() => read('--tuned-for', '1.5'), /--tuned-for must be a whole number/)
})
