import test from 'node:test'
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { RefineError } from '../../src/core/errors.ts'
import { runCommand, type CommandDependencies } from '../../src/cli/index.ts'
import { RunExports } from '../../src/exports/run-exports.ts'
import type { RunRequest } from '../../src/runs/run-request.ts'
import type { RunService } from '../../src/runs/run-service.ts'
import { RUN, capture, input } from './fixtures.ts'

const STRATEGY = {
  name: 'best-of-n',
  description: 'Draws n answers and takes the best.',
  feedback: 'model',
  requires: [],
  source: 'baseline',
  options: { type: 'object', properties: { n: { default: 4, description: 'Samples.' } } },
} as const

const execute = async (argv: string[], { stdin = '', environment = {}, refuse = false } = {}) => {
  const seen = { requests: [] as RunRequest[], settings: [] as object[], closed: 0 }
  const runs: Partial<RunService> = {
    create: async (request) => {
      seen.requests.push(request)
      if (refuse) throw new RefineError('unknown_model', 'There is no model "x".')
      return 'run_1'
    },
    async *events() {
      yield* RUN
    },
    strategies: () => [STRATEGY],
    models: () => [
      {
        id: 'scripted',
        adapter: 'scripted',
        capabilities: { seed: 'native', embeddings: 'none', text_scoring: 'emulated' } as never,
        context_length: 512,
        price: { input: 0, output: 0 },
      },
    ],
  }
  const deps: CommandDependencies = {
    version: '1.2.3',
    serveFlags: [{ name: 'port', value: 'N', description: 'Port to listen on.' }],
    serve: async (settings) => void seen.settings.push(settings),
    openRuns: async (settings) => {
      seen.settings.push(settings)
      const exports = new RunExports({
        store: { scan: async () => [], events: async () => [], feedback: async () => [] },
        splitters: [(text) => [text]],
      })
      return { runs: runs as RunService, exports, close: async () => void seen.closed++ }
    },
    openModelStore: () => Promise.reject(new Error('not asked for')),
    examine: () => Promise.reject(new Error('not asked for')),
    packageRoot: '.',
    openapi: async () => ({ openapi: '3.1.0' }),
  }
  const [stdout, stderr] = [capture(), capture()]
  const { signal } = new AbortController()
  const io = { stdin: input(stdin), stdout, stderr, environment, signal }
  const code = await runCommand(argv, io, deps)
  return { code, out: stdout.text(), err: stderr.text(), ...seen }
}

test('every flag of refine finds its place in the request', async () => {
  const { code, requests, closed, out } = await execute(
    `refine --strategy best-of-n --model scripted --options {"n":4} --models {"judge":"other"}
    --budget-calls 9 --budget-tokens 100 --budget-seconds 1.5 --budget-cost 0.1 --seed 7
    --temperature 0.5 --max-tokens 64 question`.split(/\s+/),
  )
  assert.equal(code, 0)
  assert.equal(out, 'The answer is 408.\n')
  assert.deepEqual(requests, [
    {
      input: 'question',
      strategy: 'best-of-n',
      model: 'scripted',
      options: { n: 4 },
      models: { judge: 'other' },
      budget: { calls: 9, tokens: 100, seconds: 1.5, cost: 0.1 },
      seed: 7,
      sampling: { temperature: 0.5, max_tokens: 64 },
    },
  ])
  assert.equal(closed, 1)
})

for (const argv of [['refine'], ['refine', '-']]) {
  test(`the question of "${argv.join(' ')}" is read from standard input`, async () => {
    const { requests } = await execute(argv, { stdin: ' What is\n17 × 24?\n' })
    assert.deepEqual(requests, [{ input: 'What is\n17 × 24?' }])
  })
}

