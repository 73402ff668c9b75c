// Requests made from the OpenAPI document: `npm run fuzz -- [--cases 5000] [--seed N]`; the seed is drawn if absent.
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import path from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '5000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
})
const { status } = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--test', path.join('dist', 'test', 'openapi-fuzz.test.js')],
  {
    cwd: path.resolve(import.meta.dirname, '..'),
    stdio: 'inherit',
    env: { ...process.env, FUZZ_CASES: values.cases, FUZZ_SEED: values.seed },
  },
)
process.exit(status ?? 1)
