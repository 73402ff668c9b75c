import assert from 'node:assert/strict'
import test from 'node:test'
import { measureRun as measure } from '../../src/core/measures.ts'
import type { Usage } from '../../src/core/event.ts'
import { emptyUsage, type Candidate, type RunState } from '../../src/core/run-state.ts'
import type { Task } from '../../src/core/task.ts'
import { isNearCopy } from '../../src/core/similarity.ts'

type Given = readonly [text: string, role?: Candidate['role'], parents?: readonly number[]]

const USAGE: Usage = {
  ...emptyUsage(),
  input_tokens: 400,
  output_tokens: 200,
  by_role: {
    generator: { calls: 4, input_tokens: 40, output_tokens: 60 },
    reviewer: { calls: 4, input_tokens: 360, output_tokens: 140 },
  },
}

const measureRun = (state: RunState, task: Task = { messages: [], sampling: {} }) =>
  measure(state, task, USAGE)

const stateOf = (given: readonly Given[], answer: string): RunState =>
  ({
    answer: { text: answer, candidate: 0, revision: 1, score: null },
    candidates: given.map(([text, role = 'draft', parents = []], candidate) => ({
      candidate,
      parents: [...parents],
      round: 0,
      role,
      model: 'm',
      text,
      finish_reason: text === '' ? 'dropped' : 'stop',
      scores: [],
      critiques: [],
    })),
  }) as unknown as RunState

test('the majority is that of the drafts alone, and says whether the run agrees', () => {
  const drafts: Given[] = [['#### 1'], ['#### 2'], ['#### 2'], ['']]
  const revised: Given[] = [...drafts, ['#### 1', 'revision', [0]], ['#### 1', 'revision', [1]]]
  const measured = measureRun(stateOf(revised, '#### 1'))
  assert.deepEqual(measured?.majority, {
    answer: '2',
    candidate: 1,
    votes: 2,
    samples: 3,
    agrees: false,
    equal_spend_samples: 24,
  })
  assert.equal(measureRun(stateOf(drafts, 'It is: answer 2'))?.majority?.agrees, true)
})

test('equal answers of all candidates are one effective answer, k even ones k', () => {
  const effective = (texts: readonly string[]): number | null | undefined =>
    measureRun(
      stateOf(
        texts.map((text) => [text]),
        '#### 1',
      ),
    )?.effective_answers
  assert.equal(effective(['#### 1', '#### 1']), 1)
  assert.ok(Math.abs(effective(['#### 1', '#### 2', '#### 3'])! - 3) < 1e-12)
  assert.equal(effective(['Nobody knows.\nReally, nobody does.']), null)
})

test('a run without a completed candidate has nothing to tell', () => {
  assert.equal(measureRun(stateOf([['']], '')), undefined)
})

test('collapse is the share of revisions that hardly change, oscillation a way back', () => {
  const long = 'word '.repeat(100)
  const collapsed = measureRun(
    stateOf([[long], [`${long} `, 'revision', [0]], [`no no no ${long}`, 'revision', [1]]], long),
  )
  assert.deepEqual([collapsed?.collapse, collapsed?.oscillation], [0.5, false])
  const back = measureRun(stateOf([['a'], ['b', 'revision', [0]], ['a', 'revision', [1]]], 'a'))
  assert.deepEqual([back?.collapse, back?.oscillation], [0, true])
  assert.equal(measureRun(stateOf([['a']], 'a'))?.collapse, null)
})

test('a near copy differs in less than two of a hundred words, wherever they stand', () => {
  const words = Array.from({ length: 200 }, (_, at) => `w${at}`)
  const changed = (...at: readonly number[]): string =>
    words.map((word, index) => (at.includes(index) ? 'x' : word)).join(' ')
  assert.equal(isNearCopy(words.join(' '), changed(0, 100, 199)), true)
  assert.equal(isNearCopy(words.join(' '), changed(0, 100, 150, 199)), false)
  assert.equal(isNearCopy(words.join(' '), ['y', ...words.slice(0, -1), 'z'].join(' ')), true)
  assert.equal(isNearCopy('3 + 4 = 7', '3 + 4 = 8'), false)
  assert.equal(isNearCopy('', ''), true)
})

test('what was given up while it was written counts as wasted, three bytes a token', () => {
  const given: Given[] = [['#### 1'], ['']]
  const state = stateOf(given, '#### 1')
  const cut = { ...state.candidates[1]!, text: 'abcdefg' }
  const measured = measureRun({ ...state, candidates: [state.candidates[0]!, cut] })
  assert.equal(measured?.wasted_tokens, 3)
  assert.equal(measureRun(stateOf([['#### 1']], '#### 1'))?.wasted_tokens, 0)
})
