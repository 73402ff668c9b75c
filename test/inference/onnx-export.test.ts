import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { Engine } from '../../src/inference/engine.ts'
import { ExportDecoder } from '../../src/inference/runtime/export-decoder.ts'
import { readTokenText } from '../../src/inference/text/token-text.ts'
import { createOnnxModel } from '../../src/models/onnx.ts'
import {
  cacheInChunks,
  FIXTURES,
  largestDifference,
  MODELS,
  score,
  temporaryFolder,
} from './checkpoint-fixture.ts'
import { collect, never, samplingParameters } from './model-fixture.ts'

const TOLERANCE = 1e-3
const { ids, export: reference } = MODELS

const writeExport = (file = 'onnx/model.onnx', config: object = reference.config): string => {
  const folder = temporaryFolder()
  mkdirSync(path.join(folder, 'onnx'))
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    copyFileSync(path.join(FIXTURES, name), path.join(folder, name))
  copyFileSync(path.join(FIXTURES, 'export.onnx'), path.join(folder, file))
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config))
  return folder
}

const FOLDER = writeExport()
const { decoder: shape } = openCheckpoint(FOLDER).config()
const open = () =>
  ExportDecoder.open(openCheckpoint(FOLDER).exported('auto')!, shape, [], {
    threads: 1,
    device: 'cpu',
  })

test('an export gives the log-probabilities and logits of the independent implementation', async () => {
  const decoder = await open()
  const { last, logProbabilities } = await score(decoder, ids)
  assert.ok(largestDifference(last, reference.last_logits) < TOLERANCE)
  assert.ok(largestDifference(logProbabilities, reference.token_log_probabilities) < TOLERANCE)
  await decoder.close()
})

test('an export continues prompts that were computed in chunks, two rows at a time', async () => {
  const decoder = await open()
  const cache = await cacheInChunks(decoder, ids, [9, 20])
  const rest = [ids.slice(20, 30), ids.slice(30, 40)]
  const { head } = await decoder.run({
    rows: 2,
    length: 10,
    tokens: BigInt64Array.from(rest.flat(), BigInt),
    positions: BigInt64Array.from(rest.flat(), (_, index) => BigInt(20 + (index % 10))),
    prefix: { cache, length: 20 },
    head: { rows: BigInt64Array.of(9n, 19n), outputs: ['logits'] },
  })
  for (const [row, text] of rest.entries()) {
    const { last } = await score(decoder, [...ids.slice(0, 20), ...text])
    const found = head['logits']!.slice(row * shape.vocabulary, (row + 1) * shape.vocabulary)
    assert.ok(largestDifference(found, last) < 1e-4)
  }
  await decoder.close()
})

test('samples of prompts of different length, shared and not, are the greedy continuations', async () => {
  const engine = new Engine({ folder: FOLDER, threads: 1 })
  const words = readTokenText(openCheckpoint(FOLDER))
  const generate = async (prompt: readonly number[], samples: number): Promise<string[]> => {
    const texts = Array.from({ length: samples }, () => '')
    const work = {
      prompt: Int32Array.from(prompt),
      samples,
      sampling: samplingParameters({ maxTokens: 12 }),
      keepStop: false,
      seed: 1,
      topLogProbabilities: 0,
    }
    for await (const chunk of engine.generate(work, never))
      if (chunk.type === 'delta')
        for (const { text } of chunk.tokens ?? []) texts[chunk.sample] += `${text}|`
    return texts
  }
  const alone = await generate(ids.slice(0, 30), 1)
  const [many, beside] = await Promise.all([generate(ids, 5), generate(ids.slice(0, 30), 1)])
  const expected = reference.greedy_ids.map((id) => `${words.text(id)}|`).join('')
  assert.ok(!reference.greedy_ids.includes(2))
  assert.deepEqual(
    many,
    Array.from({ length: 5 }, () => expected),
  )
  assert.deepEqual(beside, alone)
  await engine.close()
})

test('the model says that it takes the slow way, in the log and to whoever asks', async () => {
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message)
  const options = { id: 'exported', folder: FOLDER, prompts: 'full' as const, threads: 1 }
  const model = createOnnxModel({ ...options, onWarning })
  assert.match(warnings.join(), /exported: .*ONNX export/)
  const { chunks, finishes } = await collect(model, {
    messages: [{ role: 'user', content: 'Hi' }],
    sampling: { temperature: 0.8, top_p: 0.9, max_tokens: 4 },
  })
  assert.equal(finishes.length, 1)
  assert.deepEqual(
    chunks.flatMap((chunk) => (chunk.type === 'warning' ? [chunk.code] : [])),
    ['generic_graph'],
  )
  assert.equal(model.capabilities.embeddings, 'none')
  await model.close()
})

test('an export of an architecture that we have no graph for runs all the same', () => {
  const folder = writeExport('model.onnx', { ...reference.config, model_type: 'gemma' })
  assert.equal(openCheckpoint(folder).config().decoder.vocabulary, 384)
})

test('the file follows the weights asked for, and one that is not there is named', () => {
  const folder = writeExport('onnx/model_quantized.onnx')
  const checkpoint = openCheckpoint(folder)
  for (const weights of ['auto', 'int8'] as const)
    assert.equal(path.basename(checkpoint.exported(weights)!), 'model_quantized.onnx')
  assert.throws(() => checkpoint.exported('fp32'), {
    code: 'model_failed',
    message: /expected model\.onnx .*found onnx\/model_quantized\.onnx/,
  })
})

test('an export without a cache, or of another size, is refused by the input', async () => {
  const larger = { ...shape, layers: 3 }
  const file = openCheckpoint(FOLDER).exported('auto')!
  await assert.rejects(ExportDecoder.open(file, larger, [], { threads: 1, device: 'cpu' }), {
    code: 'model_failed',
    message: /past_key_values\.2\.key/,
  })
})
