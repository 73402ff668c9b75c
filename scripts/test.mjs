// Runs every compiled test file (or those whose path contains one of the words given) with Node's own test runner.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')
const words = process.argv.slice(2)
const files = readdirSync(path.join(root, 'dist', 'test'), { recursive: true })
  .filter((name) => name.endsWith('.test.js'))
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .map((name) => path.join('dist', 'test', name))
  .sort()
if (files.length === 0) {
  console.error(`No test file matches: ${words.join(' ')}`)
  process.exit(1)
}
const { status } = spawnSync(
  process.execPath,
  [
    '--enable-source-maps',
    '--test',
    '--test-timeout=300000',
    `--test-concurrency=${Math.max(2, availableParallelism())}`,
    ...files,
  ],
  { cwd: root, stdio: 'inherit' },
)
process.exit(status ?? 1)
