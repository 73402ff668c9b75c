/** What every store must do, run against each of them. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import fc from 'fast-check'
import type { ExperimentFact, Outcome, Phase, Series } from '../../src/core/experiment-store.ts'
import type { RunEvent } from '../../src/core/event.ts'
import { emptyUsage, foldRun, type RunState } from '../../src/core/run-state.ts'
import type { RunRecord, RunStore } from '../../src/core/run-store.ts'
import { createRandom } from '../../src/core/random.ts'
import { collect, type Sums } from '../../src/core/sums.ts'
import type { DatabaseRunStore } from '../../src/storage/run-store.ts'
import { expose, isGood, openLoad, report, work } from '../experiments/load.ts'
import { pieceOf } from '../support/log-piece.ts'

const SERIES: Series[] = [
  { metric: 'v', numerator: 'v', denominator: null, covariate: 'x' },
  { metric: 'r', numerator: 'r', denominator: 'v', covariate: null },
  { metric: 'v~errors', numerator: 'r', denominator: null, covariate: 'v', minus: 'v' },
].map((series) => ({ minus: null, isWeighted: false, ...series }))

const exposedAt = '2030-01-01T00:00:00.000Z'

const exposure = (
  phase: Phase,
  unit: string,
  runId: string,
  reason = 'assigned',
): ExperimentFact => ({
  type: 'exposure',
  ...phase,
  unit,
  arm: 'a',
  reason,
  bucket: 0,
  propensity: 0.5,
  runId,
  at: exposedAt,
})

const outcome = (
  runId: string,
  name: string,
  value: number,
  { bucket = null, reporter = '' }: Partial<Pick<Outcome, 'bucket' | 'reporter'>> = {},
): ExperimentFact => ({
  type: 'outcome',
  runId,
  name,
  reporter,
  value,
  bucket,
  series: SERIES.filter(({ numerator, denominator, covariate }) =>
    [numerator, denominator, covariate].includes(name),
  ),
})

const nearly = (actual: Sums, expected: Sums): void => {
  for (const [name, value] of Object.entries(expected)) {
    const got = actual[name as keyof Sums]
    assert.ok(
      Math.abs(got - value) < 1e-6 * Math.max(1, Math.abs(value)),
      `${name}: ${got}, ${value}`,
    )
  }
}

const REPORTS = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 5 }),
    fc.constantFrom('v', 'r', 'x'),
    fc.integer({ min: -20, max: 20 }),
  ),
  { maxLength: 40 },
)

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

type Last = ReadonlyMap<string, number>

/** What the sums must be, from the last value of each run: six runs of three units. */
const expectedOf = (last: Last) => {
  const of = (unit: number, name: string): number[] =>
    [...last].filter(([id]) => id.startsWith(`${unit} ${name} `)).map(([, value]) => value)
  const units = [0, 1, 2].filter((unit) => of(unit, 'v').length > 0)
  const plain = units.map((unit) => {
    const before = of(unit, 'x')
    const covariate = before.length === 0 ? 0 : sum(before) / before.length
    return { total: sum(of(unit, 'v')), base: of(unit, 'v').length, covariate }
  })
  const ratios = units
    .filter((unit) => of(unit, 'r').length > 0)
    .map((unit) => ({ total: sum(of(unit, 'r')), base: sum(of(unit, 'v')) }))
  const both = units.filter((unit) => of(unit, 'r').length > 0)
  const errors = both.map((unit) => {
    const [judged, truth] = [of(unit, 'r'), of(unit, 'v')]
    const mean = sum(truth) / truth.length
    return { total: sum(judged) - judged.length * mean, base: judged.length, covariate: mean }
  })
  return { plain, ratios, errors }
}

/** `place` is what a store is opened by: a folder or an address. */
export interface Place {
  readonly open: (place: string) => Promise<DatabaseRunStore>
  /** A new, empty one. */
  readonly create: () => Promise<string>
}

