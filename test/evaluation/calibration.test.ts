import assert from 'node:assert/strict'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { runCommand } from '../../src/cli/index.ts'
import type { CommandDependencies } from '../../src/cli/command.ts'
import { calibrate, judgedByFeedback, judgedByLabels } from '../../src/evaluation/calibration.ts'
import type { RunState } from '../../src/core/run-state.ts'
import type { FeedbackRecord } from '../../src/core/run-store.ts'
import type { ExportRecord } from '../../src/exports/export-schema.ts'
import { RunExports } from '../../src/exports/run-exports.ts'
import { createdOf, recordOf } from '../storage/contract.ts'
import type { Item } from '../../src/evaluation/data-set.ts'
import {
  heldOut,
  lowestThreshold,
  riskCoverage,
  type Scored,
} from '../../src/evaluation/statistics/risk-coverage.ts'
import { capture } from '../cli/fixtures.ts'
import { temporaryFolder } from './support.ts'

const answers = (...pairs: readonly (readonly [number | null, 0 | 1])[]): Scored[] =>
  pairs.map(([score, loss]) => ({ score, loss }))

test('each score is a threshold: equal ones go together, those without a score are never answered', () => {
  const points = riskCoverage(answers([9, 0], [7, 0], [7, 1], [3, 1], [null, 0]))
  assert.deepEqual(
    points.map(({ threshold, accepted, coverage, risk }) => [threshold, accepted, coverage, risk]),
    [
      [9, 1, 0.2, 0],
      [7, 3, 0.6, 1 / 3],
      [3, 4, 0.8, 0.5],
    ],
  )
})

test('the threshold is the lowest one that keeps the risk, even where a higher one does not', () => {
  const points = riskCoverage(answers([9, 1], [8, 0], [7, 0], [6, 0], [5, 1]))
  assert.equal(lowestThreshold(points, 0.25)?.threshold, 6)
  assert.equal(lowestThreshold(points, 0.5)?.threshold, 5)
  assert.equal(lowestThreshold(points, 0.1), undefined)
  assert.equal(lowestThreshold(points, 0.25, 'upper'), undefined)
})

test('a threshold is tried on answers that it was not chosen on', () => {
  // At most a quarter wrong: one half chooses 2 (one of five), the other 6 (one of four).
  const half = answers([9, 0], [8, 0], [7, 0], [6, 0], [2, 1])
  const other = answers([9, 1], [8, 0], [7, 0], [6, 0], [2, 1])
  const mixed = half.flatMap((answer, at) => [answer, other[at]!])
  // Four of the first half above 6 are all right, five of the other above 2 have two wrong ones.
  assert.deepEqual(heldOut(mixed, 0.25), { answers: 10, coverage: 0.9, risk: 2 / 9 })
  assert.equal(heldOut(answers([9, 1], [8, 1]), 0.1), undefined)
})

test('answers to one question are never on both sides of the trial', () => {
  const asked = (question: string, score: number, loss: 0 | 1) => ({ question, score, loss })
  // Taken by turns every answer would have its twin in the other half.
  const twice = ['p', 'q', 'r', 's'].flatMap((question, at) => [
    asked(question, 9 - at, at === 1 ? 1 : 0),
    asked(question, 9 - at, at === 1 ? 1 : 0),
  ])
  // Of q and s no threshold leaves a tenth wrong.
  assert.equal(heldOut(twice, 0.1), undefined)
  assert.notEqual(
    heldOut(
      twice.map(({ score, loss }) => ({ score, loss })),
      0.1,
    ),
    undefined,
  )
})

test('no answer at all, and none without a fault, give no threshold', () => {
  assert.equal(calibrate([], 'judge', 0.1).chosen, null)
  assert.deepEqual(calibrate(answers([9, 1], [2, 1]), 'judge', 0.1).chosen, null)
})

