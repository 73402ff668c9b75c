// Runs every preset on a data set of pebble and writes models/pebble/RESULTS.md. Arguments: --limit N (100), --data
// pebble:NAME (pebble:usual), --concurrency N (24), --out FOLDER (data/table). A second call goes on where one ended.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'

const root = path.resolve(import.meta.dirname, '..')
/** @param {string} fallback */
const text = (fallback) => ({ type: /** @type {const} */ ('string'), default: fallback })
const { values } = parseArgs({
  options: {
    limit: text('100'),
    data: text('pebble:usual'),
    concurrency: text('24'),
    seed: text('1'),
    out: text('data/table'),
  },
})

const { limit, data, concurrency, seed, out } = values
const settings = ['--data', data, '--arms', 'models/pebble/presets.json', '--skip-refused']
const program = path.join(root, 'dist', 'src', 'main.js')
const { status } = spawnSync(
  process.execPath,
  [program, 'evaluate', ...settings, '--limit', limit, '--seed', seed, '--out', out].concat(
    '--concurrency',
    concurrency,
    '--resume',
    '--retry-failed',
  ),
  { cwd: root, stdio: 'inherit' },
)
if (status !== 0) process.exit(status ?? 1)

const report = readFileSync(path.join(root, out, 'results.md'), 'utf8')
const command = `npm run table -- --data ${data} --limit ${limit} --seed ${seed}`
const note = `Made by \`${command}\`; the arms are in [presets.json](presets.json). Seconds are those of runs that share the machine with ${concurrency - 1} others.`
const head = '# All presets on pebble\n\n'
writeFileSync(
  path.join(root, 'models', 'pebble', 'RESULTS.md'),
  report.replace('# Evaluation\n\n', `${head}${note}\n\n`),
)
console.log('Written: models/pebble/RESULTS.md')
