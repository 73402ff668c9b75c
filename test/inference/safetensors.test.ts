import assert from 'node:assert/strict'
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { parseModelConfig } from '../../src/inference/checkpoint/model-config.ts'
import { openSafetensors } from '../../src/inference/checkpoint/safetensors.ts'
import { FOLDER } from './model-fixture.ts'

const temporary = (t: TestContext): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'safetensors-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

interface Tensor {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

const write = (file: string, tensors: Readonly<Record<string, Tensor>>): void => {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  let at = 0
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.byteLength] }
    at += bytes.byteLength
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.byteLength))
  const data = Object.values(tensors).map(({ bytes }) => bytes)
  writeFileSync(file, Buffer.concat([length, json, ...data]))
}

const asBytes = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

const failsWith = (action: () => unknown, ...parts: readonly (string | RegExp)[]): void => {
  assert.throws(action, (error: unknown) => {
    assert.ok(error instanceof RefineError)
    assert.equal(error.code, 'model_failed')
    for (const part of parts) assert.match(error.message, new RegExp(part))
    return true
  })
}

test('values of all three formats are read as float32', (t) => {
  const folder = temporary(t)
  write(path.join(folder, 'model.safetensors'), {
    full: { dtype: 'F32', shape: [2], bytes: asBytes(Float32Array.of(1.5, -2)) },
    half: {
      dtype: 'F16',
      shape: [2, 3],
      bytes: asBytes(Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff, 0x7c00)),
    },
    brain: { dtype: 'BF16', shape: [2], bytes: asBytes(Uint16Array.of(0x3f80, 0xc040)) },
  })
  const source = openSafetensors(folder)
  t.after(() => source.close())
  assert.deepEqual([...source.read('full', [2])], [1.5, -2])
  assert.deepEqual(
    [...source.read('half', [2, 3])],
    [1, -2, 0.333251953125, 2 ** -24, 65_504, Infinity],
  )
  assert.deepEqual([...source.read('brain', [2])], [1, -3])
})

test('tensors are found in whichever file of several holds them', (t) => {
  const folder = temporary(t)
  const tensor = (value: number): Tensor => ({
    dtype: 'F32',
    shape: [1],
    bytes: asBytes(Float32Array.of(value)),
  })
  write(path.join(folder, 'model-1.safetensors'), { a: tensor(1) })
  write(path.join(folder, 'model-2.safetensors'), { b: tensor(2) })
  const index = { weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } }
  writeFileSync(path.join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
  const source = openSafetensors(folder)
  t.after(() => source.close())
  assert.deepEqual([...source.read('a', [1]), ...source.read('b', [1])], [1, 2])
})

test('an index may not name a file outside its folder', (t) => {
  const folder = temporary(t)
  const index = { weight_map: { a: '../secret.safetensors' } }
  writeFileSync(path.join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
  failsWith(() => openSafetensors(folder), 'same folder')
})

test('a folder in the place of a file is refused by name', (t) => {
  const folder = temporary(t)
  const index = { weight_map: { a: '..' } }
  writeFileSync(path.join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
  failsWith(() => openSafetensors(folder), 'a safetensors file, found something else')
})

test('a cut-off file is refused by name', (t) => {
  const folder = temporary(t)
  cpSync(path.join(FOLDER, 'model.safetensors'), path.join(folder, 'model.safetensors'))
  const file = path.join(folder, 'model.safetensors')
  for (const size of [statSync(file).size - 1, 1000, 4]) {
    truncateSync(file, size)
    failsWith(() => openSafetensors(folder), /model\.safetensors/.source, 'cut off|too short')
  }
})

test('a file that is something else is refused by name', (t) => {
  const folder = temporary(t)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(8n)
  writeFileSync(path.join(folder, 'model.safetensors'), Buffer.concat([length, Buffer.alloc(64)]))
  failsWith(() => openSafetensors(folder), 'model.safetensors', 'JSON header')
  rmSync(path.join(folder, 'model.safetensors'))
  failsWith(() => openSafetensors(folder), 'expected model.safetensors')
})

test('a tensor of another shape or type, or an absent one, is refused by name', (t) => {
  const folder = temporary(t)
  write(path.join(folder, 'model.safetensors'), {
    a: { dtype: 'F32', shape: [2], bytes: new Uint8Array(8) },
    b: { dtype: 'I64', shape: [1], bytes: new Uint8Array(8) },
    c: { dtype: 'F32', shape: [3], bytes: new Uint8Array(8) },
  })
  const source = openSafetensors(folder)
  t.after(() => source.close())
  failsWith(() => source.read('a', [3]), /a has shape \[2\], expected \[3\]/.source)
  failsWith(() => source.read('b', [1]), 'stored as I64')
  failsWith(() => source.read('c', [3]), 'does not fit its shape')
  failsWith(() => source.read('d', [1]), 'expected a tensor d')
})

const config = JSON.parse(readFileSync(path.join(FOLDER, 'config.json'), 'utf8')) as object

for (const [change, message] of [
  [{ model_type: 'gpt2' }, 'model_type must be one of llama'],
  [{ hidden_size: undefined }, 'hidden_size is required'],
  [{ num_key_value_heads: 3 }, 'multiple of num_key_value_heads'],
  [{ rope_scaling: { rope_type: 'longrope' } }, 'rope_scaling.rope_type'],
  [{ rope_scaling: { rope_type: 'yarn' } }, 'rope_scaling.factor must be given'],
  [{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor must be 1'],
  [
    { rope_parameters: { full_attention: { rope_type: 'default' } } },
    'rope_parameters must be one',
  ],
  [
    { quantization_config: { quant_method: 'gptq', bits: 4 } },
    'quantization_config must be absent',
  ],
] as const)
  test(`a configuration is refused by field: ${message}`, (t) => {
    const folder = temporary(t)
    writeFileSync(path.join(folder, 'config.json'), JSON.stringify({ ...config, ...change }))
    failsWith(() => openCheckpoint(folder).config(), 'config.json', message)
  })

const rotaryOf = (change: object) =>
  parseModelConfig('config.json', { ...config, ...change }).decoder.rotary

test('of two places that say how positions are scaled, the older name counts', () => {
  const older = { type: 'linear', factor: 2 }
  const newer = { rope_type: 'linear', factor: 4, rope_theta: 1000 }
  const both = { rope_scaling: older, rope_parameters: newer, rope_theta: 500 }
  assert.deepEqual(rotaryOf(both), { theta: 500, scaling: { type: 'linear', factor: 2 } })
  const { scaling } = rotaryOf({ ...both, rope_scaling: {} })
  assert.deepEqual(scaling, { type: 'linear', factor: 4 })
})

test('the length before scaling may stand outside of the parameters, and counts there', () => {
  const inside = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 64 }
  const scalingWith = (change: object) =>
    rotaryOf({ rope_scaling: inside, max_position_embeddings: 128, ...change }).scaling
  assert.deepEqual(
    scalingWith({ original_max_position_embeddings: 32 }),
    scalingWith({ rope_scaling: { ...inside, original_max_position_embeddings: 32 } }),
  )
})

test('the configuration and the recommended sampling are read', () => {
  const { decoder, endTokens, sampling } = openCheckpoint(FOLDER).config()
  assert.deepEqual(endTokens, [2])
  assert.deepEqual(sampling, { temperature: 0.8, topP: 1, topK: 0 })
  assert.equal(decoder.contextLength, 2048)
  assert.equal(decoder.keyValueHeads, 8)
})
