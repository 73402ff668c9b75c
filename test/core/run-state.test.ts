import test from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { RunEvent, RunnerEvent, StrategyEvent } from '../../src/core/event.ts'
import { RunState, emptyUsage, foldRun, reduceRun } from '../../src/core/run-state.ts'
import { findErrors } from '../../src/core/validation.ts'

type Body = StrategyEvent | RunnerEvent

const CREATED: Body = {
  type: 'run.created',
  strategy: 'best-of-n',
  options: { n: 2 },
  model: 'scripted',
  models: {},
  budget: { calls: 9 },
  seed: 7,
  assignment: null,
  metadata: { from: 'test' },
}

const AT = '2026-01-02T03:04:05.006Z'

const stamp = (bodies: readonly Body[]): RunEvent[] =>
  bodies.map((body, index) => ({ run_id: 'run_1', sequence: index + 1, at: AT, ...body }))

const created = (candidate: number, parents: number[] = []): Body => ({
  type: 'candidate.created',
  candidate,
  parents,
  round: 0,
  model: 'scripted',
  role: parents.length === 0 ? 'draft' : 'revision',
})
const delta = (candidate: number, text: string): Body => ({
  type: 'candidate.delta',
  candidate,
  text,
})
const completed = (candidate: number): Body => ({
  type: 'candidate.completed',
  candidate,
  finish_reason: 'stop',
  usage: { output_tokens: 3 },
})
const revised = (revision: number, candidate: number, text: string): Body => ({
  type: 'answer.revised',
  revision,
  candidate,
  text,
  reason: 'first',
  score: null,
})

test('a run is queued from its first event on and running from the second', () => {
  const [first, second] = stamp([CREATED, created(0)])
  const state = reduceRun(undefined, first!)
  assert.equal(state.status, 'queued')
  assert.equal(state.created_at, AT)
  assert.equal(reduceRun(state, second!).status, 'running')
})

test('a log that does not begin with run.created is refused', () => {
  assert.throws(() => foldRun(stamp([created(0)])), /starts with run.created/)
  assert.equal(foldRun([]), undefined)
})

test('an event of a candidate that was never created is refused', () => {
  assert.throws(() => foldRun(stamp([CREATED, delta(3, 'x')])), /Candidate 3 was never created/)
})

test('a candidate keeps which stop string ended it, where that was told', () => {
  const met: Body = { ...completed(1), stop_string: '\n' } as Body
  const state = foldRun(stamp([CREATED, created(0), completed(0), created(1), met]))!
  assert.deepEqual(
    state.candidates.map(({ stop_string }) => stop_string),
    [undefined, '\n'],
  )
  assert.deepEqual(findErrors(RunState, state), [])
})

test('scores, critiques, failures and drops are kept with their candidate', () => {
  const state = foldRun(
    stamp([
      CREATED,
      created(0),
      created(1),
      created(2, [0]),
      completed(0),
      {
        type: 'candidate.scored',
        candidate: 0,
        scorer: 'judge',
        score: 0.4,
        range: [0, 1],
        steps: [1, 0.2],
      },
      { type: 'candidate.scored', candidate: 0, scorer: 'judge', score: null, range: [0, 1] },
      { type: 'critique.delta', candidate: 0, text: 'par' },
      { type: 'critique.completed', candidate: 0, text: 'parts are wrong', verdict: 'wrong' },
      { type: 'candidate.failed', candidate: 1, error: { code: 'model_failed', message: 'no' } },
      { type: 'candidate.dropped', candidate: 2, reason: 'pruned' },
    ]),
  )!
  assert.deepEqual(state.candidates[0]!.scores, [
    { scorer: 'judge', score: 0.4, steps: [1, 0.2] },
    { scorer: 'judge', score: null },
  ])
  assert.deepEqual(state.candidates[0]!.critiques, ['parts are wrong'])
  assert.deepEqual(
    state.candidates.map(({ finish_reason }) => finish_reason),
    ['stop', 'failed', 'dropped'],
  )
  assert.deepEqual(state.candidates[2]!.parents, [0])
})

test('budget.updated shows what is spent while the run goes on', () => {
  const spent = { calls: 3, tokens: 40, seconds: 1.5, cost: 0.25 }
  const left = { calls: 6, tokens: null, seconds: null, cost: null }
  const state = foldRun(stamp([CREATED, { type: 'budget.updated', spent, left }]))!
  assert.deepEqual(state.usage, { ...emptyUsage(), calls: 3, seconds: 1.5, cost: 0.25 })
})

const answer = { text: 'a', candidate: 0, revision: 1, score: null }
const usage = { ...emptyUsage(), calls: 1 }
const endings: readonly [Body, Partial<RunState>][] = [
  [
    { type: 'run.completed', answer, usage, stop_reason: 'threshold' },
    { status: 'completed', stop_reason: 'threshold', error: null },
  ],
  [
    { type: 'run.cancelled', answer, usage, stop_reason: 'cancelled' },
    { status: 'cancelled', stop_reason: 'cancelled', error: null },
  ],
  [
    { type: 'run.failed', answer: null, usage, error: { code: 'internal', message: 'm' } },
    { status: 'failed', stop_reason: null, error: { code: 'internal', message: 'm' } },
  ],
]

