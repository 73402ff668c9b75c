/** The program as a user starts it: a process with its own data folder, over a real socket. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { foldRun } from '../src/core/run-state.ts'
import type { RunEvent } from '../src/core/event.ts'

const MAIN = path.resolve(import.meta.dirname, '..', 'src', 'main.js')

/** A scripted model slow enough to be caught in the middle. */
const CONFIG = `
models:
  - id: slow
    adapter: scripted
    tokens_per_second: 50
    tokens_per_answer: 500
defaults: { model: slow, strategy: single }
log: { level: error }
`

const workplace = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'whetstone-process-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(path.join(folder, 'whetstone.yaml'), CONFIG)
  return folder
}

interface Server {
  readonly child: ChildProcess
  readonly url: string
}

const start = async (
  t: TestContext,
  folder: string,
  flags: readonly string[] = [],
): Promise<Server> => {
  const child = spawn(process.execPath, [MAIN, 'serve', '--port', '0', ...flags], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (data: Buffer) => resolve(data.toString()))
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}.`)))
  })
  const url = /^Whetstone listens on (http:\S+)\n/.exec(line)?.[1]
  assert.ok(url, line)
  return { child, url }
}

const stop = async ({ child }: Server, signal: NodeJS.Signals): Promise<number | null> => {
  const exit = once(child, 'exit') as Promise<[number | null]>
  child.kill(signal)
  return (await exit)[0]
}

const post = (url: string, body: object): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

/** Events of an event stream until it ends or `enough` says so. */
const eventsOf = async (
  response: Response,
  enough: (events: readonly RunEvent[]) => boolean = () => false,
): Promise<RunEvent[]> => {
  const events: RunEvent[] = []
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of response.body!) {
    rest += decoder.decode(bytes as Uint8Array, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      if (line.startsWith('data: ')) events.push(JSON.parse(line.slice(6)) as RunEvent)
    }
    if (enough(events)) break
  }
  return events
}

test('a killed server loses no event that a client saw, and ends the run when it is back', async (t) => {
  const folder = workplace()
  const first = await start(t, folder)
  // A background run: one that was streamed by its POST would be cancelled when the reader leaves.
  const begun = await post(`${first.url}/v1/runs`, { input: 'What is 2 + 2?', background: true })
  const { id } = (await begun.json()) as { id: string }
  const seen = await eventsOf(
    await fetch(`${first.url}/v1/runs/${id}/events`),
    (events) => events.filter(({ type }) => type === 'candidate.delta').length >= 5,
  )
  await stop(first, 'SIGKILL')

  const second = await start(t, folder)
  const run = (await (await fetch(`${second.url}/v1/runs/${id}`)).json()) as Record<string, unknown>
  assert.equal(run['status'], 'failed')
  assert.deepEqual((run['error'] as { code: string }).code, 'interrupted')
  const said = foldRun(seen)!.candidates[0]!.text
  assert.ok((run['answer'] as { text: string }).text.startsWith(said), 'the answer so far is kept')
  const log = await eventsOf(await fetch(`${second.url}/v1/runs/${id}/events`))
  assert.deepEqual(log.slice(0, seen.length), seen)
  assert.equal(log.at(-1)!.type, 'run.failed')
  assert.deepEqual(foldRun(log), run)
  const resumed = await fetch(`${second.url}/v1/runs/${id}/events`, {
    headers: { 'last-event-id': String(seen.length) },
  })
  assert.deepEqual(await eventsOf(resumed), log.slice(seen.length))
  assert.equal(await stop(second, 'SIGTERM'), 0)
})

test('SIGTERM lets a run end, refuses new ones and exits with 0', async (t) => {
  const folder = workplace()
  const server = await start(t, folder)
  const stream = await post(`${server.url}/v1/runs`, {
    input: 'What is 2 + 2?',
    stream: true,
    sampling: { max_tokens: 25 },
  })
  const reader = eventsOf(stream)
  const exit = stop(server, 'SIGTERM')
  const events = await reader
  assert.equal(events.at(-1)?.type, 'run.completed')
  assert.equal(await exit, 0)
})

/** The exit code and what was said of what is wrong. */
const execute = async (argv: readonly string[], cwd: string): Promise<[number, string]> => {
  const stdio = ['ignore', 'ignore', 'pipe'] as const
  const child = spawn(process.execPath, [MAIN, ...argv], { cwd, stdio: [...stdio] })
  let complaint = ''
  child.stderr!.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number]
  return [code, complaint]
}

test('an open address without keys is refused before anything listens', async () => {
  const argv = ['serve', '--port', '0', '--host', '0.0.0.0']
  const [code, complaint] = await execute(argv, workplace())
  assert.equal(code, 1)
  assert.match(complaint, /--host 0\.0\.0\.0.*API keys.*--no-api-keys/s)
  assert.doesNotMatch(complaint, /at file:|node:internal/)
})

test('an export from a folder without runs is an error, and makes none', async () => {
  const folder = workplace()
  const data = path.join(folder, 'missing')
  const [code, complaint] = await execute(['export', '--format', 'sft', '--data', data], folder)
  assert.equal(code, 1)
  assert.match(complaint, /--data \S+missing: there is no whetstone\.db in this folder/)
  assert.equal(existsSync(data), false)
})

test('commands that only list make no data folder, and work beside the server that uses it', async (t) => {
  const folder = workplace()
  const lists = [['strategies'], ['models'], ['models', '--installed']]
  for (const argv of lists) assert.deepEqual(await execute(argv, folder), [0, ''], argv.join(' '))
  assert.equal(existsSync(path.join(folder, 'data')), false)
  await start(t, folder)
  assert.deepEqual(await execute(['strategies'], folder), [0, ''])
})

test('with a key in the environment, calls without it are refused and calls with it are served', async (t) => {
  const folder = workplace()
  process.env['PROCESS_TEST_KEY'] = 'a-key-that-is-long-enough'
  const server = await start(t, folder, ['--api-key-env', 'PROCESS_TEST_KEY'])
  assert.equal((await fetch(`${server.url}/v1/runs`)).status, 401)
  const headers = { authorization: 'Bearer a-key-that-is-long-enough' }
  assert.equal((await fetch(`${server.url}/v1/runs`, { headers })).status, 200)
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200)
})

test('the embedded model answers a word problem through the default strategy and shows its revisions', async (t) => {
  const folder = workplace()
  writeFileSync(path.join(folder, 'whetstone.yaml'), 'log: { level: error }\n')
  const server = await start(t, folder)
  const response = await post(`${server.url}/v1/runs`, {
    input: 'Ann has 3 pens. Ben has 2 more pens than Ann. How many pens does Ben have?',
    seed: 1,
  })
  assert.equal(response.status, 200)
  const run = (await response.json()) as Record<string, unknown>
  assert.equal(run['model'], 'pebble')
  assert.equal(run['strategy'], 'solver-reviewer-refiner')
  // Not whether it is right: that is the model's business.
  assert.match((run['answer'] as { text: string }).text, /#### \d+$/)
  assert.ok((run['candidates'] as unknown[]).length >= 8)
  assert.ok((run['revisions'] as unknown[]).length >= 1)
})
