import test, { type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { EVALUATE, evaluateSettings, readListFile } from '../../src/cli/evaluate.ts'
import { parseArguments, UsageError } from '../../src/cli/arguments.ts'
import { progressLine } from '../../src/cli/evaluate-progress.ts'
import { runEvaluate } from '../../src/cli/evaluate-run.ts'
import { RefineError } from '../../src/core/errors.ts'
import type { RunSource } from '../../src/evaluation/evaluate.ts'
import type { RunRecord } from '../../src/evaluation/record.ts'
import type { Results } from '../../src/evaluation/report/results.ts'
import type { RunRequest } from '../../src/runs/run-request.ts'
import { scriptedLines, scriptedSource, temporaryFolder } from '../evaluation/support.ts'
import { capture } from './fixtures.ts'

const settingsOf = (argv: readonly string[]) => {
  const parsed = parseArguments(EVALUATE, argv)
  assert.ok(parsed !== 'help')
  return evaluateSettings(parsed)
}

const ARMS = ['--strategy', 'single', '--strategy', 'self-consistency', '--strategy', 'best-of-n']

interface Execution {
  readonly source: RunSource
  readonly folder: string
  readonly arguments: readonly string[]
  readonly signal?: AbortSignal
}

const execute = async ({ source, folder, signal, ...given }: Execution) => {
  const [stdout, stderr] = [capture(), capture()]
  const code = await runEvaluate({
    settings: settingsOf([...given.arguments, '--out', folder]),
    source,
    packageRoot: folder,
    stdout,
    stderr,
    signal: signal ?? new AbortController().signal,
  })
  return { code, out: stdout.text(), err: stderr.text() }
}

const resultsOf = async (folder: string): Promise<Results> =>
  JSON.parse(await readFile(path.join(folder, 'results.json'), 'utf8')) as Results

/** Without what the clock decides. */
const withoutTime = (results: Results): unknown =>
  JSON.parse(
    JSON.stringify(results, (key, value: unknown) =>
      ['seconds', 'area_seconds'].includes(key) ? undefined : value,
    ),
  )

/** Counts the runs and keeps their requests. */
const watched = (source: RunSource) => {
  const requests: RunRequest[] = []
  const start: RunSource['start'] = (request, signal) => {
    requests.push(request)
    return source.start(request, signal)
  }
  return { source: { start }, requests }
}

const prepare = async (t: TestContext, count: number) => {
  const folder = await temporaryFolder(t)
  const data = path.join(folder, 'set.jsonl')
  await writeFile(data, `${scriptedLines(count).join('\n')}\n`)
  return { data, folder, source: scriptedSource(t) }
}

test('a folder for the results that cannot be made ends the evaluation, and its flag is named', async (t) => {
  if (!existsSync('/proc/self')) return t.skip('this system has no /proc')
  const { data, source } = await prepare(t, 1)
  const ended = execute({
    source,
    folder: '/proc/whetstone/out',
    arguments: ['--data', data, ...ARMS],
  })
  const message = /^--out: the folder \/proc\/whetstone\/out cannot be made: ENOENT/
  await assert.rejects(
    ended,
    (error: Error) => error instanceof UsageError && message.test(error.message),
  )
})

test('the scripted model is better the more is spent on it, and the reports say so', async (t) => {
  const { data, folder, source } = await prepare(t, 40)
  const out = path.join(folder, 'out')
  const result = await execute({ source, folder: out, arguments: ['--data', data, ...ARMS] })
  assert.equal(result.code, 0, result.err)
  const results = await resultsOf(out)
  const [single, vote, best] = results.arms
  assert.ok(results.complete && results.finished === 120)
  assert.deepEqual(
    results.arms.map(({ name }) => name),
    ['single', 'self-consistency', 'best-of-n'],
  )
  assert.ok(single!.accuracy.value < best!.accuracy.value)
  assert.ok(best!.accuracy.value < vote!.accuracy.value)
  assert.ok(single!.usage.tokens < vote!.usage.tokens)
  assert.equal(single!.difference, null)
  assert.ok(vote!.difference!.low > 0 && vote!.difference!.p! < 0.001)
  assert.ok(vote!.selection.oracle > vote!.selection.draft_accuracy)
  assert.ok(best!.judges[0]!.auc_within_run! > 0.8)
  assert.ok(Math.abs(single!.self_correction.relative_score! - 0.5) < 1e-9)
  assert.ok(vote!.anytime.tokens.length > 1)
  assert.deepEqual(
    single!.difficulty.map((each) => [each.difficulty, each.runs]),
    [
      ['1', 20],
      ['2', 20],
    ],
  )
  assert.deepEqual((await readdir(out)).toSorted(), [
    'results.html',
    'results.json',
    'results.md',
    'runs.jsonl',
    'settings.json',
  ])
  assert.match(result.out, /\| self-consistency \| \d/)
  assert.match(result.err, /120\/120 runs/)
})

test('the page needs nothing but itself', async (t) => {
  const { data, folder, source } = await prepare(t, 4)
  const arm = JSON.stringify({ name: '<b>&"x', strategy: 'single' })
  await execute({ source, folder, arguments: ['--data', data, ...ARMS, '--arm', arm] })
  const page = await readFile(path.join(folder, 'results.html'), 'utf8')
  assert.doesNotMatch(page, /https?:|<script|<link|@import|url\(|src=|NaN|Infinity|undefined/)
  assert.match(page, /prefers-color-scheme: dark/)
  assert.ok((page.match(/<svg/g) ?? []).length >= 6)
  assert.ok(page.includes('&lt;b&gt;&amp;&quot;x') && !page.includes('<b>'))
})

test('no request holds a label or anything else of the line, and all arms share the seeds', async (t) => {
  const { data, folder, source } = await prepare(t, 5)
  const { source: seen, requests } = watched(source)
  await execute({ source: seen, folder, arguments: ['--data', data, ...ARMS, '--repeat', '2'] })
  assert.equal(requests.length, 30)
  const labels = scriptedLines(5).map((line) => String((JSON.parse(line) as RunLabel).answer))
  for (const { seed: _, ...request } of requests) {
    assert.deepEqual(Object.keys(request).toSorted(), ['input', 'strategy'])
    const text = JSON.stringify(request)
    assert.ok(!labels.some((label) => text.includes(label)) && !text.includes('secret'), text)
  }
  const seeds = new Map<string, Set<number>>()
  for (const { input, seed } of requests)
    seeds.set(input!, (seeds.get(input!) ?? new Set()).add(seed!))
  assert.deepEqual(
    [...seeds.values()].map(({ size }) => size),
    [2, 2, 2, 2, 2], // one a repeat
  )
})

interface RunLabel {
  readonly answer: number
}

test('an evaluation that was cut off in the middle of a line goes on to the same results', async (t) => {
  const { data, folder, source } = await prepare(t, 10)
  const [whole, cut] = [path.join(folder, 'whole'), path.join(folder, 'cut')]
  await execute({ source, folder: whole, arguments: ['--data', data, ...ARMS] })
  const journal = await readFile(path.join(whole, 'runs.jsonl'), 'utf8')
  const lines = journal.trimEnd().split('\n')
  await execute({ source, folder: cut, arguments: ['--data', data, '--limit', '1', ...ARMS] })
  await writeFile(
    path.join(cut, 'runs.jsonl'),
    `${lines.slice(0, 12).join('\n')}\n${lines[12]!.slice(0, 500)}`,
  )
  const { source: seen, requests } = watched(source)
  const again = ['--data', data, ...ARMS, '--resume', '--concurrency', '3']
  assert.equal((await execute({ source: seen, folder: cut, arguments: again })).code, 0)
  assert.equal(requests.length, 30 - 12)
  assert.deepEqual(withoutTime(await resultsOf(cut)), withoutTime(await resultsOf(whole)))
  const records = (await readFile(path.join(cut, 'runs.jsonl'), 'utf8')).trimEnd().split('\n')
  assert.equal(new Set(records.map((line) => keyOf(JSON.parse(line) as RunRecord))).size, 30)
})

const keyOf = ({ arm, item, repeat }: RunRecord): string => `${arm} ${item} ${repeat}`

test('a folder with runs is not written over, and other settings do not mix with it', async (t) => {
  const { data, folder, source } = await prepare(t, 2)
  const single = ['--data', data, '--strategy', 'single']
  await execute({ source, folder, arguments: single })
  await assert.rejects(execute({ source, folder, arguments: single }), {
    name: 'UsageError',
    message: /--resume/,
  })
  await assert.rejects(
    execute({ source, folder, arguments: [...single, '--resume', '--seed', '9'] }),
    { code: 'conflict', message: /other settings/ },
  )
  await writeFile(path.join(folder, 'runs.jsonl'), 'nonsense\n')
  await assert.rejects(execute({ source, folder, arguments: [...single, '--resume'] }), {
    code: 'invalid_request',
    message: /runs\.jsonl, line 1,/,
  })
})

test('an interrupt writes the reports on what there is and ends with 130', async (t) => {
  const { data, folder, source } = await prepare(t, 30)
  const controller = new AbortController()
  let started = 0
  const start: RunSource['start'] = (request, signal) => {
    if (++started === 10) controller.abort()
    return source.start(request, signal)
  }
  const arguments_ = ['--data', data, ...ARMS, '--concurrency', '1']
  const { signal } = controller
  const { code, out } = await execute({ source: { start }, folder, arguments: arguments_, signal })
  assert.equal(code, 130)
  assert.match(out, /9 of 90 runs: not complete/)
  const results = await resultsOf(folder)
  assert.equal(results.finished, 9)
  assert.match(await readFile(path.join(folder, 'results.html'), 'utf8'), /Not all runs are there/)
})

test('an arm that cannot run ends the evaluation with its name', async (t) => {
  const { data, folder, source } = await prepare(t, 3)
  const arm = JSON.stringify({ name: 'lost', strategy: 'single', model: 'nobody' })
  const only = execute({ source, folder, arguments: ['--data', data, '--arm', arm] })
  await assert.rejects(only, { code: 'unknown_model', message: /Arm "lost".*nobody/ })
})

test('a full server is asked again, and failed runs can be run again', async (t) => {
  const { data, folder, source } = await prepare(t, 3)
  let refusals = 2
  let failing = true
  const start: RunSource['start'] = async function* (request, signal) {
    if (refusals-- > 0) throw new RefineError('overloaded', 'Full.')
    for await (const event of source.start(request, signal)) {
      const fails = failing && event.type === 'run.completed'
      const error = { code: 'model_failed', message: 'As planned.' }
      const { run_id, sequence, at } = event
      yield fails
        ? { run_id, sequence, at, type: 'run.failed', answer: null, usage: event.usage, error }
        : event
    }
  }
  const single = ['--data', data, '--strategy', 'single']
  const first = await execute({ source: { start }, folder, arguments: single })
  assert.equal(first.code, 1)
  assert.match(first.err, /3 runs failed; --resume --retry-failed/)
  assert.equal((await resultsOf(folder)).arms[0]!.ended['model_failed'], 3)
  failing = false
  const kept = await execute({ source: { start }, folder, arguments: [...single, '--resume'] })
  assert.equal(kept.code, 1)
  const again = [...single, '--resume', '--retry-failed']
  assert.equal((await execute({ source: { start }, folder, arguments: again })).code, 0)
  assert.equal((await resultsOf(folder)).arms[0]!.failed, 0)
})

test('flags make arms of strategies and models', () => {
  const sampled = '{"name":"mine","strategy":"single","sampling":{"temperature":1}}'
  const compared = ['--strategy', 'single', '--strategy', 'best-of-n', '--arm', sampled]
  const common = ['--models', 'a, b', '--sampling', '{"temperature":0.5}', '--data', 'x.jsonl']
  const numbers = ['--repeat', '3', '--seed', '7', '--concurrency', '2']
  const settings = settingsOf([...compared, ...common, ...numbers])
  const { arms, repeats, seed, concurrency } = settings
  assert.deepEqual(
    arms.map(({ name, model, sampling }) => [name, model, sampling?.temperature]),
    [
      ['single@a', 'a', 0.5],
      ['single@b', 'b', 0.5],
      ['best-of-n@a', 'a', 0.5],
      ['best-of-n@b', 'b', 0.5],
      ['mine', undefined, 1],
    ],
  )
  assert.deepEqual([repeats, seed, concurrency], [3, 7, 2])
})

test('of a list of arms those asked for by name are run, with what is expected of them', () => {
  const named = (name: string) => ({ name, strategy: 'single' })
  const expecting = (arm: string, against: string) => ({
    claim: arm,
    arm,
    against,
    expect: 'above',
  })
  const parsed = parseArguments(EVALUATE, ['--data', 'x', '--only', 'c', '--only', 'a, b'])
  assert.ok(parsed !== 'help')
  const { arms, expectations } = evaluateSettings(parsed, {
    arms: [named('a, b'), named('b'), named('c')],
    expectations: [expecting('c', 'a, b'), expecting('b', 'c')],
  })
  assert.deepEqual(
    arms.map(({ name }) => name),
    ['a, b', 'c'],
  )
  assert.deepEqual(
    expectations.map(({ claim }) => claim),
    ['c'],
  )
})

test('wrong flags are refused with what was expected', () => {
  const faults: readonly [readonly string[], RegExp][] = [
    [['--strategy', 'single'], /--data is required/],
    [['--data', 'x'], /give --strategy, --arm or --arms/],
    [['--data', 'x', '--strategy', 'a', '--strategy', 'a'], /another arm named "a"/],
    [['--data', 'x', '--arm', '{"strategy":"a"}'], /\/arms\/0\/name is required/],
    [['--data', 'x', '--arm', '{"name":"a","answer":1}'], /\/arms\/0\/answer is not a known field/],
    [['--data', 'x', '--arm', 'a'], /--arm must be a JSON object/],
    [['--data', 'x', '--strategy', 'a', '--repeat', '0'], /--repeat must be a whole number from 1/],
    [['--data', 'x', '--strategy', 'a', '--baseline', 'b'], /--baseline must name an arm \(a\)/],
    [['--data', 'x', '--strategy', 'a', '--models', 'm,'], /empty id/],
    [['--data', 'x', '--strategy', 'a', '--only', 'b'], /--only must name an arm \(a\), not "b"/],
    [
      ['--data', 'x', '--strategy', 'a', '--strategy', 'b', '--only', 'a', '--baseline', 'b'],
      /--baseline must name an arm \(a\)/,
    ],
  ]
  for (const [argv, expected] of faults) {
    assert.throws(
      () => settingsOf(argv),
      (thrown) => thrown instanceof UsageError && expected.test(thrown.message),
      String(expected),
    )
  }
})

test('the progress line tells rate, time left and accuracy', () => {
  const arms = new Map([
    ['single', { runs: 20, right: 10 }],
    ['vote', { runs: 0, right: 0 }],
  ])
  assert.equal(
    progressLine({ total: 200, done: 50, resumed: 30, arms }, 10),
    '50/200 runs · 2.0/s · left 1 min 15 s · right %: single 50.0, vote –',
  )
})

test('arms can stand in a file, and what is no arm there is said', async (t) => {
  const folder = await temporaryFolder(t)
  const file = path.join(folder, 'arms.yaml')
  await writeFile(file, '- { name: eight, strategy: best-of-n, options: { n: 8 } }\n')
  const parsed = parseArguments(EVALUATE, ['--data', 'x', '--strategy', 'single'])
  assert.ok(parsed !== 'help')
  const { arms } = evaluateSettings(parsed, { arms: await readListFile('arms', file) })
  assert.deepEqual(
    arms.map(({ name }) => name),
    ['single', 'eight'],
  )
  await writeFile(file, 'name: eight\n')
  await assert.rejects(readListFile('arms', file), /does not hold a list/)
  await writeFile(file, '- 8\n')
  await assert.rejects(readListFile('arms', file), /holds 8, which is no object/)
  await assert.rejects(readListFile('arms', path.join(folder, 'none')), /cannot be read/)
})

test('an arm that the models cannot run is left out with its reason, any other refusal is an error', async (t) => {
  const { data, folder, source: inner } = await prepare(t, 2)
  const refusing = (code: 'unsupported_capability' | 'invalid_request'): RunSource => ({
    start: (request, signal) => {
      if (request.strategy === 'best-of-n') throw new RefineError(code, 'It lacks words.')
      return inner.start(request, signal)
    },
  })
  const given = ['--data', data, ...ARMS, '--skip-refused']
  const source = refusing('unsupported_capability')
  const { code } = await execute({ source, folder, arguments: given })
  assert.equal(code, 0)
  const results = await resultsOf(folder)
  assert.deepEqual(results.left_out, [{ arm: 'best-of-n', reason: 'It lacks words.' }])
  assert.ok(results.complete)
  assert.match(
    await readFile(path.join(folder, 'results.md'), 'utf8'),
    /## Left out\n\n\| arm \| reason \|\n\|---\|---\|\n\| best-of-n \|/,
  )
  const other = await temporaryFolder(t)
  await assert.rejects(
    execute({ source: refusing('invalid_request'), folder: other, arguments: given }),
    /It lacks words/,
  )
})

test('expectations are held against the runs, and told with their verdict', async (t) => {
  const { data, folder, source } = await prepare(t, 40)
  const parsed = parseArguments(EVALUATE, ['--data', data, ...ARMS, '--out', folder])
  assert.ok(parsed !== 'help')
  const expectation = (arm: string, against: string, expect: string) => ({
    claim: `${arm} ${expect}`,
    arm,
    against,
    expect,
  })
  const expectations = [
    expectation('best-of-n', 'single', 'above'),
    expectation('single', 'best-of-n', 'kept'),
    expectation('best-of-n', 'single', 'below'),
    expectation('self-consistency', 'self-consistency', 'above'),
  ]
  const settings = evaluateSettings(parsed, { expectations })
  const { signal } = new AbortController()
  const [stdout, stderr] = [capture(), capture()]
  await runEvaluate({ settings, source, packageRoot: folder, stdout, stderr, signal })
  const { expectations: findings } = await resultsOf(folder)
  assert.deepEqual(
    findings.map(({ verdict }) => verdict),
    ['confirmed', 'refuted', 'refuted', 'undecided'],
  )
  assert.ok(findings[0]!.tokens_ratio! > 2 && findings[0]!.difference.pairs === 40)
  assert.match(await readFile(path.join(folder, 'results.md'), 'utf8'), /## What was expected/)
  for (const [given, pattern] of [
    [[expectation('nobody', 'single', 'above')], /no arm "nobody"/],
    [[expectation('single', 'single', 'better')], /expectations\/0\/expect|must be/],
  ] as const) {
    assert.throws(() => evaluateSettings(parsed, { expectations: given }), pattern)
  }
})
