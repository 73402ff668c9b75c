import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import type { LanguageModel } from '../../src/core/language-model.ts'
import { readModelConfig } from '../../src/models/model-config.ts'
import { modelSource } from '../../src/models/model-factory.ts'
import type { OnnxModelOptions } from '../../src/models/onnx.ts'
import { ModelRegistry } from '../../src/models/registry.ts'
import { createScriptedModel } from '../../src/models/scripted.ts'

const parts = {
  readSecret: (name: string) => (name === 'SOME_KEY' ? 'secret' : undefined),
  onnx: (options: OnnxModelOptions) => createScriptedModel({ id: options.id }),
  installedFolder: (id: string) => `models/${id}`,
}
const source = (value: unknown) => modelSource(readModelConfig(value, '/models/0'), parts)

test('models are made on first use, once, and closed with the registry', async () => {
  let [made, closed] = [0, 0]
  const registry = new ModelRegistry([
    {
      id: 'a',
      adapter: 'scripted',
      create: () => {
        made++
        const close = () => Promise.resolve(void closed++)
        return { ...createScriptedModel({ id: 'a' }), close }
      },
    },
  ])
  assert.equal(made, 0)
  assert.equal(registry.get('a'), registry.get('a'))
  await registry.ready()
  await registry.close()
  assert.deepEqual([made, closed], [1, 1])
})

test('an unknown model is refused with the ids that are known', () => {
  const registry = new ModelRegistry([
    source({ id: 'a', adapter: 'scripted' }),
    source({ id: 'b', adapter: 'scripted' }),
  ])
  assert.throws(() => registry.get('c'), {
    code: 'unknown_model',
    message: 'There is no model "c". Known: "a", "b".',
  })
})

test('two models of one id are refused', () => {
  const twice = source({ id: 'a', adapter: 'scripted' })
  assert.throws(() => new ModelRegistry([twice, twice]), { message: /two models .* "a"/ })
})

test('the list tells id, adapter, capabilities, context length and price', () => {
  const registry = new ModelRegistry([
    source({ id: 'a', adapter: 'scripted', context_length: 512, price: { input: 1, output: 2 } }),
  ])
  const [entry] = registry.list()
  assert.deepEqual([entry?.id, entry?.adapter, entry?.context_length], ['a', 'scripted', 512])
  assert.deepEqual(entry?.price, { input: 1, output: 2 })
  assert.equal(entry?.capabilities.parallel_samples, 'native')
})

test('readiness fails with the name of the model that is not ready', async () => {
  const broken: LanguageModel = {
    ...createScriptedModel({ id: 'bad' }),
    ready: () => Promise.reject(new RefineError('model_failed', 'The weights are missing.')),
  }
  const registry = new ModelRegistry([{ id: 'bad', adapter: 'onnx', create: () => broken }])
  await assert.rejects(registry.ready(), {
    code: 'model_failed',
    message: 'Model "bad": The weights are missing.',
  })
})

test('an entry is checked by the schema of its adapter, naming the field', () => {
  for (const [value, message] of [
    [{ id: 'a' }, /\/models\/0\/adapter.*"onnx", "openai-compatible", "scripted"/],
    [{ id: 'a', adapter: 'toString' }, /\/models\/0\/adapter/],
    [{ id: 'a', adapter: 'openai-compatible' }, /\/models\/0\/base_url is required/],
    [{ id: 'a', adapter: 'scripted', accuracy: 2 }, /\/models\/0\/accuracy/],
    [{ id: 'a:b', adapter: 'scripted' }, /\/models\/0\/id/],
    [{ id: 'a', adapter: 'scripted', folder: 'x' }, /\/models\/0\/folder is not a known field/],
    [null, /\/models\/0\/adapter/],
  ] as const) {
    assert.throws(() => readModelConfig(value, '/models/0'), { code: 'invalid_request', message })
  }
})

test('every adapter can be made from its entry', async (t) => {
  const entry = {
    id: 'remote',
    adapter: 'openai-compatible',
    base_url: 'http://127.0.0.1:9000/v1',
    upstream_model: 'some-name',
    api_key_env: 'SOME_KEY',
    flavour: 'vllm',
    capabilities: { seed: 'none' },
    timeouts: { first_byte_ms: 10 },
    retries: { limit: 0 },
    prompts: 'full',
  }
  const remote = source(entry).create()
  t.after(() => remote.close())
  assert.equal(remote.capabilities.seed, 'none')
  assert.equal(remote.capabilities.assistant_continuation, 'native')
  assert.equal(remote.prompts, 'full')
  assert.equal(source({ id: 'p', adapter: 'onnx', folder: 'models/pebble' }).create().id, 'p')
  await source({ id: 's', adapter: 'scripted', seed: 3 }).create().ready()
})

test('a key that is not set is an error with the names of the model and of the variable', () => {
  const entry = {
    id: 'remote',
    adapter: 'openai-compatible',
    base_url: 'http://x/v1',
    api_key_env: 'NO_KEY',
  }
  assert.throws(() => source(entry).create(), { message: /"remote".*NO_KEY/ })
})