const experimentContract = (opened: (t: TestContext) => Promise<DatabaseRunStore>): void => {
  test('sums kept as values come, late, again and corrected, are those of the final values', async (t) => {
    const { experiments } = await opened(t)
    let history = 0
    await fc.assert(
      fc.asyncProperty(REPORTS, fc.boolean(), async (reports, isTogether) => {
        const phase = { experiment: 'e', salt: String(++history) }
        const run = (number: number): string => `run_${history}_${number}`
        const facts: ExperimentFact[] = [
          ...[0, 1, 2, 3, 4, 5].map((number) => exposure(phase, `u${number % 3}`, run(number))),
          ...reports.map(([number, name, value]) => outcome(run(number), name, value)),
        ]
        if (isTogether) await experiments.record(facts)
        else for (const fact of facts) await experiments.record([fact])
        const { plain, ratios, errors } = expectedOf(
          new Map(
            reports.map(([number, name, value]) => [`${number % 3} ${name} ${number}`, value]),
          ),
        )
        const [arm] = await experiments.tallies(phase)
        assert.equal(arm!.exposures, 3)
        if (plain.length > 0) nearly(arm!.metrics['v']!.sums, collect(plain))
        if (ratios.length > 0) nearly(arm!.metrics['r']!.sums, collect(ratios))
        if (errors.length > 0) nearly(arm!.metrics['v~errors']!.sums, collect(errors))
      }),
      { numRuns: 60, seed: 7 },
    )
  })

  test('a unit is exposed once, and one that was forced first is in no comparison', async (t) => {
    const { experiments } = await opened(t)
    const phase = { experiment: 'e', salt: '1' }
    await experiments.record([
      exposure(phase, 'u', 'run_1'),
      exposure(phase, 'u', 'run_2'),
      exposure(phase, 'w', 'run_3', 'forced'),
      exposure(phase, 'w', 'run_4'),
      outcome('run_2', 'v', 4),
      outcome('run_4', 'v', 100),
      outcome('run_unknown', 'v', 100),
    ])
    const [arm] = await experiments.tallies(phase)
    assert.equal(arm!.exposures, 1)
    assert.deepEqual([arm!.metrics['v']!.runs, arm!.metrics['v']!.sums.total], [1, 4])
    assert.equal((await experiments.exposure(phase, 'u'))!.runId, 'run_1')
    assert.equal((await experiments.exposedRuns(['run_4'])).get('run_4')!.unit, 'w')
    assert.deepEqual(await experiments.unsettled(), ['run_1', 'run_2', 'run_3', 'run_4'])
    await experiments.record(['run_1', 'run_2'].map((runId) => ({ type: 'settled', runId })))
    assert.deepEqual(await experiments.unsettled(), ['run_3', 'run_4'])
  })

  test('facts of one group are applied together or not at all', async (t) => {
    const { experiments } = await opened(t)
    const phase = { experiment: 'e', salt: '1' }
    const broken = { ...outcome('run_1', 'v', 1), value: null } as unknown as ExperimentFact
    await assert.rejects(() => experiments.record([exposure(phase, 'u', 'run_1'), broken]))
    assert.deepEqual(await experiments.tallies(phase), [])
    await experiments.record([exposure(phase, 'u', 'run_1'), outcome('run_1', 'v', 1)])
    assert.equal((await experiments.tallies(phase))[0]!.exposures, 1)
  })

  test('groups handed in at once are applied one after the other', async (t) => {
    const { experiments } = await opened(t)
    const phase = { experiment: 'e', salt: '1' }
    await experiments.record([exposure(phase, 'u', 'run_1')])
    const values = Array.from({ length: 50 }, (_, index) => index)
    await Promise.all(values.map((value) => experiments.record([outcome('run_1', 'v', value)])))
    const [arm] = await experiments.tallies(phase)
    assert.deepEqual([arm!.metrics['v']!.runs, arm!.metrics['v']!.sums.total], [1, 49])
  })

  test('units that are forgotten leave their sums, and what comes late changes nothing', async (t) => {
    const { experiments } = await opened(t)
    const [phase, other] = ['1', '2'].map((salt) => ({ experiment: 'e', salt }))
    const units = Array.from({ length: 7 }, (_, index) => index)
    await experiments.record([
      ...units.map((unit) => exposure(phase!, `u${unit}`, `run_${unit}`)),
      ...units.map((unit) => outcome(`run_${unit}`, 'v', unit)),
      exposure(other!, 'u0', 'run_other'),
      outcome('run_other', 'v', 5),
    ])
    const before = await experiments.tallies(phase!)
    assert.equal(await experiments.forgetUnits(phase!, 4), 4)
    assert.equal(await experiments.forgetUnits(phase!, 4), 3)
    assert.equal(await experiments.forgetUnits(phase!, 4), 0)
    await experiments.record([outcome('run_3', 'v', 1000)])
    assert.deepEqual(await experiments.tallies(phase!), before)
    assert.equal(await experiments.exposure(phase!, 'u3'), undefined)
    assert.equal((await experiments.exposedRuns(['run_3'])).size, 0)
    assert.equal((await experiments.exposure(other!, 'u0'))!.runId, 'run_other')
    await experiments.record([outcome('run_other', 'v', 6)])
    assert.equal((await experiments.tallies(other!))[0]!.metrics['v']!.sums.total, 6)
  })

  test('a duel is open until it has an end, once for a run, and keeps what every attempt took', async (t) => {
    const { experiments } = await opened(t)
    const { duels } = experiments
    const phase = { experiment: 'e', salt: '1' }
    const plan = (runId: string, served = 'x', other = 'y') =>
      duels.open({ ...phase, runId, unit: 'u', served, other, at: 'then' })
    await plan('run_2')
    await plan('run_1', 'y', 'x')
    await plan('run_2', 'y', 'z')
    const [first, second] = await duels.listOpen(9)
    assert.deepEqual([first!.runId, second!.runId, second!.served], ['run_1', 'run_2', 'x'])
    assert.deepEqual([first!.otherRunId, first!.attempts, first!.spent], [null, 0, 0])
    await duels.attempt('run_1', 'run_other')
    assert.equal((await duels.listOpen(1))[0]!.otherRunId, 'run_other')
    await duels.giveUp('run_1', 2, 1)
    const [again] = await duels.listOpen(1)
    assert.deepEqual([again!.otherRunId, again!.attempts, again!.spent], [null, 1, 3])
    const ended = { lengthDifference: -7, servedCost: 1, otherCost: 4, judgeCost: 0.5 }
    await duels.close('run_1', { end: 'a', ...ended })
    await duels.close('run_1', { end: 'b', ...ended })
    await duels.close('run_2', { ...ended, end: 'skipped' })
    assert.deepEqual(await duels.listOpen(9), [])
    const tallies = await duels.tallies(phase)
    assert.deepEqual(
      tallies.map(({ served, other, end, duels: count, otherCost, judgeCost }) => [
        served,
        other,
        end,
        count,
        otherCost,
        judgeCost,
      ]),
      [
        ['x', 'y', 'skipped', 1, 4, 0.5],
        ['y', 'x', 'a', 1, 6, 1.5],
      ],
    )
    const compared = await duels.compared(phase, 9)
    assert.deepEqual(
      compared
        .map((each) => ({ ...each }))
        .map(({ served, other, end, lengthDifference }) => [served, other, end, lengthDifference]),
      [['y', 'x', 'a', -7]],
    )
    assert.deepEqual(await duels.tallies({ ...phase, salt: '2' }), [])
  })

  test('buckets of quantiles follow a value that is corrected', async (t) => {
    const { experiments } = await opened(t)
    const phase = { experiment: 'e', salt: '1' }
    await experiments.record([
      ...[1, 2, 3].map((unit) => exposure(phase, `u${unit}`, `run_${unit}`)),
      outcome('run_1', 'v', 4, { bucket: 12 }),
      outcome('run_2', 'v', 0, { bucket: 'zero' }),
      outcome('run_3', 'v', 4, { bucket: 12 }),
    ])
    await experiments.record([outcome('run_3', 'v', 2, { bucket: 7 })])
    const [arm] = await experiments.tallies(phase)
    assert.deepEqual(arm!.metrics['v']!.sketch, { zeros: 1, buckets: { 7: 1, 12: 1 } })
  })

  test('each reporter has a word of its own on a run, and replaces only that', async (t) => {
    const { experiments } = await opened(t)
    const phase = { experiment: 'e', salt: '1' }
    const said = (value: number, reporter: string): ExperimentFact =>
      outcome('run_1', 'v', value, { reporter, bucket: value })
    await experiments.record([exposure(phase, 'u', 'run_1'), said(1, 'ann'), said(5, 'bob')])
    await experiments.record([said(3, 'ann'), said(9, '')])
    const [arm] = await experiments.tallies(phase)
    const { runs, sums, sketch } = arm!.metrics['v']!
    assert.deepEqual([runs, sums.units, sums.base, sums.total], [3, 1, 3, 17])
    assert.deepEqual(sketch.buckets, { 3: 1, 5: 1, 9: 1 })
    assert.equal((await experiments.exposedRuns(['run_1'])).get('run_1')!.at, exposedAt)
  })

  test('versions are kept apart, and the second of a number is refused', async (t) => {
    const { experiments } = await opened(t)
    const version = (key: string, number: number, origin: 'api' | 'file') =>
      experiments.addVersion({ key, version: number, at: 'then', origin, definition: { number } })
    assert.equal(await version('b', 1, 'file'), true)
    assert.equal(await version('b', 2, 'api'), true)
    assert.equal(await version('b', 2, 'api'), false)
    assert.equal(await version('a', 1, 'api'), true)
    const newest = await experiments.experiments()
    assert.deepEqual(
      newest.map((each) => [each.key, each.version]),
      [
        ['a', 1],
        ['b', 2],
      ],
    )
    assert.deepEqual((await experiments.fromFile('b'))!.definition, { number: 1 })
    assert.equal(await experiments.version('a', 2), undefined)
  })

  test('the latest look replaces the one before, the points of the course add up', async (t) => {
    const { experiments } = await opened(t)
    const phase = { experiment: 'e', salt: '1' }
    assert.equal(await experiments.lastLook(phase), undefined)
    const look = (at: string) => ({ at, body: { at } })
    await experiments.saveLook(phase, look('2'), look('2'))
    await experiments.saveLook(phase, look('3'))
    await experiments.saveLook(phase, look('4'), look('4'))
    assert.deepEqual(await experiments.lastLook(phase), look('4'))
    assert.deepEqual(await experiments.course(phase), [look('2'), look('4')])
    assert.deepEqual(await experiments.course({ ...phase, salt: '2' }), [])
  })
}