for (const [ending, expected] of endings) {
  test(`${ending.type} sets status, end, answer and usage`, () => {
    const state = foldRun(stamp([CREATED, created(0), revised(1, 0, 'a'), ending]))!
    const { status, stop_reason, error } = state
    assert.deepEqual({ status, stop_reason, error }, expected)
    assert.equal(state.ended_at, AT)
    assert.deepEqual(state.usage, usage)
    assert.deepEqual(state.answer, ending.type === 'run.failed' ? null : answer)
    assert.equal(state.last_sequence, 4)
  })
}

/** A valid log: candidates in order, deltas only while open, revisions counted up, one terminal event. */
interface Draft {
  readonly pieces: readonly string[]
  readonly revise: boolean
}
const log = fc
  .tuple(
    fc.array(
      fc.record({
        pieces: fc.array(fc.string({ unit: 'binary' }), { maxLength: 6 }),
        revise: fc.boolean(),
      }),
      {
        minLength: 1,
        maxLength: 6,
      },
    ),
    fc.infiniteStream(fc.nat()),
  )
  .map(([drafts, choices]) => ({ drafts, bodies: interleave(drafts, choices) }))

const interleave = (drafts: readonly Draft[], choices: Iterator<number>): Body[] => {
  const bodies: Body[] = [CREATED, ...drafts.map((_, candidate) => created(candidate))]
  const open = drafts.map(({ pieces, revise }, candidate) => ({
    candidate,
    left: [...pieces],
    revise,
  }))
  let revision = 0
  let last: Extract<Body, { type: 'answer.revised' }> | undefined
  while (open.length > 0) {
    const at = Number(choices.next().value) % open.length
    const { candidate, left, revise } = open[at]!
    const piece = left.shift()
    if (piece !== undefined) {
      bodies.push(delta(candidate, piece))
      continue
    }
    open.splice(at, 1)
    bodies.push(completed(candidate))
    if (!revise) continue
    last = revised(++revision, candidate, drafts[candidate]!.pieces.join('')) as typeof last
    bodies.push(last!)
  }
  const answered =
    last === undefined
      ? null
      : { text: last.text, candidate: last.candidate, revision: last.revision, score: null }
  return [...bodies, { type: 'run.completed', answer: answered, usage, stop_reason: 'finished' }]
}

test('for any valid log the fold holds the deltas of each candidate and the last revision', () => {
  fc.assert(
    fc.property(log, ({ drafts, bodies }) => {
      const state = foldRun(stamp(bodies))!
      assert.deepEqual(
        state.candidates.map(({ text }) => text),
        drafts.map(({ pieces }) => pieces.join('')),
      )
      const last = state.revisions.at(-1)
      assert.equal(state.answer?.text, last?.text)
      assert.equal(state.answer?.revision, last?.revision)
      assert.deepEqual(
        state.revisions.map(({ revision }) => revision),
        state.revisions.map((_, index) => index + 1),
      )
      assert.equal(state.last_sequence, bodies.length)
      assert.equal(state.status, 'completed')
    }),
  )
})

test('for any valid log the answer shown before the end is the answer at the end', () => {
  fc.assert(
    fc.property(log, ({ bodies }) => {
      const before = foldRun(stamp(bodies.slice(0, -1)))!
      const after = foldRun(stamp(bodies))!
      assert.deepEqual(before.answer, after.answer)
      assert.deepEqual(before.candidates, after.candidates)
    }),
  )
})

test('for any valid log every prefix folds to a state of the published form', () => {
  fc.assert(
    fc.property(log, fc.nat(), ({ bodies }, cut) => {
      const state = foldRun(stamp(bodies.slice(0, 1 + (cut % bodies.length))))!
      // The time's form is the transport's to check: no format is registered here.
      assert.deepEqual(findErrors(RunState, JSON.parse(JSON.stringify(state))), [])
    }),
  )
})

test('the events themselves are never changed by folding them', () => {
  fc.assert(
    fc.property(log, ({ bodies }) => {
      const events = stamp(bodies)
      const copy = structuredClone(events)
      foldRun(events)
      assert.deepEqual(events, copy)
    }),
  )
})

test('a run tells every measure that its log reported', () => {
  const measures = {
    effective_answers: 2,
    majority: null,
    collapse: 0.5,
    oscillation: true,
    schema_valid: false,
    wasted_tokens: 7,
    behaviours: { verification: 3 },
  }
  const state = foldRun(stamp([CREATED, created(0), { type: 'measures.reported', ...measures }]))
  assert.deepEqual(state?.measures, measures)
  assert.deepEqual(findErrors(RunState, state), [])
})
