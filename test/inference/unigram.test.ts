/** Expected tokens are those of the Rust crate `tokenizers` 0.23; `models/reference` made them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import type { TokenizerFile } from '../../src/inference/checkpoint/tokenizer-file.ts'
import { readTokenText } from '../../src/inference/text/token-text.ts'
import { readTokenizer } from '../../src/inference/text/tokenizer.ts'
import { readFixture } from './checkpoint-fixture.ts'
import { FOLDER } from './model-fixture.ts'

interface Case {
  readonly file: TokenizerFile
  readonly ids: readonly (readonly number[])[]
}

const { vocabulary, texts, cases } = readFixture<{
  readonly vocabulary: readonly [string, number][]
  readonly texts: readonly string[]
  readonly cases: Readonly<Record<string, Case>>
}>('unigram.json')

const BYTES = Array.from({ length: 256 }, (_, byte): [string, number] => [
  `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  -20,
])

const open = (name: string, changes: object = {}) => {
  const { file } = cases[name]!
  const vocab = name === 'byte-fallback' ? [...vocabulary, ...BYTES] : [...vocabulary]
  const contents = { ...file, model: { ...file.model, vocab, ...changes } }
  return { ...openCheckpoint(FOLDER), tokenizer: () => contents }
}

for (const [name, { ids }] of Object.entries(cases))
  test(`Unigram, ${name}: tokens equal the independent implementation`, () => {
    const tokenizer = readTokenizer(open(name))
    for (const [at, text] of texts.entries())
      assert.deepEqual(tokenizer.encode(text), ids[at], JSON.stringify(text))
  })

test('tokens of Unigram are written as they are read', () => {
  const checkpoint = open('byte-fallback')
  const words = readTokenText(checkpoint)
  for (const text of ['The quick 🙂', 'naïve — 東京']) {
    const bytes = readTokenizer(checkpoint)
      .encode(text)
      .map((token) => words.bytes(token))
    assert.equal(Buffer.concat(bytes).toString(), ` ${text}`)
  }
})

test('a long text of Unigram is encoded with pauses, to the same tokens', async () => {
  const text = 'The quick brown fox '.repeat(20_000)
  const tokenizer = readTokenizer(open('t5'))
  let turns = 0
  const count = setInterval(() => turns++, 0)
  await tokenizer.prepare(text)
  clearInterval(count)
  assert.ok(turns > 0)
  assert.deepEqual(tokenizer.encode(text), readTokenizer(open('t5')).encode(text))
})

test('a damaged Unigram tokenizer is refused by what is wrong with it', () => {
  const refused = (changes: object, message: RegExp): void => {
    assert.throws(() => readTokenizer(open('t5', changes)), { code: 'model_failed', message })
  }
  refused({ unk_id: 5000 }, /unk_id 5000 is no token/)
  refused({ type: 'BPE' }, /its model is "BPE": expected/)
  refused({ type: 'WordPiece', vocab: {} }, /its model is "WordPiece"/)
  const file = open('xlm').tokenizer()
  const damaged = { ...file, normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } }
  assert.throws(() => readTokenizer({ ...open('xlm'), tokenizer: () => damaged }), {
    code: 'model_failed',
    message: /precompiled_charsmap is damaged/,
  })
})
