import assert from 'node:assert/strict'
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import type { ImportRequest, ModelStore, StoreEvent } from '../../../src/core/model-store.ts'
import { modelSource } from '../../../src/models/model-factory.ts'
import { InstalledModels } from '../../../src/models/hub/installed-models.ts'
import { adviceFor, createModelStore, requireInstalled } from '../../../src/models/model-store.ts'
import { CHECKPOINT_CHECKS } from '../../../src/models/onnx/checks.ts'
import { createOnnxModel } from '../../../src/models/onnx.ts'
import { ModelRegistry } from '../../../src/models/registry.ts'
import { collect, FOLDER, reference } from '../../inference/model-fixture.ts'

const NAMES = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors']

interface Bench {
  readonly store: ModelStore
  /** A copy of a real model, to be spoilt. */
  readonly source: string
  readonly take: (request?: Partial<ImportRequest>) => ReturnType<ModelStore['import']>
  readonly notes: readonly string[]
}

const open = (t: TestContext): Bench => {
  const root = mkdtempSync(path.join(tmpdir(), 'import-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const source = path.join(root, 'small')
  mkdirSync(source)
  for (const name of NAMES) cpSync(path.join(FOLDER, name), path.join(source, name))
  const store = createModelStore({
    folder: path.join(root, 'models'),
    hub: { endpoint: 'http://127.0.0.1:9', offline: true },
    catalog: [],
    checks: CHECKPOINT_CHECKS,
  })
  const notes: string[] = []
  const report = (event: StoreEvent): void => {
    if (event.type === 'note') notes.push(event.text)
  }
  const call = { signal: new AbortController().signal, report }
  const take = (request: Partial<ImportRequest> = {}) =>
    store.import({ path: source, copy: false, ...request }, call)
  return { store, source, take, notes }
}

test('an imported folder is linked, survives its source and answers under its id', async (t) => {
  const { store, source, take } = open(t)
  const model = await take({ id: 'mine/small' })
  assert.deepEqual(model.origin, { kind: 'import', path: source, mode: 'link' })
  assert.equal(statSync(path.join(model.folder, 'model.safetensors')).nlink, 2)
  rmSync(source, { recursive: true })
  const installed = new InstalledModels(store.folder)
  const registry = new ModelRegistry([], {
    find: (id) => {
      const found = installed.find(id)
      const parts = {
        readSecret: () => undefined,
        onnx: createOnnxModel,
        installedFolder: () => '',
      }
      return found && modelSource({ id, adapter: 'onnx', folder: found.folder }, parts)
    },
    advice: (id) => adviceFor(id, []),
  })
  t.after(() => registry.close())
  const { messages, greedy_text } = reference('solve')
  const { texts } = await collect(registry.get('mine/small'), { messages })
  assert.equal(texts[0], greedy_text.replace('<|im_end|>', ''))
  assert.throws(() => registry.get('other/model'), {
    code: 'unknown_model',
    message: /install it with: whetstone pull other\/model/,
  })
  assert.throws(() => requireInstalled(installed, 'other/model'), {
    code: 'unknown_model',
    message: /Install it with: whetstone pull other\/model/,
  })
})

test('a folder of symbolic links, as a hub keeps its cache, is imported by what they lead to', async (t) => {
  const { source, take } = open(t)
  const snapshot = path.join(path.dirname(source), 'snapshots', 'abc')
  mkdirSync(snapshot, { recursive: true })
  for (const name of NAMES) symlinkSync(`../../small/${name}`, path.join(snapshot, name))
  const model = await take({ path: snapshot, id: 'linked' })
  assert.equal(model.origin.kind === 'import' && model.origin.mode, 'link')
  const weights = lstatSync(path.join(model.folder, 'model.safetensors'))
  assert.ok(weights.isFile())
  assert.equal(weights.nlink, 2)
})

test('a folder with several weights says which are taken, and how to have the others', async (t) => {
  const { source, take, notes } = open(t)
  await take({ id: 'plain' })
  assert.ok(!notes.some((note) => note.startsWith('Takes')))
  writeFileSync(path.join(source, 'small-Q8_0.gguf'), 'other weights')
  await take({ id: 'chosen' })
  assert.ok(
    notes.includes('Takes model.safetensors; to have another, import its file: small-Q8_0.gguf'),
    notes.join(),
  )
})

test('a copy is a copy', async (t) => {
  const { take } = open(t)
  const model = await take({ copy: true })
  assert.equal(model.id, 'small')
  assert.equal(model.origin.kind === 'import' && model.origin.mode, 'copy')
  assert.equal(statSync(path.join(model.folder, 'model.safetensors')).nlink, 1)
})

const spoil: readonly [string, (source: string) => void, RegExp][] = [
  [
    'weights that are cut off',
    (at) => truncateSync(`${at}/model.safetensors`, 1_000_000),
    /cut off/,
  ],
  ['no tokenizer', (at) => rmSync(`${at}/tokenizer.json`), /tokenizer\.json/],
  ['no configuration', (at) => rmSync(`${at}/config.json`), /config\.json/],
  ['no weights', (at) => rmSync(`${at}/model.safetensors`), /has no weights that can be read/],
  [
    'an unknown architecture',
    (at) => writeFileSync(`${at}/config.json`, JSON.stringify({ model_type: 'mamba' })),
    /config\.json/,
  ],
  [
    'a tensor missing',
    (at) => {
      const name = `${at}/config.json`
      writeFileSync(name, patch(name, { num_hidden_layers: 99 }))
    },
    /expected a tensor/,
  ],
]

const patch = (file: string, fields: object): string =>
  JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...fields })

for (const [what, spoilt, message] of spoil) {
  test(`a folder with ${what} is refused and leaves nothing behind`, async (t) => {
    const { store, source, take } = open(t)
    spoilt(source)
    await assert.rejects(take(), { message })
    assert.deepEqual(store.list(), [])
  })
}

test('what is no model, an id that cannot be and an id in use are refused', async (t) => {
  const { take, source } = open(t)
  await assert.rejects(take({ path: path.join(source, 'config.json') }), {
    message: /expected a folder/,
  })
  await assert.rejects(take({ path: path.join(source, 'absent') }), { message: /cannot be read/ })
  await assert.rejects(take({ id: 'a/b/c' }), { message: /--id/ })
  await take()
  await assert.rejects(take(), { code: 'conflict', message: /whetstone remove small/ })
})
