import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { includedModels, isIncluded, readCatalog, verifyWeights } from '../../src/models/catalog.ts'
import { readModelConfig } from '../../src/models/model-config.ts'
import { createOnnxModel } from '../../src/models/onnx.ts'
import { ROOT } from '../inference/model-fixture.ts'

const packageWith = (t: TestContext, catalog: unknown): string => {
  const root = mkdtempSync(path.join(tmpdir(), 'catalog-'))
  t.after(() => rmSync(root, { recursive: true }))
  mkdirSync(path.join(root, 'models'))
  writeFileSync(path.join(root, 'models/catalog.json'), JSON.stringify(catalog))
  return root
}

const contents = JSON.parse(readFileSync(path.join(ROOT, 'models/catalog.json'), 'utf8')) as {
  models: Record<string, unknown>[]
}

const refuses = (root: string, message: RegExp): Promise<void> =>
  assert.rejects(
    readCatalog(root),
    (error: unknown) => error instanceof RefineError && message.test(error.message),
  )

const included = (await readCatalog(ROOT)).filter(isIncluded)

test('every model that comes with the package is whole and can be opened as it says', async () => {
  assert.ok(included.length > 0)
  for (const entry of included) {
    await verifyWeights(entry)
    const { id, folder, prompts, step_marks: stepMarks } = entry
    const model = createOnnxModel({ id, folder, prompts, ...(stepMarks && { stepMarks }) })
    assert.equal(model.contextLength, entry.context)
  }
})

test('the models of the package are entries that the configuration takes', () => {
  for (const entry of includedModels(included)) assert.equal(readModelConfig(entry).id, entry.id)
})

test('a wrong catalogue is refused by field', async (t) => {
  const [first] = contents.models
  await refuses(
    packageWith(t, { models: [{ ...first, prompts: 'long' }] }),
    /prompts must be one of/,
  )
  await refuses(
    packageWith(t, { models: [{ ...first, colour: 1 }] }),
    /colour is not a known field/,
  )
  await refuses(packageWith(t, { models: [first, first] }), /listed twice/)
  await refuses(packageWith(t, { models: [{ ...first, repository: 'a/b' }] }), /either folder and/)
  await refuses(path.join(ROOT, 'nowhere'), /expected a readable JSON file/)
})

test('weights that differ from the catalogue are refused', async () => {
  const [entry] = included
  const wrong = (weights: object) =>
    assert.rejects(verifyWeights({ ...entry!, weights: { ...entry!.weights, ...weights } }), {
      code: 'model_failed',
    })
  await wrong({ size: 5 })
  await wrong({ sha256: '0'.repeat(64) })
  await wrong({ file: 'absent' })
})
