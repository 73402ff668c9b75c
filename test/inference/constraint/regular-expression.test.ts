import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { createRandom } from '../../../src/core/random.ts'
import { compileConstraint } from '../../../src/inference/constraint/compile.ts'
import { accepts, randomText } from './random-text.ts'

const atom = fc.constantFrom(
  'a',
  'b',
  '.',
  '\\d',
  '\\w',
  '\\s',
  '[a-c]',
  '[^a]',
  'é',
  '\\u{1f600}',
  '[α-ω🙂]',
  '\\p{L}',
  '\\.',
)
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 3 },
    atom,
    fc.array(tie('expression'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('')),
    fc
      .array(tie('expression'), { minLength: 1, maxLength: 3 })
      .map((parts) => `(?:${parts.join('|')})`),
    fc
      .tuple(tie('expression'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{0}', '{2,}', '*?'))
      .map(([part, quantifier]) => `(${part})${quantifier}`),
  ),
}))

test('what is written at random under a random expression matches it', () => {
  fc.assert(
    fc.property(expression, fc.nat(), (pattern, seed) => {
      const automaton = compileConstraint({ type: 'regex', pattern })
      const whole = new RegExp(`^(?:${pattern})$`, 'u')
      const random = createRandom(seed)
      for (let count = 0; count < 5; count++) {
        const text = randomText(automaton, random, random.integer(20))
        assert.ok(whole.test(text), `${JSON.stringify(text)} under ${pattern}`)
      }
    }),
    { numRuns: 200 },
  )
})

test('a text is taken exactly when the expression matches it as a whole', () => {
  const texts = fc.string({
    unit: fc.constantFrom('a', 'b', 'c', '1', ' ', 'é', 'λ', '😀', '🙂', '.', '\n'),
    maxLength: 6,
  })
  fc.assert(
    fc.property(expression, texts, (pattern, text) => {
      const automaton = compileConstraint({ type: 'regex', pattern })
      assert.equal(accepts(automaton, text), new RegExp(`^(?:${pattern})$`, 'u').test(text))
    }),
    { numRuns: 500 },
  )
})

test('a choice takes its texts and nothing else', () => {
  const automaton = compileConstraint({
    type: 'choice',
    choices: ['yes', 'no', 'yes, but', 'naïve'],
  })
  for (const text of ['yes', 'no', 'yes, but', 'naïve']) assert.ok(accepts(automaton, text), text)
  for (const text of ['', 'ye', 'yes,', 'nope', 'naive']) assert.ok(!accepts(automaton, text), text)
})

for (const [pattern, message] of [
  ['a(?!b)', /look-ahead/],
  ['(a)\\1', /back-reference/],
  ['a\\bb', /word boundary/],
  ['a^b', /\^ other than/],
  ['a{', /no regular expression/],
  ['(a{900}){900}', /too large/],
  ['[]', /no text/],
] as const)
  test(`${pattern} is refused with what is wrong`, () => {
    assert.throws(() => compileConstraint({ type: 'regex', pattern }), {
      code: 'invalid_request',
      param: 'constraint.pattern',
      message,
    })
  })

test('groups may be nested, but not without end', () => {
  const nested = (depth: number): string => `${'(?:'.repeat(depth)}a${')?'.repeat(depth)}b`
  assert.ok(accepts(compileConstraint({ type: 'regex', pattern: nested(500) }), 'ab'))
  for (const depth of [501, 20_000])
    assert.throws(() => compileConstraint({ type: 'regex', pattern: nested(depth) }), {
      code: 'invalid_request',
      param: 'constraint.pattern',
      message: /nested too deeply/,
    })
})

test('empty choices are refused', () => {
  for (const choices of [[], ['a', '']])
    assert.throws(() => compileConstraint({ type: 'choice', choices }), {
      param: 'constraint.choices',
    })
})

test('configurations are forgotten beyond a bound, and a text under way goes on', () => {
  const automaton = compileConstraint({ type: 'regex', pattern: '(?:[ab]*a[ab]{14}){2}' })
  const random = createRandom(5)
  const held = automaton.step(automaton.start, 'a'.charCodeAt(0))!
  for (let count = 0; count < 400; count++) randomText(automaton, random, 60)
  assert.ok(automaton.size <= 4096, `${automaton.size}`)
  assert.ok(automaton.read(held, Buffer.from(`${'b'.repeat(14)}a${'b'.repeat(14)}`))!.accepts)
})