const run = (text: string, score: number | null) => ({
  status: 'completed',
  answer: { text, candidate: 1 },
  candidates: [
    { scores: [{ scorer: 'judge', score: 1 }] },
    {
      scores: [
        { scorer: 'other', score: 0 },
        { scorer: 'judge', score },
      ],
    },
  ],
})

const lines = async (t: TestContext, name: string, records: readonly unknown[]) => {
  const folder = await temporaryFolder(t)
  const file = path.join(folder, name)
  await writeFile(file, records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  return { file, folder }
}

const item = (id: string, label: string): Item => ({
  id,
  question: { input: 'q' },
  label,
  difficulty: undefined,
})

test('runs of an evaluation are judged by the labels of their items, of one arm where it is named', async (t) => {
  const { file } = await lines(t, 'runs.jsonl', [
    { arm: 'a', item: '1', run: run('#### 4', 8) },
    { arm: 'b', item: '1', run: run('#### 5', 3) },
    { arm: 'a', item: '2', run: run('#### 4', null) },
    { arm: 'a', item: '2', repeat: 1, run: { ...run('', 1), answer: null } },
    { arm: 'a', item: 'another set', run: run('#### 4', 1) },
    { arm: 'without a judge', item: '1', run: run('#### 4', null) },
  ])
  const items = [item('1', '4'), item('2', '5')]
  const found = await judgedByLabels(file, items, 'judge')
  assert.deepEqual(
    found.map(({ score, loss, question }) => [score, loss, question]),
    [
      [8, 0, '1'],
      [null, 1, '2'],
      [3, 1, '1'],
    ],
  )
  assert.deepEqual(await judgedByLabels(file, items, 'judge', 'b'), found.slice(2))
})

test('a run that was made again counts once, and a line that was only half written not at all', async (t) => {
  const failed = { ...run('#### 5', 2), status: 'failed' }
  const { file } = await lines(t, 'runs.jsonl', [
    { arm: 'a', item: '1', repeat: 0, run: failed },
    { arm: 'a', item: '1', repeat: 1, run: run('#### 4', 6) },
    { arm: 'a', item: '2', repeat: 0, run: failed },
    { arm: 'a', item: '1', repeat: 0, run: run('#### 4', 8) },
    { arm: 'a', item: '2', repeat: 0, run: { ...failed, answer: null } },
  ])
  await appendFile(file, '{"arm":"a","item":"2","repeat":1,"run":{"stat')
  const items = [item('1', '4'), item('2', '5')]
  const found = await judgedByLabels(file, items, 'judge')
  assert.deepEqual(
    found.map(({ score, loss }) => [score, loss]),
    [
      [8, 0],
      [6, 0],
    ],
  )
})

test('exported runs are judged by what was said of them, as the export adds it up', async (t) => {
  const said = (value: unknown) => ({ correct: value })
  const { file } = await lines(t, 'export.jsonl', [
    { run: run('x', 8), metrics: said(1) },
    { run: run('x', 7), metrics: said(0.25) },
    { run: run('x', 6), metrics: { liked: 1 } },
    { run: run('x', 5), metrics: said(7) },
    { run: run('x', 4) },
  ])
  assert.deepEqual(await judgedByFeedback(file, 'correct', 'judge'), [
    { score: 8, loss: 0 },
    { score: 7, loss: 0.75 },
  ])
})

test('of people who disagree over an exported run each has a say, with the latest word', async (t) => {
  const word = (actor: string, value: boolean): FeedbackRecord => {
    const id = `feedback_${actor}_${value}`
    return { id, run_id: 'run_1', metric: 'correct', value, source: 'user', actor, at: '1' }
  }
  const created = recordOf(createdOf('run_1', '2030-01-01T00:00:00.000Z')).state
  const state = { ...created, ...run('x', 8) } as unknown as RunState
  const exports = new RunExports({
    store: {
      scan: async ({ after }) =>
        after === '' ? [{ state, owner: '', request: { input: 'What?' } }] : [],
      events: async () => [],
      feedback: async () => [word('ann', true), word('ben', true), word('ann', false)],
    },
    splitters: [(text) => [text]],
  })
  const records: ExportRecord[] = []
  for await (const record of exports.open({ format: 'runs' }, undefined)) records.push(record)
  const { file } = await lines(t, 'export.jsonl', records)
  assert.deepEqual(await judgedByFeedback(file, 'correct', 'judge'), [{ score: 8, loss: 0.5 }])
})

test('a line that is no run is refused by its number', async (t) => {
  for (const [text, pattern] of [
    ['{"run": {}}', /line 1, holds no run/],
    ['{', /line 1, is not JSON/],
  ] as const) {
    const folder = await temporaryFolder(t)
    const file = path.join(folder, 'runs.jsonl')
    await writeFile(file, `${text}\n`)
    await assert.rejects(judgedByFeedback(file, 'correct', 'judge'), pattern)
    await assert.rejects(judgedByLabels(file, [], 'judge'), /line 1, is not a run/)
  }
})

const command = async (...argv: readonly string[]) => {
  const [stdout, stderr] = [capture(), capture()]
  const { signal } = new AbortController()
  const io = { stdout, stderr, signal, environment: {} }
  const code = await runCommand(
    ['calibrate', ...argv],
    io as unknown as Parameters<typeof runCommand>[1],
    { packageRoot: '/nowhere' } as unknown as CommandDependencies,
  )
  return { code, out: stdout.text(), err: stderr.text() }
}

test('a file that is not there is told by its flag', async (t) => {
  const folder = await temporaryFolder(t)
  const file = path.join(folder, 'data.jsonl')
  await writeFile(file, '{"id":"1","text":"q","answer":1}\n')
  for (const [flag, ...more] of [['export'], ['runs', '--data', file]]) {
    for (const place of [folder, path.join(folder, 'none')]) {
      const told = await command(`--${flag}`, place, ...more, '--risk', '0.1')
      assert.equal(told.code, 2, told.err)
      assert.match(told.err, new RegExp(`--${flag}: there is no file ${place}`))
    }
  }
})

test('the command says what to write into the options, and how far it can be trusted', async (t) => {
  const records = Array.from({ length: 40 }, (_, at) => ({
    run: run('x', at / 4),
    metrics: { correct: at >= 16 ? 1 : 0 },
  }))
  const { file, folder } = await lines(t, 'export.jsonl', records)
  const out = path.join(folder, 'calibration.json')
  const told = await command('--export', file, '--risk', '0.04', '--out', out)
  assert.equal(told.code, 0, told.err)
  assert.match(told.out, /40 answers \(0 without a score\): 40\.0 % wrong/)
  assert.match(told.out, /"options": \{"scorer":"judge","threshold":3\.75\}/)
  assert.match(told.out, /Chosen on one half and tried on the other/)
  const written = JSON.parse(await readFile(out, 'utf8')) as { chosen: { threshold: number } }
  assert.equal(written.chosen.threshold, 3.75)
  const impossible = records.map((record) => ({
    ...record,
    metrics: { correct: 0 },
  }))
  const { file: bad } = await lines(t, 'bad.jsonl', impossible)
  const refused = await command('--export', bad)
  assert.deepEqual([refused.code, /No threshold/.test(refused.out)], [1, true])
})

test('what cannot be calibrated is told by its flag', async (t) => {
  const { file } = await lines(t, 'export.jsonl', [
    { run: run('x', null), metrics: { correct: 1 } },
  ])
  for (const [argv, pattern] of [
    [[], /either --runs with --data, or --export/],
    [['--runs', 'nowhere'], /--runs needs the labels of --data/],
    [['--export', file, '--risk', '2'], /--risk must be a share/],
    [['--export', file, '--scorer', 'taste'], /--scorer must be one of judge/],
    [['--export', file, '--metric', 'liked'], /no answer that is known right or wrong/],
    [['--export', file], /No answer has a score by "judge"/],
  ] as const) {
    const { code, err } = await command(...argv)
    assert.equal(code, 2)
    assert.match(err, pattern)
  }
})
