import assert from 'node:assert/strict'
import test from 'node:test'
import { foldRun } from '../../src/core/run-state.ts'
import type { RunEvent, RunnerEvent, StrategyEvent } from '../../src/core/event.ts'
import { emptyUsage } from '../../src/core/run-state.ts'
import type { FeedbackRecord } from '../../src/core/run-store.ts'
import { ExportRecord } from '../../src/exports/export-schema.ts'
import { findErrors } from '../../src/core/validation.ts'
import { preferencesOf } from '../../src/exports/preferences.ts'
import { RunExports } from '../../src/exports/run-exports.ts'
import type { ExportQuery } from '../../src/exports/export-query.ts'
import { SECOND_WINS } from '../support/fake-runs.ts'

const draft = (candidate: number, text: string, parents: number[] = []): StrategyEvent[] => [
  {
    type: 'candidate.created',
    candidate,
    parents,
    round: parents.length,
    model: 'm',
    role: parents.length === 0 ? 'draft' : 'revision',
  },
  { type: 'candidate.delta', candidate, text },
  { type: 'candidate.completed', candidate, finish_reason: 'stop', usage: { output_tokens: 3 } },
]

const score = (candidate: number, value: number, steps?: number[]): StrategyEvent => ({
  type: 'candidate.scored',
  candidate,
  scorer: 'judge',
  score: value,
  range: [0, 1],
  ...(steps && { steps }),
})

const revised = (revision: number, candidate: number, text: string): StrategyEvent => ({
  type: 'answer.revised',
  revision,
  candidate,
  text,
  reason: 'better',
  score: null,
})

/** Two drafts, of which the second wins; its critique, and a better revision of it. */
const SCRIPT: (StrategyEvent | RunnerEvent)[] = [
  ...draft(0, 'one\ntwo\nbad'),
  score(0, 0.25, [0.9, 0.6, 0.1]),
  revised(1, 0, 'one\ntwo\nbad'),
  ...draft(1, 'uno\ndos'),
  score(1, 0.5),
  SECOND_WINS,
  {
    type: 'critique.completed',
    candidate: 1,
    text: 'The second is off.',
    step: 2,
    verdict: 'wrong',
  },
  ...draft(2, 'uno\nzwei', [1]),
  score(2, 0.75),
  revised(2, 2, 'uno\nzwei'),
]

const eventsOf = (id: string, metadata: Record<string, unknown> = {}): RunEvent[] => {
  const created: RunnerEvent = {
    type: 'run.created',
    strategy: 's',
    options: {},
    model: 'm',
    models: {},
    budget: {},
    seed: 1,
    assignment: { experiment: 'e', arm: 'a', reason: 'assigned', propensity: 0.5 },
    metadata,
  }
  const usage = { ...emptyUsage(), cost: 0.5 }
  const answer = { text: 'uno\nzwei', candidate: 2, revision: 2, score: 0.75 }
  const end: RunnerEvent = { type: 'run.completed', answer, usage, stop_reason: 'finished' }
  return [created, ...SCRIPT, end].map((event, index) => ({
    run_id: id,
    sequence: index + 1,
    at: '2030-01-01T00:00:00.000Z',
    ...event,
  }))
}

const feedback = (run: string, metric: string, value: FeedbackRecord['value']): FeedbackRecord => ({
  id: `feedback_${metric}`,
  run_id: run,
  metric,
  value,
  source: 'user',
  at: '2030-01-02T00:00:00.000Z',
})

