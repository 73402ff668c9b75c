import assert from 'node:assert/strict'
import test from 'node:test'
import type { Grammar, Opening } from '../../../src/inference/constraint/grammar.ts'
import { ConstraintLibrary } from '../../../src/inference/constraint/guide.ts'

/** Every byte is a token of its own, and some texts are. */
const WORDS = ['<call>', '<call>{', '{"name', '"name": "b', 'xx', 'xyz', '\u6771']
const END = 256 + WORDS.length
const BYTES = new Map<number, Uint8Array>([
  ...Array.from({ length: 256 }, (_, byte) => [byte, Uint8Array.of(byte)] as const),
  ...WORDS.map((word, index) => [256 + index, Buffer.from(word)] as const),
])
const library = new ConstraintLibrary({
  text: { bytes: (token) => BYTES.get(token) ?? new Uint8Array() },
  endTokens: new Set([END]),
  suppressedTokens: new Set(),
  size: END + 1,
})
const token = (text: string): number => {
  const known = WORDS.indexOf(text)
  return known < 0 ? Buffer.from(text)[0]! : 256 + known
}

const guideOf = (grammar: Grammar, openings?: readonly Opening[]) =>
  library.guide(library.compile(grammar).automaton, openings)
const text = (value: string): Grammar => ({ type: 'text', text: value })
const CALL: Grammar = {
  type: 'sequence',
  parts: [text('<call>'), { type: 'regex', pattern: '\\{\\d\\}' }],
}
const CALL_OPENING = [{ text: '<call>', atStart: false }]

test('a sample is free up to an opening, and held from there on', () => {
  const guide = guideOf(CALL, CALL_OPENING)
  for (const part of ['a', '<', 'b', '<', 'c', 'a', 'l', 'l']) {
    assert.equal(guide.mask, undefined)
    guide.take(token(part))
  }
  assert.equal(guide.mask, undefined)
  guide.take(token('>'))
  assert.equal(guide.forced, token('{'))
  guide.take(token('{'))
  assert.equal(guide.mask!.count, 10)
  guide.take(token('7'))
  guide.take(token('}'))
  assert.ok(guide.complete)
})

test('what a token holds behind the opening counts as well', () => {
  const guide = guideOf(CALL, CALL_OPENING)
  guide.take(token('<call>{'))
  assert.equal(guide.mask!.count, 10)
})

test('an opening with something behind it that fits nothing is passed over', () => {
  const guide = guideOf({ type: 'sequence', parts: [text('<call>'), text('x')] }, CALL_OPENING)
  guide.take(token('<call>{'))
  assert.equal(guide.mask, undefined)
  guide.take(token('<call>'))
  assert.equal(guide.forced, token('x'))
})

test('an opening at the start counts only there, white space aside', () => {
  const grammar: Grammar = { type: 'sequence', parts: [text('{"name": "b'), text('!')] }
  const openings = [{ text: '{"name": "b', atStart: true }]
  const write = (parts: readonly string[]) => {
    const guide = guideOf(grammar, openings)
    for (const part of parts) guide.take(token(part))
    return guide.forced
  }
  assert.equal(write([' ', '\n', '{', '"name": "b']), token('!'))
  assert.equal(write(['a', '{', '"name": "b']), undefined)
})

test('the longest token is taken where only one text goes on, and none where one reads beyond it', () => {
  // x, xx and xyz all begin what is certain; nothing reads beyond it.
  assert.equal(guideOf(text('xxx!')).forced, token('xx'))
  // After x there may be a y: the token xyz reads beyond what is certain.
  const open: Grammar = { type: 'regex', pattern: 'x(yz|!)' }
  assert.equal(guideOf(open).forced, undefined)
  assert.equal(guideOf(open).mask!.allowed[token('xyz')], 1)
  // The text may end here, or go on in one way.
  const guide = guideOf({ type: 'regex', pattern: 'a(bc)?' })
  guide.take(token('a'))
  assert.equal(guide.forced, undefined)
  assert.equal(guide.mask!.allowed[END], 1)
})

test('a character that is no token is forced byte by byte, or taken as a token where it is one', () => {
  assert.equal(guideOf(text('\u6771')).forced, token('\u6771'))
  const guide = guideOf(text('\u4eac'))
  for (const byte of Buffer.from('\u4eac')) {
    assert.equal(guide.forced, byte)
    guide.take(byte)
  }
  assert.ok(guide.complete)
})

test('lists and alternatives of grammars are as many texts as they say', () => {
  const grammar: Grammar = {
    type: 'list',
    between: ';',
    item: { type: 'one_of', options: [text('a'), { type: 'choice', choices: ['bc'] }] },
  }
  const accepts = (written: string): boolean => {
    const { automaton } = library.compile(grammar)
    return automaton.read(automaton.start, Buffer.from(written))?.accepts === true
  }
  for (const good of ['a', 'bc', 'a;bc', 'a;a;bc']) assert.ok(accepts(good), good)
  for (const bad of ['', ';', 'a;', 'b', 'abc']) assert.ok(!accepts(bad), bad)
})
