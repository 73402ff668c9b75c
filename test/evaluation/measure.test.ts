import test from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { RunEvent } from '../../src/core/event.ts'
import { emptyUsage } from '../../src/core/run-state.ts'
import type { Item } from '../../src/evaluation/data-set.ts'
import { isCopy } from '../../src/evaluation/edit-distance.ts'
import { measureRun } from '../../src/evaluation/measure.ts'
import { RunRecorder } from '../../src/evaluation/record.ts'
import type { Body } from '../cli/fixtures.ts'
import { CREATED } from '../cli/fixtures.ts'

const ITEM: Item = { id: 'a', question: { input: 'q' }, label: '7', difficulty: 'easy' }
const usage = { ...emptyUsage(), calls: 5, input_tokens: 100, output_tokens: 60, seconds: 4 }

const candidate = (number: number, text: string, parents: number[] = []): Body[] => [
  {
    type: 'candidate.created',
    candidate: number,
    parents,
    round: parents.length,
    model: 'm',
    role: parents.length === 0 ? 'draft' : 'revision',
  },
  { type: 'candidate.delta', candidate: number, text },
  {
    type: 'candidate.completed',
    candidate: number,
    finish_reason: 'stop',
    usage: { output_tokens: 4 },
  },
]

const revised = (revision: number, number: number, text: string): Body => ({
  type: 'answer.revised',
  revision,
  candidate: number,
  text,
  reason: 'x',
  score: null,
})

const spent = (tokens: number): Body => ({
  type: 'budget.updated',
  spent: { calls: 1, tokens, seconds: 1, cost: 0 },
  left: { calls: null, tokens: null, seconds: null, cost: null },
})

const score = (number: number, value: number | null): Body => ({
  type: 'candidate.scored',
  candidate: number,
  scorer: 'judge',
  score: value,
  range: [0, 1],
})

const compared = (pair: number[], winner: number | null, orders: (number | null)[]): Body => ({
  type: 'comparison.completed',
  candidates: pair,
  winner,
  orders: orders.map((each, index) => ({ first: pair[index]!, winner: each })),
})

const verdict = (number: number, said: 'right' | 'wrong'): Body => ({
  type: 'critique.completed',
  candidate: number,
  text: '…',
  verdict: said,
})

/** One event a second, from the second one on. */
const measure = (bodies: readonly Body[]) => {
  const recorder = new RunRecorder()
  for (const [index, body] of bodies.entries()) {
    const at = new Date(Date.UTC(2026, 0, 1, 0, 0, Math.max(0, index - 1))).toISOString()
    recorder.observe({ run_id: 'r', sequence: index + 1, at, ...body } as RunEvent)
  }
  const record = recorder.record({ arm: 'x', item: 'a', repeat: 0 }, { input: 'q' })
  return record === undefined ? undefined : measureRun(record, ITEM)
}

const ended = (text: string, number: number): Body => ({
  type: 'run.completed',
  answer: { text, candidate: number, revision: 2, score: null },
  usage,
  stop_reason: 'finished',
})

const RUN: readonly Body[] = [
  CREATED,
  ...candidate(0, '#### 5'),
  revised(1, 0, '#### 5'),
  spent(40),
  ...candidate(1, '#### 7'),
  ...candidate(2, '#### 5'),
  ...candidate(3, '#### 7.0'),
  score(0, 0.2),
  score(1, 0.9),
  score(2, null),
  compared([0, 1], 1, [1, 1]),
  compared([2, 3], null, [2, 3]),
  compared([0, 2], null, [null, null]),
  verdict(0, 'wrong'),
  verdict(1, 'wrong'),
  verdict(2, 'right'),
  ...candidate(4, '#### 7', [1]),
  revised(2, 1, '#### 7'),
  ended('#### 7', 1),
]

test('a run is held against its label', () => {
  const found = measure(RUN)!
  assert.deepEqual([found.first, found.last, found.answered], [false, true, true])
  assert.deepEqual(found.drafts, { total: 4, right: 2 })
  assert.deepEqual(found.candidates, { total: 5, right: 3 })
  assert.deepEqual(found.majority, [
    { k: 1, right: false },
    { k: 2, right: false }, // a tie keeps the answer that came first
    { k: 4, right: false },
  ])
  assert.ok(
    Math.abs(found.effectiveAnswers - Math.exp(-0.4 * Math.log(0.4) - 0.6 * Math.log(0.6))) < 1e-9,
  )
  assert.deepEqual(found.scores, [
    { scorer: 'judge', score: 0.2, right: false },
    { scorer: 'judge', score: 0.9, right: true },
  ])
  assert.deepEqual(found.comparisons, { total: 3, consistent: 1, decidable: 2, decidedRightly: 1 })
  assert.deepEqual(found.reviews, { onRight: 1, falseAlarms: 1, onWrong: 2, found: 1 })
  assert.deepEqual(found.revisions, { total: 1, copies: 1 })
})

test('the timeline gives an answer the tokens of the account that follows it', () => {
  const found = measure(RUN)!
  assert.deepEqual(found.timeline, [
    { seconds: 3, tokens: 40, right: false },
    { seconds: 26, tokens: 160, right: true },
  ])
})

test('a declined, a failed and an unfinished run', () => {
  const declined = measure([
    ...RUN.slice(0, -1),
    { ...ended('#### 7', 1), stop_reason: 'declined' } as Body,
  ])!
  assert.deepEqual([declined.last, declined.answered, declined.ended], [false, false, 'declined'])
  assert.deepEqual(declined.timeline.at(-1), { seconds: 4, tokens: 160, right: false })
  const error = { code: 'model_failed', message: 'no' }
  const failed = measure([CREATED, { type: 'run.failed', answer: null, usage, error }])!
  assert.deepEqual([failed.first, failed.last, failed.ended], [false, false, 'model_failed'])
  assert.deepEqual([failed.majority, failed.timeline, failed.effectiveAnswers], [[], [], 1])
  assert.equal(measure(RUN.slice(0, -1)), undefined)
})

const levenshtein = (left: string, right: string): number => {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (const [at, letter] of left.split('').entries()) {
    const next = [at + 1]
    for (const [other, against] of right.split('').entries())
      next.push(
        Math.min(row[other]! + Number(letter !== against), row[other + 1]! + 1, next[other]! + 1),
      )
    row = next
  }
  return row.at(-1)!
}

test('a revision is a copy when less than 2 % of it changed', () => {
  const long = 'abcdefghij'.repeat(20)
  assert.ok(isCopy('', '') && isCopy('same', 'same') && !isCopy('same', 'sand'))
  assert.ok(isCopy(long, long.slice(3)) && !isCopy(long, long.slice(4)))
  assert.ok(!isCopy(long, '') && !isCopy('', long))
  const edit = fc.tuple(fc.nat(250), fc.constantFrom('', 'x', 'yz'))
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 8 }), (edits) => {
      let text = long
      for (const [at, put] of edits) text = text.slice(0, at) + put + text.slice(at + 1)
      const distance = levenshtein(long, text)
      assert.equal(isCopy(long, text), distance < 0.02 * Math.max(long.length, text.length))
    }),
    { numRuns: 200 },
  )
})
