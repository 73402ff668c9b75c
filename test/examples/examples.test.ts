/** Every example, as a user runs it, against a server in a process of its own with the scripted model. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { after, before } from 'node:test'
import { promisify } from 'node:util'
import { openPage } from '../support/browser.ts'

const ROOT = path.resolve(import.meta.dirname, '../../..')
const MAIN = path.join(ROOT, 'dist', 'src', 'main.js')
const EXAMPLES = path.join(ROOT, 'examples')

const folder = mkdtempSync(path.join(tmpdir(), 'whetstone-examples-'))
const server = spawn(process.execPath, [MAIN, 'serve', '--port', '0', '--log-level', 'error'], {
  cwd: folder,
  stdio: ['ignore', 'pipe', 'inherit'],
})
let url = ''

before(async () => {
  const line = await new Promise<string>((resolve, reject) => {
    server.stdout.once('data', (data: Buffer) => resolve(data.toString()))
    server.once('exit', (code) => reject(new Error(`The server ended with ${code}.`)))
  })
  url = /http:\S+/.exec(line)![0]
})

after(() => {
  server.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const run = async (command: string, ...args: string[]): Promise<{ out: string; said: string }> => {
  const { stdout, stderr } = await promisify(execFile)(command, [...args, url, 'scripted'], {
    cwd: ROOT,
  })
  return { out: stdout, said: stderr }
}

test('curl', async () => {
  const { out } = await run('bash', path.join(EXAMPLES, 'curl.sh'))
  assert.match(out, /== wait[^=]*\{"id":"run_/)
  assert.match(out, /== watch[\s\S]*event: run\.created[\s\S]*event: run\.completed/)
  assert.match(out, /== start[\s\S]*event: answer\.revised[\s\S]*"status":"c(?:ompleted|ancelled)"/)
})

for (const example of ['openai.mjs', 'ai-sdk.mjs', 'langchain.mjs', 'anthropic.mjs']) {
  test(`${example} prints the answer, and what led to it beside it`, async () => {
    const { out, said } = await run(process.execPath, path.join(EXAMPLES, example))
    assert.match(out, /#### \d+\n$/)
    assert.match(said, /./)
  })
}

test('whetstone/client in Node', async () => {
  const { out, said } = await run(process.execPath, path.join(EXAMPLES, 'client.mjs'))
  assert.match(
    out,
    /^single: 1 calls, #### .*\nbest-of-n: \d+ calls, .*\nself-consistency: \d+ calls, /,
  )
  assert.match(said, /revision 1: [\s\S]*ended: /)
})

test('whetstone/client in a page', async (t) => {
  const { page, faults } = await openPage(t)
  const html = readFileSync(path.join(EXAMPLES, 'browser.html'), 'utf8')
  await page.route('**/example*', (route) =>
    route.fulfill({ contentType: 'text/html', body: html }),
  )
  await page.goto(`${url}/example?model=scripted`)
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.getByText('Done: ').waitFor()
  assert.notEqual(await page.locator('#revisions li').count(), 0)
  assert.deepEqual(faults, [])
})

test('every example is run here and named in the list', () => {
  const tested = readFileSync(path.join(ROOT, 'test/examples/examples.test.ts'), 'utf8')
  const listed = readFileSync(path.join(EXAMPLES, 'README.md'), 'utf8')
  for (const name of readdirSync(EXAMPLES).filter((file) => file !== 'README.md')) {
    assert.ok(tested.includes(`'${name}'`), `${name} is not run`)
    assert.ok(listed.includes(`(${name})`), `${name} is not listed`)
  }
})
