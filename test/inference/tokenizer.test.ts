/** Expected tokens are those of the Rust crate `tokenizers` 0.23. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { readTokenText } from '../../src/inference/text/token-text.ts'
import { readTokenizer, type Tokenizer } from '../../src/inference/text/tokenizer.ts'
import { FOLDER } from './model-fixture.ts'

const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, use_regex: false }
const METASPACE = { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always' }

/** A tokenizer of single characters, and of pairs of them, which it puts together in this order. */
const tokenizerFile = (pairs: readonly string[], changes: object) => {
  const characters = [...new Set(pairs.flatMap((pair) => Array.from(pair)))]
  const vocab = Object.fromEntries([...characters, ...pairs].map((token, id) => [token, id]))
  const merges = pairs.map((pair) => Array.from(pair))
  return {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: BYTE_LEVEL,
    model: { type: 'BPE', vocab, merges },
    ...changes,
  }
}

const open = (pairs: readonly string[], changes: object) => {
  const file = tokenizerFile(pairs, changes)
  const checkpoint = { ...openCheckpoint(FOLDER), tokenizer: () => file }
  const names = Object.keys(file.model.vocab)
  const tokens = (how: 'encode' | 'encodeFurther') => (text: string) =>
    readTokenizer(checkpoint)
      [how](text)
      .map((id) => names[id])
  return {
    tokens: tokens('encode'),
    further: tokens('encodeFurther'),
    words: readTokenText(checkpoint),
  }
}

const sequence = (...pretokenizers: readonly object[]) => ({
  pre_tokenizer: { type: 'Sequence', pretokenizers },
})

const DASHES = ['a-', '--', '-b'] as const
for (const [behavior, invert, expected] of [
  ['Isolated', false, ['a', '-', '-', 'b']],
  ['Isolated', true, ['a', '-', '-', 'b']],
  ['Removed', false, ['a', 'b']],
  ['Removed', true, ['-', '-']],
  ['Contiguous', false, ['a', '--', 'b']],
  ['MergedWithPrevious', false, ['a-', '-', 'b']],
  ['MergedWithNext', false, ['a', '-', '-b']],
] as const)
  for (const pattern of [{ String: '-' }, { Regex: '[-]' }])
    test(`Split by ${JSON.stringify(pattern)}, ${behavior}${invert ? ' inverted' : ''}`, () => {
      const split = { type: 'Split', pattern, behavior, invert }
      assert.deepEqual(open(DASHES, sequence(split, BYTE_LEVEL)).tokens('a--b'), expected)
    })

test('a way to split that is not known is an error that names it', () => {
  const split = {
    type: 'Split',
    pattern: { String: '-' },
    behavior: 'MergedWithNext',
    invert: true,
  }
  assert.throws(() => open(DASHES, sequence(split, BYTE_LEVEL)).tokens('a'), {
    code: 'model_failed',
    message: /MergedWithNext inverted/,
  })
})

test('punctuation is split as it says', () => {
  const punctuation = (behavior: string) => ({ type: 'Punctuation', behavior })
  const tokens = (behavior: string) =>
    open(DASHES, sequence(punctuation(behavior), BYTE_LEVEL)).tokens('a--b')
  assert.deepEqual(tokens('Isolated'), ['a', '-', '-', 'b'])
  assert.deepEqual(tokens('Contiguous'), ['a', '--', 'b'])
})

test('all that Unicode counts as a number is a digit, and its white space is white space', () => {
  const words = { ...BYTE_LEVEL, use_regex: true }
  // Â½ is one half, Âħ the control character "next line".
  const pairs = ['ĊĊ', 'ĠĠ', 'Â½', 'aÂ', 'Âħ']
  const digits = sequence({ type: 'Digits', individual_digits: true }, words)
  assert.deepEqual(open(pairs, digits).tokens('\n\n\u00bda\u00bd'), ['ĊĊ', 'Â½', 'a', 'Â½'])
  assert.deepEqual(open(pairs, { pre_tokenizer: words }).tokens('  \u0085'), ['ĠĠ', 'Âħ'])
})

test('every space begins a piece of its own, unless Metaspace does not split', () => {
  const pairs = ['\u2581\u2581', '\u2581a', 'a\u2581']
  const tokens = (split: boolean) =>
    open(pairs, { pre_tokenizer: { ...METASPACE, split }, decoder: METASPACE }).tokens('a  a')
  assert.deepEqual(tokens(true), ['\u2581a', '\u2581', '\u2581a'])
  assert.deepEqual(tokens(false), ['\u2581a', '\u2581\u2581', 'a'])
})

test('a text that stands behind others gets no space of its own in front', () => {
  const spaces = { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' }
  const normalizer = {
    type: 'Sequence',
    normalizers: [{ type: 'Prepend', prepend: '\u2581' }, spaces],
  }
  for (const changes of [
    { normalizer, decoder: METASPACE },
    { pre_tokenizer: { ...METASPACE, split: false }, decoder: METASPACE },
  ]) {
    const { tokens, further } = open(['\u2581a', 'a\n'], changes)
    assert.deepEqual(tokens('a'), ['\u2581a'])
    assert.deepEqual(further('a'), ['a'])
    assert.deepEqual(further(' a'), ['\u2581a'])
    assert.deepEqual(further('\n'), ['\n'])
    assert.deepEqual(further(''), [])
  }
  assert.deepEqual(open(['\u0120a'], { pre_tokenizer: BYTE_LEVEL }).further(' a'), ['\u0120a'])
})

test('an added token of spaces is written as spaces', () => {
  const added = { id: 100, content: '\u2581\u2581', special: false }
  const { words } = open(['\u2581a'], { decoder: METASPACE, added_tokens: [added] })
  assert.equal(words.text(100), '  ')
})

test('a text that is one long word is encoded with pauses, to the same tokens', async () => {
  const text = 'aab'.repeat(100_000)
  const tokenizer = (): Tokenizer =>
    readTokenizer({
      ...openCheckpoint(FOLDER),
      tokenizer: () => tokenizerFile(['aa', 'ab'], { decoder: METASPACE }),
    })
  const gentle = tokenizer()
  let turns = 0
  const count = setInterval(() => turns++, 0)
  await gentle.prepare(text)
  clearInterval(count)
  assert.ok(turns > 0)
  assert.deepEqual(gentle.encode(text), tokenizer().encode(text))
})
