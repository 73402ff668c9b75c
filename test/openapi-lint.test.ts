import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import path from 'node:path'
import test from 'node:test'
import { promisify } from 'node:util'

const root = path.resolve(import.meta.dirname, '../..')
const REDOCLY = path.join(root, 'node_modules', '@redocly', 'cli', 'bin', 'cli.js')

/** Nothing may be sent or asked for: tests stay on this machine. */
const OFFLINE = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }

test('the contract in the repository passes the recommended rules of Redocly', async () => {
  const args = [REDOCLY, 'lint', 'openapi/openapi.json', '--format=json']
  const env = { ...process.env, ...OFFLINE }
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env }).catch(
    (failed: { stdout: string }) => failed,
  )
  const { problems } = JSON.parse(stdout) as { problems: { message: string }[] }
  assert.deepEqual(
    problems.map(({ message }) => message),
    [],
  )
})
