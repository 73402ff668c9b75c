import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'

interface Change {
  readonly kind: 'same' | 'added' | 'removed'
  readonly text: string
}

// Not a plain import: the page's modules are a program of their own, with the types of browsers.
const { wordDiff } = (await import(
  new URL('../../src/playground/word-diff.js', import.meta.url).href
)) as { wordDiff: (before: string, after: string) => Change[] }

const textOf = (changes: readonly Change[], without: Change['kind']): string =>
  changes
    .filter(({ kind }) => kind !== without)
    .map(({ text }) => text)
    .join('')

test('what stayed and came is the new text, what stayed and went the old one', () => {
  const words = fc.array(fc.constantFrom('a', 'b', 'is', '41', '42', ' ', '\n', '.', 'é'), {
    maxLength: 40,
  })
  fc.assert(
    fc.property(words, words, (left, right) => {
      const [before, after] = [left.join(''), right.join('')]
      const changes = wordDiff(before, after)
      assert.equal(textOf(changes, 'removed'), after)
      assert.equal(textOf(changes, 'added'), before)
    }),
  )
})

test('only the words that changed are marked', () => {
  assert.deepEqual(wordDiff('It is 41, I think.', 'It is 42, I think.'), [
    { kind: 'same', text: 'It is ' },
    { kind: 'removed', text: '41' },
    { kind: 'added', text: '42' },
    { kind: 'same', text: ', I think.' },
  ])
  assert.deepEqual(wordDiff('same', 'same'), [{ kind: 'same', text: 'same' }])
  assert.deepEqual(wordDiff('', ''), [])
})

test('texts too far apart are shown as replaced, quickly', () => {
  const [before, after] = ['a ', 'b '].map((word) => word.repeat(20_000)) as [string, string]
  const changes = wordDiff(before, after)
  assert.equal(textOf(changes, 'removed'), after)
  assert.equal(textOf(changes, 'added'), before)
})
