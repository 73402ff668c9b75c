// Runs every preset on a data set of pebble and writes models/pebble/RESULTS.md. Arguments: --limit N (60), --data
// pebble:NAME (pebble:usual), --concurrency N (24), --out FOLDER (data/table). A second call goes on where one ended, with
// other weights it needs another folder.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'

const root = path.resolve(import.meta.dirname, '..')
/** @param {string} fallback */
const text = (fallback) => ({ type: /** @type {const} */ ('string'), default: fallback })
const { values } = parseArgs({
  options: {
    limit: text('60'),
    data: text('pebble:usual'),
    concurrency: text('24'),
    seed: text('1'),
    out: text('data/table'),
  },
})

const { limit, data, concurrency, seed } = values
const out = path.resolve(root, values.out)

/** Runs of other weights answer the same requests: nothing but this tells them apart. */
const weights = readFileSync(path.join(root, 'models', 'pebble', 'model.safetensors'))
const sum = createHash('sha256').update(weights).digest('hex')
const note = path.join(out, 'weights.sha256')
if (existsSync(path.join(out, 'runs.jsonl'))) {
  if (!existsSync(note) || readFileSync(note, 'utf8') !== sum) {
    console.error(
      `The runs in ${out} were made with other weights: remove it, or choose another --out.`,
    )
    process.exit(1)
  }
}
mkdirSync(out, { recursive: true })
writeFileSync(note, sum)

const lists = ['--arms', 'models/pebble/presets.json']
const expected = ['--expectations', 'models/pebble/expectations.json']
const settings = ['--data', data, ...lists, ...expected, '--skip-refused']
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

const report = readFileSync(path.join(out, 'results.md'), 'utf8')
const command = `npm run table -- --data ${data} --limit ${limit} --seed ${seed}`
const words = `Made by \`${command}\`; the arms are in [presets.json](presets.json), what the literature makes one expect of them in [expectations.json](expectations.json). Seconds are those of runs that share the machine with ${concurrency - 1} others.`
const head = '# All presets on pebble\n\n'
writeFileSync(
  path.join(root, 'models', 'pebble', 'RESULTS.md'),
  report.replace('# Evaluation\n\n', `${head}${words}\n\n`),
)
console.log('Written: models/pebble/RESULTS.md')
