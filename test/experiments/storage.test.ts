import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import fc from 'fast-check'
import type { ExperimentFact, Series } from '../../src/core/experiment-store.ts'
import { collect, type Sums } from '../../src/core/sums.ts'
import { IN_MEMORY, openSqliteStore } from '../../src/storage/sqlite.ts'
import { temporaryFolder } from '../runs/support.ts'
import { isGood, openLoad, work, expose, report } from './load.ts'

const PHASE = { experiment: 'e', salt: '1' }
const SERIES: Series[] = [
  { metric: 'v', numerator: 'v', denominator: null, covariate: 'x', isWeighted: false },
  { metric: 'r', numerator: 'r', denominator: 'v', covariate: null, isWeighted: false },
]

const exposure = (unit: string, runId: string, reason = 'assigned'): ExperimentFact => ({
  type: 'exposure',
  ...PHASE,
  unit,
  arm: 'a',
  reason,
  bucket: 0,
  propensity: 0.5,
  runId,
  at: '2030-01-01T00:00:00.000Z',
})

const outcome = (runId: string, name: string, value: number): ExperimentFact => ({
  type: 'outcome',
  runId,
  name,
  value,
  bucket: null,
  series: SERIES.filter(({ numerator, denominator, covariate }) =>
    [numerator, denominator, covariate].includes(name),
  ),
})

const open = (t: TestContext) => {
  const store = openSqliteStore(IN_MEMORY)
  t.after(() => store.close())
  return store.experiments
}

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

test('sums kept as values come, late, again and corrected, are those of the final values', async (t) => {
  await fc.assert(
    fc.asyncProperty(REPORTS, async (reports) => {
      const store = openSqliteStore(IN_MEMORY)
      const { experiments } = store
      // Six runs of three units.
      for (let run = 0; run < 6; run++) {
        await experiments.record([exposure(`u${run % 3}`, `run_${run}`)])
      }
      const last = new Map<string, number>()
      for (const [run, name, value] of reports) {
        await experiments.record([outcome(`run_${run}`, name, value)])
        last.set(`${run % 3} ${name} ${run}`, value)
      }
      const of = (unit: number, name: string): number[] =>
        [...last].filter(([id]) => id.startsWith(`${unit} ${name} `)).map(([, value]) => value)
      const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
      const units = [0, 1, 2]
      const plain = units
        .filter((unit) => of(unit, 'v').length > 0)
        .map((unit) => {
          const before = of(unit, 'x')
          return {
            total: sum(of(unit, 'v')),
            base: of(unit, 'v').length,
            covariate: before.length === 0 ? 0 : sum(before) / before.length,
          }
        })
      const ratios = units
        .filter((unit) => of(unit, 'r').length > 0 && of(unit, 'v').length > 0)
        .map((unit) => ({ total: sum(of(unit, 'r')), base: sum(of(unit, 'v')) }))
      const [arm] = await experiments.tallies(PHASE)
      assert.equal(arm!.exposures, 3)
      if (plain.length > 0) nearly(arm!.metrics['v']!.sums, collect(plain))
      if (ratios.length > 0) nearly(arm!.metrics['r']!.sums, collect(ratios))
      await store.close()
    }),
    { numRuns: 60, seed: 7 },
  )
  t.diagnostic('60 histories')
})

test('a unit is exposed once, and one that was forced first is in no comparison', async (t) => {
  const experiments = open(t)
  await experiments.record([
    exposure('u', 'run_1'),
    exposure('u', 'run_2'),
    exposure('w', 'run_3', 'forced'),
    exposure('w', 'run_4'),
    outcome('run_2', 'v', 4),
    outcome('run_4', 'v', 100),
    outcome('run_unknown', 'v', 100),
  ])
  const [arm] = await experiments.tallies(PHASE)
  assert.equal(arm!.exposures, 1)
  assert.deepEqual([arm!.metrics['v']!.runs, arm!.metrics['v']!.sums.total], [1, 4])
  assert.equal((await experiments.exposure(PHASE, 'u'))!.runId, 'run_1')
  assert.deepEqual(await experiments.unsettled(), ['run_1', 'run_2', 'run_3', 'run_4'])
})

test('facts of one group are applied together or not at all', async (t) => {
  const experiments = open(t)
  const broken = { ...outcome('run_1', 'v', 1), value: null } as unknown as ExperimentFact
  await assert.rejects(() => experiments.record([exposure('u', 'run_1'), broken]))
  assert.deepEqual(await experiments.tallies(PHASE), [])
  await experiments.record([exposure('u', 'run_1'), outcome('run_1', 'v', 1)])
  assert.equal((await experiments.tallies(PHASE))[0]!.exposures, 1)
})

test('a process killed at any moment has lost nothing that it acknowledged', async () => {
  const folder = temporaryFolder()
  const script = path.join(import.meta.dirname, 'writing-process.js')
  const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (data: Buffer) => {
    said += data.toString()
    if (said.length > 20_000) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const acknowledged = (kind: string): number[] =>
    [...said.matchAll(new RegExp(`^${kind}(\\d+)$`, 'gm'))].map(([, unit]) => Number(unit))
  const opened = await openLoad(folder)
  for (const unit of acknowledged('e')) {
    assert.ok(await opened.experiments.reported(`run_${unit}`, 'correct', true), `exposure ${unit}`)
  }
  const reported = acknowledged('f')
  for (const unit of reported) {
    const [feedback] = await opened.store.feedback(`run_${unit}`)
    assert.equal(feedback?.value, isGood(unit), `feedback ${unit}`)
  }
  const { results } = await opened.experiments.view('load')
  const counted = results.arms.reduce((sum, arm) => sum + arm.metrics['correct']!.count, 0)
  assert.ok(reported.length > 100 && counted >= reported.length, `${counted} of ${reported.length}`)
  await opened.experiments.idle()
  await opened.store.close()
})

test('thousands of exposures and reports in a row are all counted', async () => {
  const opened = await openLoad(temporaryFolder())
  const count = 3000
  await work(
    128,
    0,
    (unit) => unit >= count,
    async (unit) => {
      await expose(opened, unit)
      await report(opened, unit)
    },
  )
  const { results } = await opened.experiments.view('load')
  const good = results.arms.map(({ metrics }) => metrics['correct']!)
  assert.equal(
    results.arms.reduce((sum, { exposures }) => sum + exposures, 0),
    count,
  )
  assert.equal(
    good.reduce((sum, metric) => sum + metric.count, 0),
    count,
  )
  assert.equal(Math.round(good.reduce((sum, { mean, count: n }) => sum + mean! * n, 0)), count / 3)
  assert.equal(results.decision.status, 'undecided', 'both arms are the same')
  await opened.experiments.idle()
  await opened.store.close()
})