const openExports = (
  count: number,
  said: Readonly<Record<string, FeedbackRecord[]>> = {},
  metadata?: Record<string, unknown>,
  change: (events: RunEvent[]) => RunEvent[] = (events) => events,
) => {
  const runs = Array.from({ length: count }, (_, index) =>
    change(eventsOf(`run_${String(index).padStart(3, '0')}`, metadata)),
  )
  let reads = 0
  const exports = new RunExports({
    store: {
      scan: async ({ after, limit }) => {
        reads += 1
        return runs
          .map((events) => foldRun(events)!)
          .filter(({ id }) => id > after)
          .slice(0, limit)
          .map((state) => ({ state, owner: '', request: { input: 'What?' } }))
      },
      events: async (id, after, limit) =>
        runs
          .find(([first]) => first!.run_id === id)!
          .filter(({ sequence }) => sequence > after)
          .slice(0, limit),
      feedback: async (id) => said[id] ?? [],
    },
    splitters: [(text) => text.split('\n')],
  })
  const all = async (query: ExportQuery): Promise<ExportRecord[]> => {
    const found: ExportRecord[] = []
    for await (const record of exports.open(query, undefined)) found.push(record)
    return found
  }
  return { exports, all, reads: () => reads }
}

const only = async (format: ExportQuery['format'], more: Partial<ExportQuery> = {}) =>
  (await openExports(1).all({ format, ...more })) as never[]

test('an answer that its run declined, or that a filter broke off, is nothing to learn', async () => {
  const changed = (change: (event: RunEvent) => object) => (events: RunEvent[]) =>
    events.map((event) => ({ ...event, ...change(event) }) as RunEvent)
  const declined = changed(({ type }) =>
    type === 'run.completed' ? { stop_reason: 'declined' } : {},
  )
  const filtered = changed((event) =>
    event.type === 'candidate.completed' && event.candidate === 2
      ? { finish_reason: 'content_filter' }
      : {},
  )
  for (const change of [declined, filtered]) {
    const { all } = openExports(2, {}, {}, change)
    assert.deepEqual(await all({ format: 'sft' }), [])
    assert.equal((await all({ format: 'runs' })).length, 2)
  }
})

test('a finished run teaches its final answer, with where it came from', async () => {
  const [record] = (await only('sft')) as Extract<ExportRecord, { format: 'sft' }>[]
  assert.deepEqual(record!.prompt, [{ role: 'user', content: 'What?' }])
  assert.deepEqual(record!.completion, [{ role: 'assistant', content: 'uno\nzwei' }])
  assert.equal(record!.provenance.strategy, 's')
  assert.equal(record!.provenance.assignment!.arm, 'a')
  assert.equal(record!.metrics['auto.cost'], 0.5)
})

test('pairs are the last answer against the first, winner against loser, best sibling against worst', async () => {
  const pairs = (await only('preferences')) as Extract<ExportRecord, { format: 'preferences' }>[]
  assert.deepEqual(
    pairs.map(({ kind, chosen_candidate, rejected_candidate, margin, scorer }) => [
      kind,
      chosen_candidate,
      rejected_candidate,
      margin,
      scorer,
    ]),
    [
      ['revision', 2, 0, 0.5, 'judge'],
      ['comparison', 1, 0, 1, null],
      ['sibling', 1, 0, 0.25, 'judge'],
    ],
  )
  const wide = (await only('preferences', { minimum_margin: 0.4 })) as { kind: string }[]
  assert.deepEqual(
    wide.map(({ kind }) => kind),
    ['revision', 'comparison'],
  )
})

test('steps are labelled by the scorer, and by a critic as far as it read', async () => {
  const steps = (await only('steps')) as Extract<ExportRecord, { format: 'steps' }>[]
  assert.deepEqual(
    steps.map(({ completions, labels, labelled_by }) => [completions, labels, labelled_by]),
    [
      [['one', 'two', 'bad'], [true, true, false], 'judge'],
      [['uno', 'dos'], [true, false], 'critique'],
    ],
  )
})

test('every record of every format is as its schema says', async () => {
  for (const format of ['sft', 'preferences', 'steps', 'revisions', 'trees', 'runs'] as const) {
    const records = await only(format)
    assert.ok(records.length > 0, format)
    for (const record of records) assert.deepEqual(findErrors(ExportRecord, record), [], format)
  }
})

