import test from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  clipEnd,
  clipStart,
  fit,
  oneLine,
  printable,
  widthOf,
  wrap,
} from '../../src/cli/display-text.ts'

test('widths count cells: wide signs two, combining marks none', () => {
  const widths: Record<string, number> = { abc: 3, 日本: 4, '👩‍👩‍👧': 2, 'e\u0301': 1, '': 0, '×': 1 }
  for (const [text, width] of Object.entries(widths)) assert.equal(widthOf(text), width, text)
})

test('what is too long is cut at either end, never inside a sign', () => {
  assert.equal(clipEnd('abcdef', 4), 'abc…')
  assert.equal(clipStart('abcdef', 4), '…def')
  assert.equal(clipEnd('日本語', 4), '日…')
  assert.equal(clipStart('日本語', 4), '…語')
  assert.equal(clipEnd('abcd', 4), 'abcd')
  assert.equal(clipStart('x'.repeat(10_000), 3), '…xx')
  assert.equal(fit('日本語', 4), '日… ')
})

test('text is made printable, and one line where one is needed', () => {
  assert.equal(printable('a\u001b[31mb\tc\u0000\r\nd'), 'ab  c\nd')
  assert.equal(oneLine('  a\n\n b\t '), 'a b')
})

test('wrapping breaks at spaces, and words that are longer than a line', () => {
  assert.deepEqual(wrap('one two three', 8), ['one two', 'three'])
  assert.deepEqual(wrap('abcdefgh ij', 4), ['abcd', 'efgh', 'ij'])
  assert.deepEqual(wrap('a\n\nb', 8), ['a', '', 'b'])
})

test('no line is wider than asked for, and no word is lost', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 200 })
  fc.assert(
    fc.property(text, fc.integer({ min: 4, max: 60 }), (value, width) => {
      const lines = wrap(value, width)
      for (const line of lines) assert.ok(widthOf(line) <= width)
      const bare = (part: string) => part.replaceAll(/\s/g, '')
      assert.equal(bare(lines.join('')), bare(printable(value)))
      assert.ok(widthOf(clipEnd(oneLine(value), width)) <= width)
      assert.ok(widthOf(clipStart(oneLine(value), width)) <= width)
    }),
  )
})