export const createdOf = (id: string, at: string, strategy = 's'): RunEvent => ({
  run_id: id,
  sequence: 1,
  at,
  type: 'run.created',
  strategy,
  options: { b: 1, a: 2 },
  model: 'm',
  models: {},
  budget: {},
  seed: 1,
  assignment: null,
  metadata: { text: 'NUL \u0000, half a pair \ud800, 結果' },
})

export const recordOf = (created: RunEvent, owner = ''): RunRecord => ({
  state: foldRun([created])!,
  owner,
  request: { input: 'What?' },
})

const ended = (state: RunState, calls: number): RunState => ({
  ...state,
  status: 'completed',
  usage: { ...emptyUsage(), calls, cost: 0.25 },
})

const addRun = async (
  store: RunStore,
  id: string,
  {
    at = '2030-01-01T00:00:00.000Z',
    strategy = 's',
    owner = '',
    calls = 1,
    options = { b: 1, a: 2 } as Readonly<Record<string, unknown>>,
  } = {},
): Promise<void> => {
  const created = { ...createdOf(id, at, strategy), options } as RunEvent
  const record = recordOf(created, owner)
  await store.create(record, created)
  await store.finish(ended(record.state, calls))
}

const idsOf = (states: readonly RunState[]): string[] => states.map(({ id }) => id)

