import test, { type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { appendFile, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runCommand, type CommandDependencies } from '../../src/cli/index.ts'
import { createScriptedModel } from '../../src/models/scripted.ts'
import { runnerFor, scriptedLines, temporaryFolder } from '../evaluation/support.ts'
import { capture, input } from './fixtures.ts'

const ARMS = ['--strategy', 'best-of-n', '--strategy', 'single', '--strategy', 'self-consistency']

const compare = async (
  argv: readonly string[],
  openRuns: () => Promise<unknown> = () => Promise.reject(new Error('A model was asked for.')),
) => {
  const [stdout, stderr] = [capture(), capture()]
  const io = {
    stdin: input(''),
    stdout,
    stderr,
    environment: {},
    signal: new AbortController().signal,
  }
  const deps = { packageRoot: '.', serveFlags: [], openRuns } as unknown as CommandDependencies
  const code = await runCommand(['compare', ...argv], io, deps)
  return { code, out: stdout.text(), err: stderr.text() }
}

/** Three arms on a data set, compared as they are made. */
const record = async (t: TestContext, count: number, flags: readonly string[] = []) => {
  const folder = await temporaryFolder(t)
  const [data, live] = [path.join(folder, 'set.jsonl'), path.join(folder, 'live')]
  await writeFile(data, `${scriptedLines(count).join('\n')}\n`)
  const runs = runnerFor(t, createScriptedModel({ id: 'scripted' }), 128)
  const given = ['--data', data, ...ARMS, ...flags]
  const open = async () => ({ runs, close: async () => undefined })
  const made = await compare([...given, '--out', live], open)
  assert.equal(made.code, 0, made.err)
  return { folder, data, live, given, made }
}

const comparisonIn = (folder: string): Promise<string> =>
  readFile(path.join(folder, 'comparison.json'), 'utf8')

test('a replay compares recorded runs to the same bytes, without a model, as often as it is asked', async (t) => {
  const flags = ['--repeat', '2', '--margin', '0.05', '--alpha', '0.1', '--seed', '3']
  const { folder, live, given, made } = await record(t, 32, flags)
  const journal = path.join(live, 'runs.jsonl')
  await appendFile(journal, '{"arm":"half a li')
  const before = await readFile(journal, 'utf8')
  for (const name of ['first', 'second']) {
    const out = path.join(folder, name)
    const { code, out: shown, err } = await compare([...given, '--replay', live, '--out', out])
    assert.equal(code, 0, err)
    assert.equal(await comparisonIn(out), await comparisonIn(live))
    assert.ok(shown.trim() !== '' && made.out.endsWith(shown))
    assert.match(err, /Replays 192 of 192 runs/)
    assert.deepEqual(await readdir(out), ['comparison.json'])
  }
  assert.equal(await readFile(journal, 'utf8'), before)
})

test('a replay knows what the runs were made with, and writes nothing unless it is told where', async (t) => {
  const flags = ['--repeat', '2', '--margin', '0.05', '--alpha', '0.1', '--seed', '3']
  const { folder, live, made } = await record(t, 16, [...flags, '--baseline', 'single'])
  const before = await readdir(live)
  const plain = await compare(['--replay', live])
  assert.equal(plain.code, 0, plain.err)
  assert.ok(plain.out.trim() !== '' && made.out.endsWith(plain.out))
  const out = path.join(folder, 'again')
  assert.equal((await compare(['--replay', live, '--out', out])).code, 0)
  assert.equal(await comparisonIn(out), await comparisonIn(live))
  const two = ['--strategy', 'single', '--strategy', 'best-of-n', '--alpha', '0.05']
  assert.equal((await compare(['--replay', live, '--out', out, ...two])).code, 0)
  const { alpha, arms } = JSON.parse(await comparisonIn(out)) as { alpha: number; arms: object[] }
  assert.deepEqual([alpha, arms.length], [0.05, 1])
  assert.deepEqual(await readdir(live), before)
  for (const [extra, message] of [
    [['--seed', '4'], /--seed 4: the runs were made with --seed 3\. Leave it out/],
    [['--repeat', '1'], /--repeat 1: the runs were made with --repeat 2/],
    [['--budget', '{"calls":3}'], /--budget says how runs are made/],
    [['--baseline', 'nobody'], /--baseline must name an arm/],
  ] as const) {
    const { code, err } = await compare(['--replay', live, ...extra])
    assert.equal(code, 2, err)
    assert.match(err, message)
  }
  const none = await compare(['--replay', folder])
  assert.match(none.err, /--replay: there is no .*runs\.jsonl/)
  await writeFile(path.join(live, 'settings.json'), '{"object":"other"}')
  const broken = await compare(['--replay', live])
  assert.deepEqual([broken.code, /settings\.json cannot be read/.test(broken.err)], [2, true])
  await rm(path.join(live, 'settings.json'))
  const old = await compare(['--replay', live])
  assert.deepEqual([old.code, /give the same flags, --data first/.test(old.err)], [2, true])
})

test('a replay takes its labels from the data set', async (t) => {
  const { folder, data, live, given } = await record(t, 4)
  const lines = (await readFile(data, 'utf8')).trimEnd().split('\n')
  const wrong = lines.map((line) => JSON.stringify({ ...JSON.parse(line), answer: 'none' }))
  await writeFile(data, `${wrong.join('\n')}\n`)
  const out = path.join(folder, 'out')
  assert.equal((await compare([...given, '--replay', live, '--out', out])).code, 0)
  const { arms } = JSON.parse(await comparisonIn(out)) as { arms: { cost_per_correct: null }[] }
  assert.deepEqual(
    arms.map((arm) => arm.cost_per_correct),
    [null, null],
  )
})

test('what cannot be replayed is refused with what is wrong, and nothing is written', async (t) => {
  const { folder, data, live, given } = await record(t, 3)
  const short = path.join(folder, 'short.jsonl')
  await writeFile(short, `${scriptedLines(2).join('\n')}\n`)
  const replay = ['--replay', live]
  const faults: readonly [readonly string[], number, RegExp][] = [
    [[...given, '--replay', folder], 2, /--replay: there is no .*runs\.jsonl/],
    [[...given, ...replay, '--strategy', 'self-refine'], 2, /no such run of arm "self-refine"/],
    [['--data', short, ...ARMS, ...replay], 2, /short\.jsonl lacks item "riddle-2"/],
    [[...given, ...replay, '--url', 'http://127.0.0.1:1'], 2, /leave out --url/],
    [[...given, ...replay, '--device', 'cpu'], 2, /leave out --device/],
    [[...given, ...replay, '--resume'], 2, /leave out --resume/],
    [[...given, ...replay, '--model', 'scripted'], 2, /--model/],
    [[...given, ...replay, '--seed', '9'], 2, /--seed 9: the runs were made with --seed 1/],
    [[...given, ...replay, '--budget', '{"calls":2}'], 1, /other settings/],
    [['--data', data, '--strategy', 'single', ...replay], 2, /two arms or more/],
  ]
  const out = path.join(folder, 'out')
  for (const [argv, expected, message] of faults) {
    const { code, err } = await compare([...argv, '--out', out])
    assert.equal(code, expected, err)
    assert.match(err, message)
  }
  assert.deepEqual((await readdir(folder)).toSorted(), ['live', 'set.jsonl', 'short.jsonl'])
  const own = await compare([...given, '--replay', live, '--out', live])
  assert.equal(own.code, 0, own.err)
})

test('a replay whose results have no folder to go to ends, and names the flag', async (t) => {
  if (!existsSync('/proc/self')) return t.skip('this system has no /proc')
  const { live } = await record(t, 2)
  const { code, err } = await compare(['--replay', live, '--out', '/proc/whetstone/out'])
  assert.equal(code, 2)
  assert.match(err, /--out: the folder \/proc\/whetstone\/out cannot be made: ENOENT/)
})
