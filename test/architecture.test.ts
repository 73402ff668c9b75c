/** Holds every source file to the layers of `ARCHITECTURE.md`, and to the house rules a linter cannot express. */
import test from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

const SOURCE = path.resolve(import.meta.dirname, '..', '..', 'src')

/** What each layer may import besides itself. A file directly in `src` is a layer of its own. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  files: [],
  inference: ['core'],
  strategies: ['core'],
  scoring: ['core'],
  prompts: ['core'],
  models: ['core', 'files'],
  experiments: ['core'],
  storage: ['core', 'files'],
  telemetry: ['core'],
  client: ['core', 'runs'],
  playground: ['client', 'core'],
  runs: ['core', 'experiments'],
  evaluation: ['core', 'runs', 'experiments'],
  exports: ['core', 'runs', 'experiments'],
  http: ['core', 'runs', 'experiments', 'exports'],
  cli: ['core', 'files', 'runs', 'experiments', 'evaluation', 'exports', 'client'],
  'config-error.ts': ['core'],
  'config-flags.ts': [],
  'config-file.ts': ['core', 'telemetry'],
  'config-hub.ts': ['core'],
  'config-keys.ts': [
    'core',
    'config-error.ts',
    'config-file.ts',
    'config-flags.ts',
    'config-hub.ts',
  ],
  'config-limits.ts': ['core', 'config-file.ts'],
  'config-origins.ts': ['core', 'config-error.ts'],
  'config.ts': [
    'config-error.ts',
    'config-flags.ts',
    'config-file.ts',
    'config-hub.ts',
    'config-keys.ts',
    'config-limits.ts',
    'config-origins.ts',
    'core',
    'experiments',
    'models',
    'storage',
    'telemetry',
    'runs',
    'http',
  ],
  'app-models.ts': ['*'],
  'app.ts': ['*'],
  'doctor.ts': ['*'],
  'main.ts': ['*'],
}

/** The one place that joins the engine to the language-model port, and its parts. */
const ENGINE_ADAPTER = /^models\/onnx(?:\/[a-z-]+)?\.ts$/

/** Packages that belong to certain layers only. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'onnxruntime-node': ['inference'],
  '@huggingface/tokenizers': ['inference'],
  '@huggingface/jinja': ['inference', 'models'],
  libsql: ['storage'],
  pg: ['storage'],
  fastify: ['http', 'app.ts'],
  pino: ['telemetry'],
}
/** What runs in browsers: of the server it takes types, which are gone when it runs, and the fold. */
const BROWSER_LAYERS = ['client', 'playground']
const BROWSER_VALUES = ['core/run-state.ts']
const BROWSER_PACKAGES = ['eventsource-parser']

/** Core is vocabulary and arithmetic: no I/O, no framework. */
const CORE_PACKAGES = [
  'typebox',
  'typebox/compile',
  'typebox/format',
  're2js',
  '@eslint-community/regexpp',
  'lru-cache',
  'node:crypto',
]

const FORBIDDEN_NAMES = ['utils', 'util', 'helpers', 'helper', 'common', 'misc', 'types']

const IMPORT_PATTERNS = [
  /^\s*(?:import|export)\s(?:[^'";]*?\s)?from\s*['"]([^'"]+)['"]/gm,
  /^\s*import\s*['"]([^'"]+)['"]/gm,
  /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g,
  /\bnew URL\(\s*['"](\.[^'"]+)['"]\s*,\s*import\.meta\.url/g,
]

const withoutComments = (source: string): string =>
  source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')

const importsOf = (source: string): string[] => {
  const code = withoutComments(source)
  return IMPORT_PATTERNS.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]!))
}

const layerOf = (file: string): string => file.split('/')[0]!

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

const mayImportFile = (file: string, target: string): boolean => {
  const [from, to] = [layerOf(file), layerOf(target)]
  const allowed = LAYERS[from] ?? []
  if (from === to || allowed.includes('*') || allowed.includes(to)) return true
  return ENGINE_ADAPTER.test(file) && to === 'inference'
}

const VALUE_IMPORT = /^\s*(?:import|export)\s(?!type\s)(?:[^'";]*?\s)?from\s*['"]([^'"]+)['"]/gm

const serverValuesIn = (file: string, source: string): string[] =>
  [...withoutComments(source).matchAll(VALUE_IMPORT)]
    .map((match) => match[1]!)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => path.posix.normalize(path.posix.join(file, '..', specifier)))
    .filter((target) => !BROWSER_LAYERS.includes(layerOf(target)))
    .filter((target) => !BROWSER_VALUES.includes(target))

const mayImportPackage = (file: string, specifier: string): boolean => {
  const layer = layerOf(file)
  if (BROWSER_LAYERS.includes(layer)) return BROWSER_PACKAGES.includes(specifier)
  if (layer === 'core') return CORE_PACKAGES.includes(specifier)
  const owners = PACKAGES[packageOf(specifier)]
  return owners === undefined || owners.includes(layer)
}