const mistakes: readonly [string[], RegExp][] = [
  [[], /Which command\?[\s\S]*refine/],
  [['refin'], /"refin" is not a command; there are serve, refine/],
  [['refine', '--strateg', 'x', 'q'], /Unknown option '--strateg'\. See "whetstone refine --help"/],
  [['refine', '--seed'], /--seed <value>' argument missing/],
  [['refine', 'two', 'words'], /"words" is one argument too many/],
  [['refine', '--seed', 'x', 'q'], /--seed must be a number, not "x"/],
  [['refine', '--seed', '1.5', 'q'], /--seed must be integer/],
  [['refine', '--budget-calls', '0', 'q'], /--budget-calls must be >= 1/],
  [['refine', '--temperature', '9', 'q'], /--temperature must be <= 5/],
  [['refine', '--options', '[1]', 'q'], /--options must be a JSON object/],
  [['refine', '--options', '{', 'q'], /--options must be a JSON object/],
  [['refine', '--models', '{"odd":"x"}', 'q'], /--models is not a known field/],
  [['refine', '  '], /There is no question/],
  [['refine', '--url', 'localhost', 'q'], /--url must be an http or https address/],
  [['refine', '--url', 'http://localhost', '--api-key-env', 'NO', 'q'], /NO, which is not set/],
  [['models', 'extra'], /"extra" is one argument too many/],
  [['strategies', 'odd'], /There is no strategy "odd"/],
  [['serve', '--prot', '1'], /Unknown option '--prot'/],
]

for (const [argv, message] of mistakes) {
  test(`"whetstone ${argv.join(' ')}" ends with exit code 2 and says what is wrong`, async () => {
    const { code, out, err } = await execute(argv)
    assert.equal(code, 2)
    assert.match(err, message)
    assert.match(err, /^whetstone: /)
    assert.equal(out, '')
  })
}

test('an error of the run service ends with exit code 1 and its message', async () => {
  const { code, err, closed } = await execute(['refine', 'q'], { refuse: true })
  assert.equal(code, 1)
  assert.equal(err, 'whetstone: There is no model "x".\n')
  assert.equal(closed, 1)
})

test('every command that makes runs takes the folder of models and the device, as serve does', async () => {
  const given = ['--models-dir', 'm', '--device', 'cpu']
  for (const argv of [
    ['refine', 'Why?'],
    ['models'],
    ['evaluate', '--data', 'none.jsonl', '--strategy', 'single'],
    ['compare', '--data', 'none.jsonl', '--strategy', 'single', '--strategy', 'self-refine'],
  ]) {
    const { settings } = await execute([...argv, ...given])
    const [first] = settings as { 'models-dir': string; device: string }[]
    assert.equal(first?.['models-dir'], 'm', argv[0])
    assert.equal(first.device, 'cpu', argv[0])
  }
})

test('serve gets its flags as settings', async () => {
  const { code, settings } = await execute(['serve', '--port', '8080'])
  assert.equal(code, 0)
  assert.deepEqual(settings, [{ port: '8080' }])
})

test('every command has a help, and the program too', async () => {
  for (const name of ['serve', 'refine', 'strategies', 'models', 'openapi']) {
    const { code, out } = await execute([name, '--help'])
    assert.equal(code, 0)
    assert.match(out, new RegExp(`^Usage: whetstone ${name} `))
    assert.ok(out.split('\n').length > 5)
    assert.match((await execute(['--help'])).out, new RegExp(`\n  ${name} `))
  }
  assert.equal((await execute(['--version'])).out, '1.2.3\n')
})

test('strategies are listed, shown one by one, and given as JSON', async () => {
  assert.match((await execute(['strategies'])).out, /^NAME .*\nbest-of-n {2}model {5}Draws n/)
  assert.match((await execute(['strategies', 'best-of-n'])).out, /n {7}4 {8}Samples\./)
  assert.deepEqual(JSON.parse((await execute(['strategies', '--json'])).out), [STRATEGY])
})

test('models are listed with what they can do, emulations in brackets', async () => {
  assert.match(
    (await execute(['models'])).out,
    /scripted {2}scripted {2}512 {6}seed \(text_scoring\)/,
  )
})

test('the OpenAPI document is printed, or written to a file', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'whetstone-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = path.join(folder, 'openapi.json')
  const { out } = await execute(['openapi'])
  assert.deepEqual(JSON.parse(out), { openapi: '3.1.0' })
  assert.equal((await execute(['openapi', '--write', file])).out, '')
  assert.equal(await readFile(file, 'utf8'), out)
  const { code, err } = await execute(['openapi', '--write', path.join(file, 'in-a-file')])
  assert.equal(code, 1)
  assert.match(err, /^whetstone: --write .* cannot be written: ENOTDIR/)
})
