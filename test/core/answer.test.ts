import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { answerOf, extractAnswer } from '../../src/core/answer.ts'
import { canonicalAnswer } from '../../src/core/canonical-answer.ts'

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

/** As chat models write; by their canonical answers. */
const written: readonly (readonly [text: string, answer: string | undefined])[] = [
  ['We add.\n**Answer:**\n\n42', '42'],
  ['### Final Answer\n\nParis', 'paris'],
  ['Answer:\nWe add 3 and 4.\nThat makes 7.', '7'],
  ['#### Step 1: add\n3 + 4 = 7\n#### Conclusion\nThe answer is 7.', '7'],
  ['#### 1. Add\n3 + 4 = 7\n\nSo there are 7.', '7'],
  ['Thus\n#### 42\n\nAsk me if you want to know more.', '42'],
  ['#### The answer is 42', '42'],
  ['The answer is 18. I hope this helps!', '18'],
  ['Final Answer: The final answer is $5$. I hope it is correct.', '5'],
  ['The answer is yes, because 3 > 2.', 'yes'],
  ['The answer is: 5 because 2+3=5', '5'],
  ['The answer is J. K. Rowling. She wrote it.', 'j. k. rowling'],
  ['The answer is B. This is because 3 > 2.', 'b'],
  ['The answer is that she has 5 pens left.', '5'],
  ['The answer is 3 hours and 20 minutes.', '3 hours and 20 minutes'],
  ['The answer is 18 dollars per day.', '18'],
  ['The answer is 5!', '5'],
  ['It is 42, I think.\nOk.', '42'],
  ['It is .5\nok', '0.5'],
  ['It is −5\nok', '-5'],
  ['It is −$5\nok', '-5'],
  ['Of 12, 5 were sold.\nThe rest is 1\u202f234 and stays.', '1234'],
  ['答案是 ２４。\n完', '24'],
  ['<think>The answer is 40? No.</think>\n\nIt is 42.\nDone.', '42'],
  ['<think>It is 42.</think>\n', '42'],
  [String.raw`\boxed{} is 7`, '7'],
  ['2x + 3', '2x + 3'],
  ['A: Paris', 'a: paris'],
  ['The answer is (C) what the 3 of them had left.', 'c'],
  ['Take 2 1/2 cups.\nDone', '2.5'],
]

for (const [text, answer] of written) {
  test(`${JSON.stringify(text)} says ${JSON.stringify(answer)}`, () => {
    assert.equal(answerOf(text), answer)
  })
}

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
  ['−5', '-5'],
  ['-$5', '-5'],
  ['7 pens', '7'],
  ['5 square meters', '5'],
  ['3 hours a day', '3'],
  ['5cm', '5'],
  ['7 (seven)', '7'],
  ['$18$ dollars', '18'],
  ['1.5 million dollars', '1500000'],
  [String.raw`\$5`, '5'],
  [String.raw`50\%`, '50'],
  [String.raw`1{,}000`, '1000'],
  [String.raw`1\,000`, '1000'],
  [String.raw`90^\circ`, '90'],
  ['90°', '90'],
  [String.raw`5\text{ cm}`, '5'],
  [String.raw`5 \mathrm{~cm}`, '5'],
  [String.raw`\frac12`, '1/2'],
  [String.raw`\tfrac{-1}{2}`, '-0.5'],
  ['1 1/2', '1.5'],
  ['x = 5', '5'],
  ['(3,4)', '(3, 4)'],
  [String.raw`\left(3, 4\right)`, '(3,4)'],
  [String.raw`\(5\)`, '5'],
  [String.raw`\[5\]`, '5'],
  ['(B) Paris', 'B'],
  ['B) Paris', 'B'],
  ['B. Paris', 'B'],
  ['option B', '(B)'],
  ['1\u202f234', '1234'],
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
  ['3 million', '3'],
  ['5 January', '5 June'],
  ['3 am', '3 pm'],
  ['5 squared', '5'],
  ['2 or 3', '2'],
  ['12 Angry Men', '12 Monkeys'],
  ['E. coli', 'E'],
  ['2x', '2'],
  ['5(3)', '5'],
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
    fc
      .array(
        fc.constantFrom(
          ...'1 2 0 . , - − $ % / ( ) { } ^ * A B x = cm per million'.split(' '),
          ' ',
          String.raw`\\frac`,
          String.raw`\\text{`,
          String.raw`\\,`,
          String.raw`\\circ`,
          'option ',
        ),
      )
      .map((parts) => parts.join('')),
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
  for (const unit of [
    '1',
    '1 ',
    ' ',
    '\n',
    '\\boxed{',
    'answer ',
    '(',
    '- ',
    '1,',
    '####',
    '* ',
    'answer: ',
    'answer:\n',
    '####\n',
    '</think>',
    '#### 1\n',
    '1. ',
    '1 million ',
    '((',
    '\\frac',
    ',111',
    '. ',
    'x=',
    '\\text{',
  ]) {
    answerOf(unit.repeat(400_000))
    answerOf(`${unit.repeat(400_000)}\nx`)
    canonicalAnswer(unit.repeat(400_000))
    canonicalAnswer(`1${unit.repeat(400_000)}x`)
  }
})