const runContract = (opened: (t: TestContext) => Promise<DatabaseRunStore>): void => {
  test('a run comes back as it was made, with any text, and later as it ended', async (t) => {
    const store = await opened(t)
    const created = createdOf('run_a', '2030-01-01T00:00:00.000Z')
    const record = recordOf(created, 'owner')
    await store.create(record, created)
    assert.deepEqual(await store.read('run_a'), record)
    assert.deepEqual(await store.unfinished(), ['run_a'])
    assert.deepEqual(await store.events('run_a', 0, 10), [created])
    const state = ended(record.state, 3)
    await store.finish(state)
    assert.deepEqual((await store.read('run_a'))!.state, state)
    assert.deepEqual(await store.unfinished(), [])
    assert.equal(await store.read('run_b'), undefined)
  })

  test('what callers ask for may hold any character, and finds nothing', async (t) => {
    const store = await opened(t)
    await addRun(store, 'run_a')
    for (const odd of ['run_a\0', '\0', '\ud800', 'run_a\u2028']) {
      assert.equal(await store.read(odd), undefined)
      assert.deepEqual(await store.owners([odd]), new Map())
      assert.deepEqual(await store.feedbackById([odd]), [])
      const page = { owner: '', limit: 9, order: 'asc', after: odd } as const
      const { runs } = await store.list(page)
      assert.deepEqual(idsOf(runs), odd < 'run_a' ? ['run_a'] : [])
      assert.deepEqual(await store.scan({ after: '', limit: 9, strategy: odd }), [])
    }
  })

  test('a run whose events cannot be stored is not there', async (t) => {
    const store = await opened(t)
    const created = createdOf('run_a', '2030-01-01T00:00:00.000Z')
    const broken = { ...created, sequence: null } as unknown as RunEvent
    await assert.rejects(() => store.create(recordOf(created), broken))
    assert.equal(await store.read('run_a'), undefined)
    await store.create(recordOf(created), created)
  })

  test('events come in order, by page, however they were grouped', async (t) => {
    const store = await opened(t)
    const created = createdOf('run_a', '2030-01-01T00:00:00.000Z')
    await store.create(recordOf(created), created)
    const deltas = Array.from({ length: 100 }, (_, index): RunEvent => ({
      run_id: 'run_a',
      sequence: index + 2,
      at: created.at,
      type: 'candidate.delta',
      candidate: 0,
      text: `${index} \u0000`,
    }))
    const pieces = [deltas.slice(0, 50), deltas.slice(50, 99), deltas.slice(99)].map(pieceOf)
    await store.append(pieces)
    assert.deepEqual(await store.events('run_a', 1, 1000), deltas)
    assert.deepEqual(await store.events('run_a', 0, 1), [created])
    assert.deepEqual(await store.events('run_a', 101, 10), [])
    for (const limit of [1, 2, 64]) {
      for (let after = 1; after < 101; after++) {
        const expected = deltas.slice(after - 1, after - 1 + limit)
        assert.deepEqual(await store.events('run_a', after, limit), expected)
      }
    }
    await assert.rejects(() => store.append(pieces.slice(2)), 'a sequence comes once')
    await store.append(pieces.slice(2), true)
    assert.deepEqual(await store.events('run_a', 1, 1000), deltas, 'as it was before')
  })

  test('runs are listed and scanned by id in the order of its bytes, with what is asked of them', async (t) => {
    const store = await opened(t)
    for (const id of ['run_b', 'run_B', 'run_a', 'run_Z', 'run_0']) await addRun(store, id)
    await addRun(store, 'run_other', {
      owner: 'other',
      strategy: 't',
      at: '2031-01-01T00:00:00.000Z',
    })
    const page = { owner: '', limit: 3 } as const
    const { runs, hasMore } = await store.list({ ...page, order: 'asc' })
    assert.deepEqual([idsOf(runs), hasMore], [['run_0', 'run_B', 'run_Z'], true])
    const rest = await store.list({ ...page, order: 'desc', after: 'run_Z' })
    assert.deepEqual([idsOf(rest.runs), rest.hasMore], [['run_B', 'run_0'], false])
    const between = await store.list({ ...page, order: 'asc', after: 'run_0', before: 'run_a' })
    assert.deepEqual(idsOf(between.runs), ['run_B', 'run_Z'])
    const open = createdOf('run_open', '2030-01-01T00:00:00.000Z')
    await store.create(recordOf(open), open)
    const scan = async (more: object): Promise<string[]> =>
      idsOf((await store.scan({ after: '', limit: 9, ...more })).map(({ state }) => state))
    assert.equal((await scan({})).length, 6, 'runs under way are left out')
    assert.deepEqual(await scan({ after: 'run_a' }), ['run_b', 'run_other'])
    assert.deepEqual(await scan({ owner: 'other' }), ['run_other'])
    assert.deepEqual(await scan({ strategy: 't', model: 'm' }), ['run_other'])
    assert.deepEqual(await scan({ from: '2030-06-01T00:00:00.000Z' }), ['run_other'])
    assert.equal((await scan({ to: '2030-06-01T00:00:00.000Z' })).length, 5)
  })

  test('a key finds its run until it expires, and may then be used again', async (t) => {
    const store = await opened(t)
    const key = { route: 'POST /v1/runs', key: 'k', fingerprint: 'f', expires: 1000.5 }
    const [first, second] = ['run_a', 'run_b'].map((id) =>
      createdOf(id, '2030-01-01T00:00:00.000Z'),
    )
    await store.create(recordOf(first!), first!, key)
    assert.deepEqual(await store.keyed('', key, 1000), { runId: 'run_a', fingerprint: 'f' })
    assert.equal(await store.keyed('', key, 1001), undefined)
    assert.equal(await store.keyed('other', key, 1), undefined)
    await store.create(recordOf(second!), second!, { ...key, expires: Date.now() + 60_000 })
    assert.equal((await store.keyed('', key, 1))!.runId, 'run_b')
  })

  test('deliveries are due in their order until they are settled, or nobody wants them', async (t) => {
    const store = await opened(t)
    const created = createdOf('run_a', '2030-01-01T00:00:00.000Z')
    await store.create(recordOf(created), created)
    const delivery = (id: string, due: number, url = 'u') => ({
      id,
      run_id: 'run_a',
      owner: 'o',
      url,
      body: '{}',
      attempts: 0,
      due,
    })
    const sent = [delivery('d1', 30), delivery('d2', 10.5), delivery('d3', 99, 'w')]
    await store.finish(ended(foldRun([created])!, 1), sent)
    const { deliveries } = store
    const due = async (now: number): Promise<string[]> =>
      (await deliveries.due(now, 9)).map(({ id }) => id)
    assert.deepEqual(await due(50), ['d2', 'd1'])
    assert.equal(await deliveries.nextDue(50), 99)
    await deliveries.retryLater('d2', 1, 200)
    await deliveries.settle('d1')
    assert.deepEqual(await due(500), ['d3', 'd2'])
    await deliveries.disable('o', 'w')
    assert.deepEqual([await deliveries.isDisabled('o', 'w'), await due(500)], [true, ['d2']])
    await store.finish(ended(foldRun([created])!, 1), [delivery('d4', 1, 'w'), delivery('d5', 1)])
    assert.deepEqual(await due(100), ['d5'])
    await store.remove('run_a')
    assert.deepEqual([await due(500), await deliveries.nextDue(0)], [[], undefined])
  })

  test('feedback that cannot be kept takes nothing with it that came at the same time', async (t) => {
    const store = await opened(t)
    await addRun(store, 'run_a')
    const said = (id: string) => ({
      id,
      run_id: 'run_a',
      metric: 'm',
      value: 1,
      source: 'user',
      at: '1',
    })
    await store.addFeedback(said('2'))
    const kept = await Promise.allSettled(
      ['1', '2', '3', '4', '2'].map((id) => store.addFeedback(said(id))),
    )
    assert.deepEqual(
      kept.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'rejected'],
    )
    const ids = (await store.feedback('run_a')).map(({ id }) => id)
    assert.deepEqual(ids, ['1', '2', '3', '4'])
  })

  test('feedback is kept in its order and goes with its run', async (t) => {
    const store = await opened(t)
    await addRun(store, 'run_a')
    const said = (id: string, at: string) => ({
      id,
      run_id: 'run_a',
      metric: 'm',
      value: 'NUL \u0000',
      source: 'user',
      at,
    })
    await Promise.all([store.addFeedback(said('2', 'b')), store.addFeedback(said('1', 'a'))])
    assert.deepEqual(await store.feedback('run_a'), [said('1', 'a'), said('2', 'b')])
    assert.deepEqual(await store.feedbackById(['3', '1']), [said('1', 'a')])
    await store.remove('run_a')
    assert.deepEqual(await store.feedback('run_a'), [])
    assert.deepEqual(await store.events('run_a', 0, 9), [])
  })

  test('a run that is removed takes along that it met an arm, but not what was counted of it', async (t) => {
    const store = await opened(t)
    const { experiments } = store
    for (const id of ['run_1', 'run_2']) await addRun(store, id)
    const phase = { experiment: 'e', salt: '1' }
    const facts = ['run_1', 'run_2'].flatMap((id) => [
      exposure(phase, `u ${id}`, id),
      outcome(id, 'v', 4),
    ])
    await experiments.record(facts)
    const before = await experiments.tallies(phase)
    await store.remove('run_1')
    assert.deepEqual([...(await experiments.exposedRuns(['run_1', 'run_2'])).keys()], ['run_2'])
    assert.deepEqual(await experiments.unsettled(), ['run_2'])
    await experiments.record([outcome('run_1', 'v', 100)])
    assert.deepEqual(await experiments.tallies(phase), before)
  })

  test('a run that was compared takes along the run nobody saw, but not the verdict', async (t) => {
    const store = await opened(t)
    const { duels } = store.experiments
    for (const id of ['run_1', 'run_2', 'run_9']) await addRun(store, id)
    const phase = { experiment: 'e', salt: '1' }
    const plan = { ...phase, unit: 'u', served: 'a', other: 'b', at: exposedAt }
    await duels.open({ ...plan, runId: 'run_1' })
    await duels.attempt('run_1', 'run_2')
    await duels.close('run_1', {
      end: 'a',
      lengthDifference: 0,
      servedCost: 1,
      otherCost: 1,
      judgeCost: 1,
    })
    const before = await duels.tallies(phase)
    await store.remove('run_1')
    const left = await Promise.all(['run_1', 'run_2', 'run_9'].map((id) => store.read(id)))
    assert.deepEqual(
      left.map((record) => record?.state.id),
      [undefined, undefined, 'run_9'],
    )
    assert.deepEqual(await store.events('run_2', 0, 9), [])
    assert.deepEqual(await duels.tallies(phase), before)
  })

  test('what is too old goes a little at a time, and what is under way stays', async (t) => {
    const store = await opened(t)
    const at = '2030-01-01T00:00:00.000Z'
    for (const id of ['run_1', 'run_2', 'run_8']) await addRun(store, id)
    const open = createdOf('run_3', at)
    await store.create(recordOf(open), open)
    const said = (id: string, runId: string, time: string) =>
      store.addFeedback({ id, run_id: runId, metric: 'm', value: 1, source: 'user', at: time })
    await Promise.all([said('a', 'run_1', '2'), said('b', 'run_8', '1'), said('c', 'run_8', '3')])
    const expiry = { runsBefore: 'run_5', eventsBefore: 'run_9', feedbackBefore: '2' }
    const steps: number[] = []
    for (let step = -1; step !== 0;) steps.push((step = await store.expire(expiry, 1)))
    assert.ok(steps.length >= 4, `${steps.join(' ')} rows`)
    assert.equal(sum(steps), 3 + 2 + 1, 'events, runs, feedback')
    for (const id of ['run_1', 'run_2']) assert.equal(await store.read(id), undefined)
    assert.deepEqual(await store.feedback('run_1'), [])
    assert.deepEqual(
      (await store.feedback('run_8')).map(({ id }) => id),
      ['c'],
    )
    assert.notEqual(await store.read('run_8'), undefined)
    assert.deepEqual(await store.events('run_8', 0, 9), [])
    assert.deepEqual(await store.events('run_3', 0, 9), [open])
  })

  test('the mean usage is that of runs of one kind, whatever the order of their options', async (t) => {
    const store = await opened(t)
    const kind = { strategy: 's', model: 'm', options: { a: 2, b: 1 } }
    assert.equal(await store.meanUsage(kind), undefined)
    await addRun(store, 'run_a', { calls: 1 })
    await addRun(store, 'run_b', { calls: 4 })
    await addRun(store, 'run_c', { calls: 100, strategy: 't' })
    const { runs, calls, cost } = (await store.meanUsage(kind))!
    assert.deepEqual([runs, calls, cost], [2, 2.5, 0.25])
    const nested = { ...kind, options: { parts: [{ x: 1, y: 2 }] } }
    await addRun(store, 'run_d', { calls: 7, options: { parts: [{ y: 2, x: 1 }] } })
    assert.equal((await store.meanUsage(nested))?.calls, 7)
  })
}