test('prompts stay out where that is asked for, but for their hash', async () => {
  const [plain] = (await only('sft')) as ExportRecord[]
  const [hidden] = (await only('sft', { without_prompts: true })) as ExportRecord[]
  assert.equal(hidden!.prompt, null)
  assert.equal(hidden!.prompt_sha256, plain!.prompt_sha256)
})

test('consent given with the run can be taken back by feedback', async () => {
  const said = { run_001: [feedback('run_001', 'consent', false)] }
  const { all } = openExports(2, said, { consent: true })
  const records = await all({ format: 'sft' })
  assert.deepEqual(
    records.map(({ consent }) => consent),
    [true, false],
  )
  const consented = await all({ format: 'sft', consented_only: true })
  assert.deepEqual(
    consented.map(({ run_id }) => run_id),
    ['run_000'],
  )
  assert.deepEqual(await openExports(1).all({ format: 'sft', consented_only: true }), [])
})

test('a least margin leaves out pairs without one, also when it is 0', () => {
  const state = foldRun(eventsOf('run_1'))!
  const unscored = {
    ...state,
    candidates: state.candidates.map((each) => ({ ...each, scores: [] })),
  }
  const run = { state: unscored, prompt: [], feedback: [], comparisons: [], critiques: [] }
  assert.equal(preferencesOf(run).length, 1)
  assert.equal(preferencesOf(run, 0).length, 0)
})

test('conditions compare the latest feedback and what was measured', async () => {
  const said = {
    run_000: [feedback('run_000', 'correct', true)],
    run_001: [feedback('run_001', 'correct', true), feedback('run_001', 'correct', false)],
  }
  const { all } = openExports(3, said)
  const ids = async (...where: string[]): Promise<string[]> =>
    (await all({ format: 'sft', where })).map(({ run_id }) => run_id)
  assert.deepEqual(await ids('correct=true'), ['run_000'])
  assert.deepEqual(await ids('correct < 1'), ['run_001'])
  assert.deepEqual(await ids('correct>=0', 'auto.cost<=0.5'), ['run_000', 'run_001'])
  assert.deepEqual(await ids('auto.cost>0.5'), [])
})

test('conditions name any metric there is feedback under', async () => {
  for (const metric of ['gut bewertet', 'größe', 'a=b', 'style/tone:1', '_x']) {
    const { all } = openExports(2, { run_001: [feedback('run_001', metric, 0.5)] })
    const found = await all({ format: 'sft', where: [` ${metric} >= 0.5 `] })
    assert.deepEqual(
      found.map(({ run_id }) => run_id),
      ['run_001'],
      metric,
    )
  }
})

test('a query that makes no sense is refused before the first record', () => {
  const { exports } = openExports(1)
  const open = (more: Partial<ExportQuery>) => () =>
    exports.open({ format: 'sft', ...more }, undefined)
  assert.throws(open({ where: ['correct'] }), /\/where\/0.*correct=true/)
  assert.throws(open({ where: ['correct<1 2'] }), /\/where\/0/)
  assert.throws(open({ where: ['a=1', 'auto.nothing>1'] }), /\/where\/1.*is not measured/)
  assert.throws(open({ after: 'yesterday' }), /\/after/)
  assert.throws(open({ from: '2016-12-31T23:59:60Z' }), /\/from: must be such as/)
})

test('an export taken up behind any record gives exactly the rest', async () => {
  const { all } = openExports(40)
  const whole = await all({ format: 'preferences' })
  assert.equal(whole.length, 120)
  for (let at = 0; at < whole.length; at += 7) {
    const rest = await all({ format: 'preferences', after: whole[at]!.cursor })
    assert.deepEqual(rest, whole.slice(at + 1))
  }
})

test('runs are read as they are needed, a page at a time', async () => {
  const { exports, reads } = openExports(100)
  const records = exports.open({ format: 'sft' }, undefined)
  await records.next()
  assert.equal(reads(), 1)
  await records.return()
  assert.equal(reads(), 1)
})
