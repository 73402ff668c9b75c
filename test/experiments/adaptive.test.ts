import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { hashToUnit } from '../../src/core/random.ts'
import type { AssignedArm } from '../../src/experiments/encounter.ts'
import { Experiments } from '../../src/experiments/experiments.ts'
import { IN_MEMORY, openSqliteStore } from '../../src/storage/sqlite.ts'
import { count } from './load.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }
const CALLER = { conversation: 'x', question: 'x', mayForce: false }

const open = async (t: TestContext, definition: object): Promise<Experiments> => {
  const store = openSqliteStore(IN_MEMORY)
  const experiments = await Experiments.open({
    store: store.experiments,
    log: silent,
  })
  t.after(async () => {
    await experiments.idle()
    await store.close()
  })
  await experiments.definitions.create({
    key: 'e',
    status: 'running',
    arms: ['a', 'b'].map((name) => ({ name, weight: 0.5, strategy: 'single' })),
    metrics: [{ name: 'correct', type: 'boolean', direction: 'up', primary: true }],
    ...definition,
  })
  return experiments
}

const RATES: Readonly<Record<string, number>> = { a: 0.3, b: 0.7 }

/** One unit's run with its outcome; deterministic. */
const live = async (
  experiments: Experiments,
  unit: number,
  rates = RATES,
): Promise<AssignedArm> => {
  const assigned = await experiments.assign({ key: 'e', unit: `u${unit}` }, CALLER)
  const id = `run_${unit}`
  await experiments.exposed({ runId: id, assigned, metadata: {} })
  const value = hashToUnit(`outcome ${unit}`) < rates[assigned.arm.name]!
  await count(experiments, { runId: id, metric: 'correct', value, source: 'test' })
  return assigned
}

for (const type of ['thompson', 'top_two', 'track_and_stop'] as const) {
  test(`${type} sends units by what is known, says with what probability, and keeps who came before`, async (t) => {
    const experiments = await open(t, { allocation: { type, floor: 0.05, minimum_units: 30 } })
    const first = await live(experiments, 0)
    for (let unit = 1; unit < 300; unit++) await live(experiments, unit)
    await experiments.view('e')
    const later = await Promise.all(
      Array.from({ length: 100 }, (_, unit) =>
        experiments.assign({ key: 'e', unit: `new${unit}` }, CALLER),
      ),
    )
    const shares = new Map(later.map(({ assignment }) => [assignment.arm, assignment.propensity]))
    assert.ok(Math.abs([...shares.values()].reduce((sum, share) => sum + share, 0) - 1) < 1e-9)
    // Track-and-stop tells arms apart, for which it needs both; the others favour what is better.
    if (type === 'thompson') assert.ok(shares.get('b')! > 0.9, String(shares.get('b')))
    assert.ok(shares.get('a') === undefined || shares.get('a')! >= 0.05)
    const again = await experiments.assign({ key: 'e', unit: 'u0' }, CALLER)
    assert.deepEqual(again.assignment, first.assignment)
    const { results } = await experiments.view('e')
    assert.equal(results.srm.p, null, 'there is no split to hold the counts to')
    const [a, b] = results.arms.map(({ metrics }) => metrics['correct']!.mean!)
    assert.ok(Math.abs(a! - 0.3) < 0.12 && Math.abs(b! - 0.7) < 0.12, `${a} ${b}`)
  })
}

test('two arms that are the same stay undecided at every look, and the course of the looks is kept', async (t) => {
  const experiments = await open(t, { stop: { minimum_units: 20, tuned_for: 400 } })
  for (let unit = 0; unit < 800; unit++) {
    await live(experiments, unit, { a: 0.5, b: 0.5 })
    if (unit % 20 === 0) {
      const { results } = await experiments.view('e')
      assert.equal(results.decision.status, 'undecided')
    }
  }
  const { course, results } = await experiments.view('e')
  assert.ok(course.length > 20)
  assert.equal(results.srm.mismatched, false)
})
