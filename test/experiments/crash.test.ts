import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import type { ExperimentResults } from '../../src/experiments/results-schema.ts'
import { workplace } from './server.ts'

const MAIN = path.resolve(import.meta.dirname, '..', '..', 'src', 'main.js')
const CONFIG = `
models: [{ id: slow, adapter: scripted, tokens_per_second: 20, tokens_per_answer: 2000 }]
defaults: { model: slow, strategy: single }
log: { level: error }
experiments:
  - key: crash
    status: running
    arms:
      - { name: a, weight: 0.5, strategy: single }
      - { name: b, weight: 0.5, strategy: best-of-n }
    metrics: [{ name: auto.failed, type: boolean, direction: down, primary: true }]
`

const start = async (t: TestContext, folder: string) => {
  const child = spawn(process.execPath, [MAIN, 'serve', '--port', '0'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, url: /http:\S+/.exec(line.toString())![0] }
}

test('a run that a crash ended counts as failed in its arm, with the exposure it was shown', async (t) => {
  const folder = workplace(CONFIG)
  const first = await start(t, folder)
  const stream = await fetch(`${first.url}/v1/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: 'What?', stream: true, experiment: { key: 'crash' } }),
  })
  let seen = ''
  const exit = once(first.child, 'exit')
  for await (const bytes of stream.body!) {
    seen += Buffer.from(bytes as Uint8Array).toString()
    if (!seen.includes('candidate.delta')) continue
    // Before the stream is left: a server that outlives its client by a moment cancels the run.
    first.child.kill('SIGKILL')
    break
  }
  await exit
  const arm = /"assignment":\{"experiment":"crash","arm":"(\w)","reason":"assigned"/.exec(seen)![1]
  const second = await start(t, folder)
  const reply = await fetch(`${second.url}/v1/experiments/crash/results`)
  const { arms } = (await reply.json()) as ExperimentResults
  const own = arms.find(({ name }) => name === arm)!
  assert.equal(own.exposures, 1)
  assert.deepEqual([own.metrics['auto.failed']!.count, own.metrics['auto.failed']!.mean], [1, 1])
})
