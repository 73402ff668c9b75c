import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { CATALOG } from '../../src/core/errors.ts'
import { WARNINGS } from '../../src/core/warnings.ts'

const SOURCE = path.resolve(import.meta.dirname, '..', '..', '..', 'src')
/** Where events come from: elsewhere `code` is that of an error on the wire. */
const LAYERS = ['inference', 'models', 'prompts', 'runs', 'scoring', 'strategies']
/** Of a failed run. */
const ERRORS = ['interrupted']
const CODES = [/\bcode: '([a-z_]+)'/g, /\b(?:warn|unreadable)\(\s*'([a-z_]+)'/g]

const used = LAYERS.flatMap((layer) =>
  readdirSync(path.join(SOURCE, layer), { recursive: true, withFileTypes: true }),
)
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'utf8'))
  .flatMap((source) => CODES.flatMap((code) => [...source.matchAll(code)].map(([, name]) => name!)))
  .filter((code) => !(code in CATALOG) && !ERRORS.includes(code))

test('every code of a warning is explained, in order, and none that there is not', () => {
  assert.deepEqual(Object.keys(WARNINGS), [...new Set(used)].toSorted())
  for (const [code, meaning] of Object.entries(WARNINGS)) assert.match(meaning, /^[A-Z].*\.$/, code)
})