interface Acknowledged {
  readonly exposed: number[]
  readonly reported: number[]
}

/** Lets a process of its own expose and report from a unit on, and kills it when it has said so many characters. */
const writeUntilKilled = async (
  place: string,
  from: number,
  characters: number,
): Promise<Acknowledged> => {
  const script = path.join(import.meta.dirname, '..', 'experiments', 'writing-process.js')
  const child = spawn(process.execPath, [script, place, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (data: Buffer) => {
    said += data.toString()
    if (said.length > characters) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const numbers = (kind: string): number[] =>
    [...said.matchAll(new RegExp(`^${kind}(\\d+)$`, 'gm'))].map(([, unit]) => Number(unit))
  return { exposed: numbers('e'), reported: numbers('f') }
}

const checkKept = async (place: string, { exposed, reported }: Acknowledged): Promise<void> => {
  const opened = await openLoad(place)
  const reports = exposed.map((unit) => ({
    runId: `run_${unit}`,
    metric: 'correct',
    value: true,
    source: 'load',
  }))
  for (const [index, outcomes] of (await opened.experiments.reported(reports)).entries()) {
    assert.equal((outcomes as readonly unknown[]).length, 1, `exposure ${exposed[index]}`)
  }
  for (const unit of reported) {
    const [feedback] = await opened.store.feedback(`run_${unit}`)
    assert.equal(feedback?.value, isGood(unit), `feedback ${unit}`)
  }
  const { results } = await opened.experiments.view('load')
  const counted = sum(results.arms.map(({ metrics }) => metrics['correct']!.count))
  assert.ok(counted >= reported.length, `${counted} counted, ${reported.length} acknowledged`)
  await opened.experiments.idle()
  await opened.store.close()
}

const crashContract = ({ create }: Place): void => {
  test('a process killed at any of many moments has lost nothing that it acknowledged', async (t) => {
    const place = await create()
    const random = createRandom(20261125)
    const all: Acknowledged = { exposed: [], reported: [] }
    for (let round = 0; round < 8; round++) {
      const { exposed, reported } = await writeUntilKilled(
        place,
        round * 1_000_000,
        random.integer(8000),
      )
      all.exposed.push(...exposed)
      all.reported.push(...reported)
    }
    await checkKept(place, all)
    t.diagnostic(`${all.exposed.length} exposures, ${all.reported.length} reports, 8 deaths`)
    assert.ok(all.reported.length > 100)
  })

  test('thousands of exposures and reports in a row are all counted', async () => {
    const opened = await openLoad(await create())
    const count = 3000
    const isOver = (unit: number): boolean => unit >= count
    await work(128, 0, isOver, async (unit) => {
      await expose(opened, unit)
      await report(opened, unit)
    })
    const { results } = await opened.experiments.view('load')
    const good = results.arms.map(({ metrics }) => metrics['correct']!)
    assert.equal(sum(results.arms.map(({ exposures }) => exposures)), count)
    assert.equal(sum(good.map((metric) => metric.count)), count)
    assert.equal(Math.round(sum(good.map(({ mean, count: n }) => mean! * n))), count / 3)
    assert.equal(results.decision.status, 'undecided', 'both arms are the same')
    await opened.experiments.idle()
    await opened.store.close()
  })
}

export const storeContract = (place: Place): void => {
  const opened = async (t: TestContext): Promise<DatabaseRunStore> => {
    const store = await place.open(await place.create())
    t.after(() => store.close())
    return store
  }
  runContract(opened)
  experimentContract(opened)
  crashContract(place)

  test('a second process is refused while the first works, and let in when it has closed', async () => {
    const at = await place.create()
    const first = await place.open(at)
    await addRun(first, 'run_a')
    await assert.rejects(async () => place.open(at), /another (?:process|server) uses it/)
    await first.close()
    const second = await place.open(at)
    assert.equal((await second.read('run_a'))!.state.status, 'completed')
    await second.close()
  })
}