const violationsOf = (file: string, source: string): string[] => {
  const found: string[] = []
  if (LAYERS[layerOf(file)] === undefined) found.push(`belongs to no layer: ${layerOf(file)}`)
  for (const specifier of importsOf(source)) {
    const isFile = specifier.startsWith('.')
    const target = isFile ? path.posix.normalize(path.posix.join(file, '..', specifier)) : specifier
    const allowed = isFile ? mayImportFile(file, target) : mayImportPackage(file, specifier)
    if (!allowed) found.push(`may not import ${target}`)
  }
  if (BROWSER_LAYERS.includes(layerOf(file))) {
    for (const target of serverValuesIn(file, source))
      found.push(`may only take types of ${target}`)
  }
  const code = withoutComments(source)
  if (source.includes('process.env') && file !== 'config.ts' && file !== 'main.ts')
    found.push('reads process.env')
  if (/\bconsole\./.test(code)) found.push('uses console')
  const lines = source.replace(/\n$/, '').split('\n').length
  if (lines > 250) found.push(`has ${lines} lines; 250 are allowed`)
  for (const part of file.replace(/\.ts$/, '').split('/')) {
    if (FORBIDDEN_NAMES.includes(part)) found.push(`has a name that says nothing: ${part}`)
    if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(part)) found.push(`is not in kebab-case: ${part}`)
  }
  return found
}

const sourceFiles = readdirSync(SOURCE, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => path.relative(SOURCE, path.join(entry.parentPath, entry.name)))
  .map((file) => file.split(path.sep).join('/'))
  .toSorted()

for (const file of sourceFiles) {
  test(`src/${file} keeps to its layer and to the house rules`, () => {
    assert.deepEqual(violationsOf(file, readFileSync(path.join(SOURCE, file), 'utf8')), [])
  })
}

test('there are sources to hold to the rules', () => {
  assert.ok(sourceFiles.includes('core/event.ts'))
})

const FAULTS: readonly [string, string, string, RegExp][] = [
  ['a type import', 'core/a.ts', `import type { A } from '../runs/a.ts'`, /runs\/a\.ts/],
  ['a re-export', 'strategies/a.ts', `export * from '../models/b.ts'`, /models\/b\.ts/],
  [
    'an import of many lines',
    'http/a.ts',
    `import {\n  a,\n  b,\n} from '../storage/a.ts'`,
    /storage/,
  ],
  ['an import for its effects', 'runs/a.ts', `import '../http/a.ts'`, /http\/a\.ts/],
  ['a dynamic import', 'cli/a.ts', `const a = await import('../inference/a.ts')`, /inference/],
  [
    'a worker',
    'scoring/a.ts',
    `new Worker(new URL('../inference/w.ts', import.meta.url))`,
    /inference/,
  ],
  ['the engine in an adapter', 'models/other.ts', `import '../inference/a.ts'`, /inference/],
  ['a package of another layer', 'http/a.ts', `import Database from 'libsql'`, /libsql/],
  ['input and output in core', 'core/a.ts', `import { readFile } from 'node:fs'`, /node:fs/],
  [
    'a value of the server in a browser',
    'client/a.ts',
    `import { a } from '../core/a.ts'`,
    /types/,
  ],
  ['a module of Node in a browser', 'client/a.ts', `import path from 'node:path'`, /node:path/],
  ['the environment', 'http/a.ts', `const a = process.env.A`, /process\.env/],
  ['the console', 'http/a.ts', `console.log(1)`, /console/],
  ['a file too long', 'http/a.ts', '\n'.repeat(251), /251 lines/],
  ['an empty name', 'http/utils/a.ts', '', /says nothing/],
  ['a name in another case', 'http/someThing.ts', '', /kebab-case/],
  ['an unknown layer', 'other/a.ts', '', /no layer/],
]

for (const [fault, file, source, expected] of FAULTS) {
  test(`the rules find ${fault}`, () => {
    const found = violationsOf(file, source)
    assert.equal(found.length, 1)
    assert.match(found[0]!, expected)
  })
}

test('the rules let pass what is allowed', () => {
  const allowed: readonly [string, string][] = [
    ['http/routes/a.ts', `import { a } from '../../core/a.ts'\nimport fastify from 'fastify'`],
    ['models/onnx.ts', `import { Engine } from '../inference/engine.ts'`],
    ['models/onnx/prompt.ts', `import { Engine } from '../../inference/engine.ts'`],
    ['main.ts', `import './app.ts'\nconst a = process.env.PORT`],
    ['core/a.ts', `// import '../http/a.ts'\n/* console.log(1) */\nimport { Type } from 'typebox'`],
  ]
  for (const [file, source] of allowed) assert.deepEqual(violationsOf(file, source), [], file)
})
