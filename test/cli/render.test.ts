import test from 'node:test'
import assert from 'node:assert/strict'
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { widthOf } from '../../src/cli/display-text.ts'
import { renderRun } from '../../src/cli/render.ts'
import { createView, showEvent } from '../../src/cli/run-view.ts'
import { SECOND_WINS } from '../support/fake-runs.ts'
import { CREATED, RUN, stamp, type Body } from './fixtures.ts'

const viewOf = (
  events: readonly Parameters<typeof showEvent>[1][],
  question = 'What is 17×24?',
) => {
  const view = createView(question)
  for (const event of events) showEvent(view, event)
  return view
}

const SIZE = { columns: 80, rows: 24 }

test('before the first event the question is shown, and that it waits', () => {
  assert.deepEqual(renderRun(viewOf([]), SIZE, false), ['What is 17×24?', 'waiting …', ''])
})

test('a run under way shows candidates, critiques, budget and the answer so far', () => {
  assert.deepEqual(renderRun(viewOf(RUN.slice(0, 12)), SIZE, false), [
    'What is 17×24?',
    'solver-reviewer-refiner · scripted · seed 7 · running',
    '',
    '*  0 draft        done     judge 0.25 17 × 24 = 400. The answer is 400.',
    '     ↳ wrong at step 1: The product is wrong.',
    '   1 revision ←0  writing  The answer is 408.',
    'budget  calls 3 of 9 · tokens 120 · seconds 1.2 s',
    '',
    'answer: revision 1, candidate 0, score 0.25 (first)',
    '17 × 24 = 400.',
    'The answer is 400.',
  ])
})

test('a finished run shows how it ended in the place of the budget', () => {
  assert.deepEqual(renderRun(viewOf(RUN), SIZE, false).slice(3), [
    '   0 draft        done     judge 0.25 17 × 24 = 400. The answer is 400.',
    '     ↳ wrong at step 1: The product is wrong.',
    '*  1 revision ←0  done     judge 0.875 The answer is 408.',
    'end     completed (threshold): 3 calls, 120 tokens, 1.2 s',
    '',
    'answer: revision 2, candidate 1, score 0.875 (better score)',
    'The answer is 408.',
  ])
})

test('votes, gates, comparisons and warnings each have a line', () => {
  const bodies: Body[] = [
    CREATED,
    {
      type: 'vote.updated',
      answers: [
        { answer: '408', weight: 2.5, candidates: [0, 1, 2] },
        { answer: '400', weight: 1, candidates: [3] },
      ],
      effective_answers: 1.81934,
    },
    {
      type: 'gate.decided',
      gate: 'confidence',
      outcome: 'refine',
      values: { margin: 0.1, best: null },
    },
    SECOND_WINS,
    { type: 'warning', code: 'judge_unreadable', message: 'asked again' },
  ]
  assert.deepEqual(renderRun(viewOf(stamp(bodies)), SIZE, false).slice(3), [
    'votes   408 ×3 (2.5), 400 ×1; effective answers 1.8193',
    'gate    confidence: refine (margin 0.1, best unknown)',
    'compare 0 against 1: candidate 1 wins in 2 orders',
    'warning judge_unreadable: asked again',
  ])
})

test('a comparison that nobody was asked for is shown as such', () => {
  const alike: Body = { type: 'comparison.completed', candidates: [0, 1], winner: null, orders: [] }
  assert.ok(
    renderRun(viewOf(stamp([CREATED, alike])), SIZE, false).includes(
      'compare 0 against 1: tie, they look the same',
    ),
  )
})

const crowd = (count: number): Body[] => [
  CREATED,
  ...Array.from({ length: count }, (_, candidate): Body[] => [
    { type: 'candidate.created', candidate, parents: [], round: 0, model: 'm', role: 'draft' },
    { type: 'candidate.delta', candidate, text: `text ${candidate}` },
  ]).flat(),
  ...Array.from({ length: count - 2 }, (_, candidate): Body => ({
    type: 'candidate.completed',
    candidate,
    finish_reason: 'stop',
    usage: { output_tokens: 1 },
  })),
  {
    type: 'answer.revised',
    revision: 1,
    candidate: 3,
    text: 'text 3',
    reason: 'first',
    score: null,
  },
]

test('with too many candidates the incumbent and those being written stay in sight', () => {
  const lines = renderRun(viewOf(stamp(crowd(40))), { columns: 80, rows: 12 }, false)
  assert.equal(lines.length, 11)
  assert.ok(lines.some((line) => line.startsWith('*  3 draft')))
  assert.equal(lines.filter((line) => line.includes('writing')).length, 2)
  assert.ok(lines.includes('     … and 36 more'))
  assert.equal(lines.at(-1), 'text 3')
})

test('colour changes nothing but colour', () => {
  const view = viewOf(RUN)
  const colored = renderRun(view, SIZE, true)
  assert.ok(colored.join('').includes('\u001b[32m'))
  assert.deepEqual(colored.map(stripVTControlCharacters), renderRun(view, SIZE, false))
})

test('what a model writes cannot steer the terminal', () => {
  const text = 'a\u001b[2J\u001b]0;title\u0007b\u009b31mc\u202ed\r'
  const bodies: Body[] = [
    CREATED,
    { type: 'candidate.created', candidate: 0, parents: [], round: 0, model: 'm', role: 'draft' },
    { type: 'candidate.delta', candidate: 0, text },
    { type: 'critique.delta', candidate: 0, text },
    { type: 'answer.revised', revision: 1, candidate: 0, text, reason: text, score: null },
    { type: 'warning', code: 'w', message: text },
  ]
  const shown = renderRun(viewOf(stamp(bodies), text), SIZE, false).join('')
  assert.doesNotMatch(shown, /[\p{Cc}\u202e]/u)
})

test('whatever the texts and the size, the view stays within the terminal', () => {
  const anyText = fc.string({ unit: 'grapheme', maxLength: 300 })
  fc.assert(
    fc.property(
      fc.integer({ min: 40, max: 120 }),
      fc.integer({ min: 4, max: 40 }),
      fc.array(anyText, { maxLength: 12 }),
      anyText,
      (columns, rows, texts, question) => {
        const bodies: Body[] = [
          CREATED,
          ...texts.flatMap((text, candidate): Body[] => [
            {
              type: 'candidate.created',
              candidate,
              parents: candidate > 0 ? [candidate - 1] : [],
              round: 0,
              model: 'm',
              role: 'revision',
            },
            { type: 'candidate.delta', candidate, text },
            { type: 'critique.completed', candidate, text },
            {
              type: 'answer.revised',
              revision: candidate + 1,
              candidate,
              text,
              reason: text,
              score: 1,
            },
          ]),
        ]
        const lines = renderRun(viewOf(stamp(bodies), question), { columns, rows }, false)
        assert.ok(lines.length <= rows)
        for (const line of lines) assert.ok(widthOf(line) <= columns, JSON.stringify(line))
      },
    ),
    { numRuns: 60 },
  )
})

test('an event of a newer server is passed over', () => {
  const view = viewOf(RUN.slice(0, 3))
  showEvent(view, { ...RUN[3]!, type: 'future.event' } as never)
  assert.equal(view.run?.last_sequence, 3)
})
