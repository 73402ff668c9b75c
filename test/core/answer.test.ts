import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { answerOf, canonicalAnswer, extractAnswer } from '../../src/core/answer.ts'

const extractions: readonly (readonly [text: string, answer: string | undefined])[] = [
  ['- Ben: 3 * 14 = 42\n#### 42', '42'],
  ['#### 1\nNo:\n#### 2', '2'],
  [String.raw`so \boxed{\frac{1}{2}} it is`, String.raw`\frac{1}{2}`],
  [String.raw`\boxed{7} and #### 8`, '7'],
  [String.raw`cut off \boxed{7`, '7'],
  ['We add.\nThe answer is 12.', '12'],
  ['Steps …\nFinal answer: **(B)**', '(B)'],
  ['**Answer:** 7 pens', '7 pens'],
  ['Answer 7', '7'],
  ['I cannot answer this.\nTry 3 and 4.', '4'],
  ['It is 10-3', '3'],
  ['It is -3 degrees', '-3'],
  ['The answer to this question is 5.', '5'],
  ['First 3, then 4, so 7 pens.\nDone.', '7'],
  ['Paris', 'Paris'],
  ['', undefined],
  ['   \n  ', undefined],
  ['Nobody knows.\nReally, nobody does.', undefined],
  ['First\nThe answer is\n#### 5', '5'],
  ['Ann: 65 - 38 = 27\nso it is 27', '27'],
  ['The total is 10-3\nwhich gives 10-3 = 7', '7'],
]

for (const [text, answer] of extractions) {
  test(`${JSON.stringify(text)} has the answer ${JSON.stringify(answer)}`, () => {
    assert.equal(extractAnswer(text), answer)
  })
}

const equal: readonly (readonly [string, string])[] = [
  ['42', '42.0'],
  ['1,000', '1000'],
  ['$5', '5 dollars'],
  ['$5$', '5'],
  ['50%', '50'],
  ['2/4', '1/2'],
  [String.raw`\frac{2}{4}`, '0.5'],
  [String.raw`\dfrac{6}{3}`, '2'],
  [String.raw`-\frac{1}{2}`, '-1/2'],
  ['1/2', '0.5'],
  ['Paris.', 'paris'],
  ['the  Eiffel\ntower', 'The Eiffel Tower'],
  ['+3', '3'],
  ['.5', '0.5'],
  ['1e3', '1000'],
  ['-0', '0'],
  ['(B)', 'B'],
  ['**12**', '12'],
  [String.raw`\text{east}`, 'East'],
]

for (const [left, right] of equal) {
  test(`${left} and ${right} are the same answer`, () => {
    assert.equal(canonicalAnswer(left), canonicalAnswer(right))
  })
}

const different: readonly (readonly [string, string])[] = [
  ['42', '43'],
  ['1/2', '1/3'],
  ['-3', '3'],
  ['0.1', '0.01'],
  ['a', 'b'],
  ['1/0', '2/0'],
]

for (const [left, right] of different) {
  test(`${left} and ${right} are different answers`, () => {
    assert.notEqual(canonicalAnswer(left), canonicalAnswer(right))
  })
}

test('the canonical form of a canonical form is itself', () => {
  const text = fc.oneof(
    fc.string(),
    fc.double({ noNaN: true }).map(String),
    fc.tuple(fc.integer(), fc.integer({ min: 1 })).map(([top, bottom]) => `${top}/${bottom}`),
  )
  fc.assert(
    fc.property(text, (given) => {
      const once = canonicalAnswer(given)
      assert.equal(canonicalAnswer(once), once)
    }),
    { numRuns: 2000 },
  )
})

test('no text is too strange for the extractor', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const answer = answerOf(text)
      assert.ok(answer === undefined || answer === canonicalAnswer(answer))
    }),
  )
})

// Linear work takes a fraction of a second here; a square of the length would take minutes.
test('long texts of one piece repeated are read', { timeout: 60_000 }, () => {
  for (const unit of ['1', '1 ', ' ', '\n', '\\boxed{', 'answer ', '(', '- ', '1,', '####', '* ']) {
    answerOf(unit.repeat(400_000))
    answerOf(`${unit.repeat(400_000)}\nx`)
  }
})
