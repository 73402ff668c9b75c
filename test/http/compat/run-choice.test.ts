import assert from 'node:assert/strict'
import test from 'node:test'
import { withHeaders, withoutReasoning } from '../../../src/http/compat/run-choice.ts'

const STRIPPED: readonly [string, string][] = [
  ['<think>hm\n</think>\n Hello.', 'Hello.'],
  ['a <reasoning>x</reasoning> b', 'a b'],
  ['<details type="reasoning" done="true">x</details>\nHi', 'Hi'],
  ['<details>kept</details>', '<details>kept</details>'],
  ['<think>never ended', '<think>never ended'],
  ['<think>a</think><thought>b</thought>c', 'c'],
  ['<think>a <think> b</think> c', 'c'],
  ['<think>x</thought></think>y', 'y'],
]

for (const [text, left] of STRIPPED) {
  test(`of ${JSON.stringify(text)} only the answer is kept`, () => {
    assert.equal(withoutReasoning(text), left)
  })
}

test('a megabyte of reasoning that begins and never ends is kept, and keeps nobody waiting', () => {
  for (const opening of ['<think>', '<details type="reasoning"', '<details type="reasoning">']) {
    const text = opening.repeat(Math.ceil(1e6 / opening.length))
    assert.equal(withoutReasoning(text), text)
  }
})

test('JSON in a header is refused when it is nested without end', () => {
  const deep = `{"a":${'['.repeat(4000)}${']'.repeat(4000)}}`
  const read = () => withHeaders(undefined, { 'x-refine-options': deep })
  assert.throws(read, /\/x-refine-options: is nested more than 64 levels deep/)
})
