import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { BinaryFile } from '../../src/inference/checkpoint/binary-file.ts'
import { openCheckpoint, type Checkpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { configOf, MetadataReader } from '../../src/inference/checkpoint/gguf/config.ts'
import { readHeader, type MetadataValue } from '../../src/inference/checkpoint/gguf/header.ts'
import { tokenizerConfigOf, tokenizerOf } from '../../src/inference/checkpoint/gguf/tokenizer.ts'
import { refuseUnknown } from '../../src/inference/checkpoint/gguf/weights.ts'
import { parseModelConfig } from '../../src/inference/checkpoint/model-config.ts'
import { readChatTemplate } from '../../src/inference/text/chat-template.ts'
import { readTokenText } from '../../src/inference/text/token-text.ts'
import { readTokenizer } from '../../src/inference/text/tokenizer.ts'
import { FIXTURES, readFixture, temporaryFolder } from './checkpoint-fixture.ts'

interface Tokenizers {
  readonly texts: readonly string[]
  readonly byte_level: Readonly<Record<string, readonly (readonly number[])[]>>
  readonly sentence_piece: {
    readonly tokens: readonly string[]
    readonly scores: readonly number[]
    readonly types: readonly number[]
    readonly texts: readonly string[]
    readonly ids: readonly (readonly number[])[]
  }
}

const TOKENIZERS = readFixture<Tokenizers>('tokenizers.json')
const LLAMA = path.join(FIXTURES, 'llama.gguf')

const failsWith = (action: () => unknown, ...parts: readonly string[]): void => {
  assert.throws(action, (error: unknown) => {
    assert.ok(error instanceof RefineError)
    assert.equal(error.code, 'model_failed')
    for (const part of parts) assert.ok(error.message.includes(part), error.message)
    return true
  })
}

/** The fixture's metadata with some changed; undefined takes one out. */
const reader = (changes: Readonly<Record<string, MetadataValue | undefined>>): MetadataReader => {
  const file = new BinaryFile(LLAMA, 'GGUF')
  const header = readHeader(file)
  file.close()
  const entries = Object.entries({ ...Object.fromEntries(header.metadata), ...changes })
  const metadata = new Map(
    entries.filter((entry): entry is [string, MetadataValue] => entry[1] !== undefined),
  )
  return new MetadataReader(LLAMA, { ...header, metadata })
}

const checkpointOf = (metadata: MetadataReader): Checkpoint => ({
  ...openCheckpoint(LLAMA),
  tokenizer: () => tokenizerOf(metadata),
  tokenizerConfig: () => tokenizerConfigOf(metadata),
})

for (const [name, expected] of Object.entries(TOKENIZERS.byte_level))
  test(`a byte-level tokenizer from the metadata splits as ${name} does`, () => {
    const checkpoint = checkpointOf(reader({ 'tokenizer.ggml.pre': name }))
    const tokenizer = readTokenizer(checkpoint)
    const words = readTokenText(checkpoint)
    for (const [index, text] of TOKENIZERS.texts.entries()) {
      const ids = tokenizer.encode(text)
      assert.deepEqual(ids, expected[index], text)
      if (text.includes('<|')) continue
      const bytes = Buffer.concat(ids.map((id) => words.bytes(id)))
      assert.equal(bytes.toString(), name === 'qwen2' ? text.normalize('NFC') : text)
    }
  })

test('a SentencePiece tokenizer from the metadata merges by its scores', () => {
  const { tokens, scores, types, texts, ids } = TOKENIZERS.sentence_piece
  const checkpoint = checkpointOf(
    reader({
      'tokenizer.ggml.model': 'llama',
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.scores': scores,
      'tokenizer.ggml.token_type': types,
      'tokenizer.ggml.unknown_token_id': 0,
    }),
  )
  const tokenizer = readTokenizer(checkpoint)
  for (const [index, text] of texts.entries())
    assert.deepEqual(tokenizer.encode(text), ids[index], text)
  const words = readTokenText(checkpoint)
  const bytes = Buffer.concat(tokenizer.encode(texts[2]!).map((id) => words.bytes(id)))
  assert.equal(bytes.toString(), ` ${texts[2]}`)
  // The unknown token is a special one, as in files that come from the original tokenizer.
  assert.deepEqual(tokenizer.encode('<unk>'), [0])
  assert.equal(words.text(0), '')
})

test('the chat template of the metadata is rendered', () => {
  const render = readChatTemplate(openCheckpoint(LLAMA))
  assert.equal(
    render([{ role: 'user', content: 'Hi' }]),
    '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
  )
})

test('a folder that holds one GGUF file is that file, and two are refused', () => {
  const folder = temporaryFolder()
  copyFileSync(LLAMA, path.join(folder, 'model.gguf'))
  assert.equal(openCheckpoint(folder).config().decoder.layers, 3)
  copyFileSync(LLAMA, path.join(folder, 'other.gguf'))
  failsWith(() => openCheckpoint(folder), 'one GGUF file', 'model.gguf, other.gguf')
  failsWith(() => openCheckpoint(path.join(folder, 'nothing')), 'nothing', 'a GGUF file')
})

test('a file cut off anywhere is refused by name', () => {
  const file = path.join(temporaryFolder(), 'cut.gguf')
  copyFileSync(LLAMA, file)
  for (const size of [190_000, 20_000, 5000, 100, 24, 10, 0]) {
    truncateSync(file, size)
    failsWith(() => openCheckpoint(file), 'cut.gguf')
  }
})

test('damaged counts and lengths are refused rather than believed', () => {
  const whole = readFileSync(LLAMA)
  const file = path.join(temporaryFolder(), 'damaged.gguf')
  for (const offset of [8, 16, 24]) {
    const bytes = Buffer.from(whole)
    bytes.writeBigUInt64LE(2n ** 60n, offset)
    writeFileSync(file, bytes)
    failsWith(() => openCheckpoint(file), 'damaged.gguf', 'cut off or damaged')
  }
  const version = Buffer.from(whole)
  version.writeUInt32LE(1, 4)
  writeFileSync(file, version)
  failsWith(() => openCheckpoint(file), 'version 1', 'expected 2 or 3')
  writeFileSync(file, 'something else altogether, and long enough')
  failsWith(() => openCheckpoint(file), 'does not begin with "GGUF"')
})

test('a tensor of an unknown type is refused by name', () => {
  const bytes = readFileSync(LLAMA)
  const name = 'blk.1.ffn_down.weight'
  const at = bytes.indexOf(name) + name.length + 4 + 16
  assert.equal(bytes.readUInt32LE(at), 14)
  bytes.writeUInt32LE(99, at)
  const folder = temporaryFolder()
  mkdirSync(path.join(folder, 'model'))
  const file = path.join(folder, 'model', 'unknown.gguf')
  writeFileSync(file, bytes)
  failsWith(() => openCheckpoint(file), 'unknown.gguf', name, 'type 99', 'Q6_K')
})

test('an absent tensor and one of another shape are refused by name', (t) => {
  const weights = openCheckpoint(LLAMA).weights()
  t.after(() => weights.close())
  failsWith(
    () => weights.read('model.layers.7.mlp.up_proj.weight', [256, 64]),
    'blk.7.ffn_up.weight',
  )
  failsWith(() => weights.read('model.norm.weight', [65]), 'output_norm.weight', '[64]', '[65]')
})

for (const [changes, ...parts] of [
  [{ 'general.architecture': 'gptneox' }, 'general.architecture', 'llama', 'found gptneox'],
  [{ 'llama.block_count': undefined }, 'llama.block_count'],
  [{ 'llama.block_count': 'three' }, 'llama.block_count', 'a number'],
  [{ 'llama.expert_count': 8 }, 'llama.expert_count'],
  [{ 'split.count': 3 }, 'split files'],
  [{ 'llama.rope.scaling.type': 'longrope' }, 'rope_scaling.rope_type'],
  [{ 'llama.rope.dimension_count': 8 }, 'llama.rope.dimension_count', 'to be 16'],
  [{ 'llama.rope.scaling.yarn_attn_factor': 1.5 }, 'rope.scaling.yarn_attn_factor', 'to be 1'],
] as const)
  test(`metadata are refused by key: ${parts.join(', ')}`, () => {
    failsWith(() => parseModelConfig(LLAMA, configOf(reader(changes), undefined)), ...parts)
  })

for (const key of ['llama.rope.scaling.factor', 'llama.rope.scale_linear'])
  test(`a factor without a type of scaling is linear: ${key}`, () => {
    const scalingWith = (factor: number) =>
      parseModelConfig(LLAMA, configOf(reader({ [key]: factor }), undefined)).decoder.rotary.scaling
    assert.deepEqual(scalingWith(2.5), { type: 'linear', factor: 2.5 })
    assert.deepEqual(scalingWith(0), { type: 'none' })
  })

/** The fixture's metadata with another tensor, whose values nobody reads. */
const readerWith = (tensor: string): MetadataReader => {
  const { header } = reader({})
  const tensors = new Map([...header.tensors, [tensor, header.tensors.get('output_norm.weight')!]])
  return new MetadataReader(LLAMA, { ...header, tensors })
}

test('biases of the feed-forward layers are found by their tensors', () => {
  const { biases } = parseModelConfig(
    LLAMA,
    configOf(readerWith('blk.0.ffn_gate.bias'), undefined),
  ).decoder
  assert.deepEqual(biases, { queryKeyValue: false, attentionOutput: false, feedForward: true })
})

for (const tensor of ['blk.0.ffn_gate_inp.weight', 'blk.1.attn_output.bias', 'blk.9.ffn_up.weight'])
  test(`a tensor that would be left out is refused by name: ${tensor}`, () => {
    const { decoder } = openCheckpoint(LLAMA).config()
    failsWith(() => refuseUnknown(LLAMA, readerWith(tensor).header, decoder), 'llama.gguf', tensor)
  })

test('divisors of the frequencies stand alone', () => {
  const scaled = reader({ 'llama.rope.scaling.factor': 2 })
  failsWith(() => configOf(scaled, [1]), 'llama.rope.scaling.type', 'rope_freqs.weight')
})

for (const [changes, ...parts] of [
  [{ 'tokenizer.ggml.model': 'bert' }, 'tokenizer.ggml.model', 'found bert'],
  [{ 'tokenizer.ggml.pre': 'unheard-of' }, 'tokenizer.ggml.pre', 'qwen2', 'unheard-of'],
  [{ 'tokenizer.ggml.merges': undefined }, 'tokenizer.ggml.merges'],
  [{ 'tokenizer.ggml.model': 'llama' }, 'tokenizer.ggml.scores'],
] as const)
  test(`a tokenizer in the metadata is refused by key: ${parts.join(', ')}`, () => {
    failsWith(() => tokenizerOf(reader(changes)), ...parts)
  })

test('yarn in the metadata is read, and a template that is missing is named', () => {
  const scaled = configOf(
    reader({
      'llama.rope.scaling.type': 'yarn',
      'llama.rope.scaling.factor': 4,
      'llama.rope.scaling.original_context_length': 32,
    }),
    undefined,
  )
  const { scaling } = parseModelConfig(LLAMA, scaled).decoder.rotary
  assert.equal(scaling.type, 'yarn')
  const without = checkpointOf(reader({ 'tokenizer.chat_template': undefined }))
  failsWith(() => readChatTemplate(without), 'chat template')
})
