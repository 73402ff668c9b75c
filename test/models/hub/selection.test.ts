import assert from 'node:assert/strict'
import test from 'node:test'
import { selectFiles } from '../../../src/models/hub/selection.ts'

const choose = (paths: readonly string[], wish?: string) => {
  const files = paths.map((path) => ({ path, size: 1_000_000 }))
  const { settings, weights } = selectFiles(files, wish, 'owner/name')
  return [...settings, ...weights].map(({ path }) => path)
}

test('safetensors come with the settings, and with their index when there are several', () => {
  assert.deepEqual(
    choose(['config.json', 'x.png', 'tokenizer.json', 'model.safetensors', 'a.gguf']),
    ['config.json', 'tokenizer.json', 'model.safetensors'],
  )
  const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
  const index = 'model.safetensors.index.json'
  assert.deepEqual(choose([index, ...shards]), [index, ...shards])
  const both = [index, ...shards, 'model.safetensors']
  assert.deepEqual(choose(both), ['model.safetensors'])
  assert.deepEqual(choose(both, 'model.safetensors'), ['model.safetensors'])
  assert.deepEqual(choose(both, '00001-of'), [index, ...shards])
})

test('of GGUF files the best one is taken, or the one that is named by a part', () => {
  const files = ['config.json', 'm-Q4_0.gguf', 'm-Q8_0.gguf', 'm-Q4_K_M.gguf', 'mmproj-m.gguf']
  assert.deepEqual(choose(files), ['m-Q8_0.gguf'])
  assert.deepEqual(choose(files, 'q4_k'), ['m-Q4_K_M.gguf'])
  assert.deepEqual(choose(['only.gguf']), ['only.gguf'])
})

test('an ONNX export comes with its data', () => {
  const files = ['config.json', 'onnx/model.onnx', 'onnx/model.onnx_data', 'onnx/model_q4.onnx']
  assert.deepEqual(choose(files), ['config.json', 'onnx/model.onnx', 'onnx/model.onnx_data'])
  assert.deepEqual(choose(files, 'q4'), ['config.json', 'onnx/model_q4.onnx'])
})

const refusals: readonly [string, readonly string[], string | undefined, RegExp][] = [
  ['no weights', ['config.json', 'pytorch_model.bin'], undefined, /no weights that can be read/],
  ['a wish that fits none', ['a.gguf'], 'Q9', /has no file .* There are: a\.gguf \(1\.0 MB\)/],
  ['a wish that fits several', ['a-Q4_0.gguf', 'a-Q4_1.gguf'], 'Q4', /more than one/],
  [
    'a choice nobody can make',
    ['a-IQ2.gguf', 'a-IQ3.gguf'],
    undefined,
    /choose weights with --file/,
  ],
  ['a part of a split file', ['a-00001-of-00003.gguf'], undefined, /one of 3 parts/],
]
for (const [what, files, wish, message] of refusals) {
  test(`${what} is refused with what there is`, () => {
    assert.throws(() => choose(files, wish), { code: 'invalid_request', message })
  })
}
