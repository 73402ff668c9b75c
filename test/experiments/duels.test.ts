import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { DuelTally } from '../../src/core/experiment-store.ts'
import { opponentOf } from '../../src/experiments/duel-book.ts'
import { decideByDuels } from '../../src/experiments/duel-decision.ts'
import { readDuels } from '../../src/experiments/duel-results.ts'
import { defineExperiment } from '../../src/experiments/experiment-rules.ts'
import type { ExperimentResults } from '../../src/experiments/results-schema.ts'
import { resultsOf } from '../../src/experiments/results.ts'
import { close } from './close.ts'
import { definition } from './definition.ts'
import { serve, workplace, type Call } from './server.ts'

const CONFIG = `
models:
  - { id: good, adapter: scripted, accuracy: 1, tokens_per_answer: 8, tokens_per_second: 1000, first_token_ms: 0, price: { input: 100, output: 100 } }
  - { id: poor, adapter: scripted, accuracy: 0, tokens_per_answer: 8, tokens_per_second: 1000, first_token_ms: 0, price: { input: 100, output: 100 } }
  - { id: judge, adapter: scripted, judge_reliability: 1, tokens_per_second: 1000, first_token_ms: 0, price: { input: 100, output: 100 } }
  - { id: broken, adapter: openai-compatible, base_url: "http://127.0.0.1:1/v1" }
defaults: { model: poor, strategy: single }
`

const DUEL = {
  key: 'duel',
  status: 'running',
  mode: 'duel',
  duel: { judge: 'judge' },
  arms: [
    { name: 'control', weight: 0.5, strategy: 'single', model: 'poor' },
    { name: 'treatment', weight: 0.5, strategy: 'single', model: 'good' },
  ],
  metrics: [{ name: 'auto.failed', type: 'boolean', direction: 'down' }],
  stop: { minimum_units: 5, tuned_for: 100 },
}

const open = (t: TestContext, folder = workplace(CONFIG)) => serve(t, folder)

const ask = async (call: Call, count: number, from = 0): Promise<Record<string, unknown>[]> => {
  const runs: Record<string, unknown>[] = []
  for (let index = from; index < from + count; index++) {
    const { status, body } = await call('POST', '/v1/runs', {
      input: `What is the sum of case ${index}?`,
      experiment: { key: 'duel', unit: `user-${index}` },
    })
    assert.equal(status, 200, JSON.stringify(body))
    runs.push(body)
  }
  return runs
}

const resultsAt = async (call: Call): Promise<ExperimentResults> =>
  (await call('GET', '/v1/experiments/duel/results')).body as unknown as ExperimentResults

/** The results, once so many duels have come to an end: a reply does not wait for what follows from its run. */
const foughtOut = async (
  { call, duels }: Pick<Awaited<ReturnType<typeof open>>, 'call' | 'duels'>,
  count: number,
): Promise<ExperimentResults> => {
  for (;;) {
    await duels.idle()
    const results = await resultsAt(call)
    const ended = results.duels!.pairs.reduce(
      (sum, { prompts, failed, skipped }) => sum + prompts + failed + skipped,
      0,
    )
    if (ended >= count) return results
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test('the better arm wins its duels, whoever was shown, and ships by them', async (t) => {
  const { call, duels, runs } = await open(t)
  assert.equal((await call('POST', '/v1/experiments', DUEL)).status, 201)
  const shown = await ask(call, 20)
  const results = await foughtOut({ call, duels }, 20)
  const [pair] = results.duels!.pairs
  assert.deepEqual([pair!.arm, pair!.against, pair!.prompts], ['treatment', 'control', 20])
  assert.equal(pair!.wins + pair!.losses + pair!.ties + pair!.first + pair!.second, 20)
  assert.ok(pair!.wins >= 18, `${pair!.wins} wins`)
  assert.deepEqual([results.decision.action, results.decision.arm], ['ship', 'treatment'])
  const { wins } = results.decision.evidence!.duels![0]!
  assert.ok(wins >= 5 && wins <= pair!.wins, 'the evidence is that of the look that decided')
  assert.ok(pair!.cost.judge > 0 && pair!.cost.arm > 0 && pair!.cost.against > 0)
  const served = new Set(shown.map((run) => (run['assignment'] as { arm: string }).arm))
  assert.equal(served.size, 2, 'both arms are shown to somebody')
  const page = await runs.list({ owner: '', limit: 100, order: 'asc' })
  assert.deepEqual(
    page.runs.map(({ id }) => id),
    shown.map(({ id }) => id),
  )
  const report = (await call('GET', '/v1/experiments/duel/report')).body as { text: string }
  assert.match(report.text, /treatment against control/)
})

test('an export of everybody’s runs leaves out the answers that were made for duels alone', async (t) => {
  const { call, duels, exports } = await open(t)
  assert.equal((await call('POST', '/v1/experiments', { ...DUEL, mode: 'shadow' })).status, 201)
  const shown = await ask(call, 20)
  await foughtOut({ call, duels }, 20)
  const exported: string[] = []
  for await (const { run_id: id } of exports.open({ format: 'trees' }, undefined)) exported.push(id)
  assert.deepEqual(
    exported,
    shown.map(({ id }) => id),
  )
  const { text } = (await call('GET', '/v1/exports?format=trees')).body as { text: string }
  const lines = text.trim().split('\n')
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { run_id: string }).run_id),
    exported,
  )
})

test('in a shadow everybody gets the control, and nobody sees the other arm', async (t) => {
  const { call, duels, experiments } = await open(t)
  assert.equal((await call('POST', '/v1/experiments', { ...DUEL, mode: 'shadow' })).status, 201)
  const shown = await ask(call, 12)
  const results = await foughtOut({ call, duels }, 12)
  for (const { assignment, model } of shown) {
    assert.equal((assignment as { arm: string }).arm, 'control')
    assert.equal(model, 'poor')
  }
  assert.equal(results.arms[0]!.exposures, 12)
  assert.deepEqual([results.arms[1]!.exposures, results.srm.p], [0, null])
  assert.equal(results.duels!.pairs[0]!.prompts, 12)
  const metrics = (await call('GET', '/metrics')).body as { text: string }
  assert.match(metrics.text, /whetstone_runs_total\{[^}]*\} 12\n/)
  assert.deepEqual(await experiments.duels.challenges(), [])
})

test('duels stay within their money, and what is left out is told', async (t) => {
  const { call, duels } = await open(t)
  const cost = 0.05
  await call('POST', '/v1/experiments', { ...DUEL, duel: { judge: 'judge', cost } })
  await ask(call, 1)
  const [first] = (await foughtOut({ call, duels }, 1)).duels!.pairs
  const each = first!.cost.judge + Math.max(first!.cost.arm, first!.cost.against)
  assert.ok(each < cost / 2 && each > cost / 30, `a duel takes ${each}`)
  // More than there is money for, at once.
  const rest = Math.ceil(cost / each) + 8
  await ask(call, rest, 1)
  const { pairs, spent } = (await foughtOut({ call, duels }, 1 + rest - 8)).duels!
  assert.ok(spent <= cost, `${spent} spent`)
  assert.ok(pairs[0]!.prompts > 0 && pairs[0]!.prompts < 1 + rest, `${pairs[0]!.prompts} prompts`)
  assert.ok(pairs[0]!.skipped > 0)
})

test('no more duels are fought than may be', async (t) => {
  const { call, duels } = await open(t)
  await call('POST', '/v1/experiments', {
    ...DUEL,
    duel: { judge: 'judge', maximum_duels: 3, concurrency: 1 },
  })
  await ask(call, 8)
  const [pair] = (await foughtOut({ call, duels }, 4)).duels!.pairs
  assert.equal(pair!.prompts, 3)
})

test('a duel that the process did not finish is fought by the next one', async (t) => {
  const folder = workplace(CONFIG)
  const first = await open(t, folder)
  await first.call('POST', '/v1/experiments', DUEL)
  const idle = first.duels.close() // as if the process ended before any duel began
  await idle
  await ask(first.call, 5)
  await first.close()
  const second = await open(t, folder)
  const [pair] = (await foughtOut(second, 5)).duels!.pairs
  assert.equal(pair!.prompts, 5)
})

test('a judge that cannot be reached leaves the duel open, and after three attempts it has failed', async (t) => {
  const { call, duels, experiments } = await open(t)
  await call('POST', '/v1/experiments', { ...DUEL, duel: { judge: 'broken' } })
  await ask(call, 1)
  for (const attempts of [1, 2, 3]) {
    let challenge = (await experiments.duels.challenges())[0]
    while (challenge?.duel.attempts !== attempts || challenge.duel.spent === 0) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      await duels.idle()
      challenge = (await experiments.duels.challenges())[0]
    }
    duels.wake()
  }
  const [pair] = (await foughtOut({ call, duels }, 1)).duels!.pairs
  assert.deepEqual([pair!.prompts, pair!.failed], [0, 1])
})

test('definitions of duels say what they need, by field', async (t) => {
  const { call } = await open(t)
  const refuse = async (changes: object, expected: RegExp): Promise<void> => {
    const { status, body } = await call('POST', '/v1/experiments', { ...DUEL, ...changes })
    assert.equal(status, 400)
    assert.match(JSON.stringify(body), expected)
  }
  await refuse({ mode: 'split' }, /"\/duel","message":"needs the mode/)
  await refuse({ duel: undefined }, /"\/duel","message":"is required/)
  await refuse({ duel: { judge: 'nobody' } }, /\/duel\/judge/)
  await refuse({ mode: 'shadow', allocation: { type: 'thompson' } }, /\/allocation\/type/)
  const margin = [{ name: 'auto.cost', type: 'number', direction: 'down', margin: 1 }]
  await refuse({ mode: 'shadow', metrics: margin }, /\/guardrails.*nobody sees/)
  assert.equal((await call('POST', '/v1/experiments', DUEL)).status, 201)
  const changed = await call(
    'PATCH',
    '/v1/experiments/duel',
    { duel: { judge: 'good' } },
    { 'if-match': '"1"' },
  )
  assert.equal(changed.status, 400)
  assert.match(JSON.stringify(changed.body), /must change with metrics, allocation, mode and judge/)
})

const three = (changes: object = {}) =>
  defineExperiment(
    definition({
      status: 'running',
      mode: 'duel',
      duel: { judge: 'j', share: 0.5 },
      arms: ['a', 'b', 'c'].map((name) => ({ name, weight: 1 / 3, strategy: 'single' })),
      stop: { minimum_units: 50, tuned_for: 100 },
      ...changes,
    }),
  )

test('opponents are chosen by chance that stays, equally, and for the share that is asked', () => {
  const experiment = three()
  const counts = new Map<string, number>()
  for (let run = 0; run < 10_000; run++) {
    const name = opponentOf(experiment, `run_${run}`, 'a')?.name ?? 'none'
    assert.equal(opponentOf(experiment, `run_${run}`, 'a')?.name ?? 'none', name)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  assert.deepEqual([...counts.keys()].toSorted(), ['b', 'c', 'none'])
  for (const [name, share] of [
    ['b', 0.25],
    ['c', 0.25],
    ['none', 0.5],
  ] as const) {
    assert.ok(Math.abs(counts.get(name)! / 10_000 - share) < 0.02, `${name} ${counts.get(name)}`)
  }
})

const tally = (served: string, other: string, end: DuelTally['end'], duels: number): DuelTally => ({
  served,
  other,
  end,
  duels,
  servedCost: duels,
  otherCost: 2 * duels,
  judgeCost: 3 * duels,
})

/** The oracle of Bradley–Terry: 1 beats 2 60:40, 1 beats 3 75:25, 2 beats 3 65:35. */
const TALLIES = [
  tally('a', 'b', 'b', 60),
  tally('b', 'a', 'a', 40),
  tally('c', 'a', 'b', 75),
  tally('a', 'c', 'a', 25),
  tally('b', 'c', 'b', 65),
  tally('c', 'b', 'a', 35),
]

test('three arms are put on one scale, whoever of a pair was shown', () => {
  const { pairs, strengths, spent } = readDuels(three(), { tallies: TALLIES, compared: [] })!
  close(
    strengths!.map(({ strength }) => strength),
    [0.501_288_08, 0.326_824_8, 0.171_887_12],
  )
  const [first] = pairs
  assert.deepEqual([first!.arm, first!.against, first!.wins, first!.losses], ['b', 'a', 40, 60])
  close(first!.p_anytime!, 1)
  assert.deepEqual(first!.cost, { arm: 1.6, against: 1.4, judge: 3 })
  assert.equal(spent, 5 * 300)
})

test('the position a judge leans to is told apart from ties', () => {
  const tallies = (['a', 'b', 'first', 'second', 'tie'] as const).map((end, index) =>
    tally('a', 'b', end, [48, 30, 14, 4, 4][index]!),
  )
  const [pair] = readDuels(three(), { tallies, compared: [] })!.pairs
  close(pair!.win_rate!, 0.59)
  close(pair!.p!, 0.053_544_392_5)
  close(pair!.flip_rate!, 0.18)
  close(pair!.position_lean!, 0.1)
})

test('the length-controlled rate is read of the comparisons that are left as a sample', () => {
  const compared = Array.from({ length: 400 }, (_, index) => {
    const isLonger = index % 2 === 0
    const end = isLonger === index % 8 < 6 ? ('a' as const) : ('b' as const)
    return { served: 'a', other: 'b', end, lengthDifference: isLonger ? 120 : -120 }
  })
  const [pair, other] = readDuels(three(), { tallies: TALLIES, compared })!.pairs
  close(pair!.length_controlled!.win_rate, 0.5, 1e-6)
  assert.ok(pair!.length_controlled!.length_effect > 0)
  assert.equal(other!.length_controlled, null)
})

const decisionOn = (tallies: readonly DuelTally[], changes: object = {}) => {
  const context = { at: '2030-01-01T00:00:00.000Z', duels: { tallies, compared: [] } }
  return resultsOf(three(changes), [], context).decision
}

test('a decision needs enough prompts of every arm against the control', () => {
  const few = decisionOn([tally('b', 'a', 'a', 200)])
  assert.deepEqual(
    [few.action, few.reason],
    ['continue', 'Every arm needs 50 prompts against the control first.'],
  )
  const open = decisionOn([tally('b', 'a', 'tie', 50), tally('c', 'a', 'tie', 50)])
  assert.equal(open.action, 'continue')
  const won = decisionOn([
    tally('b', 'a', 'a', 90),
    tally('b', 'a', 'b', 10),
    tally('c', 'a', 'a', 99),
    tally('c', 'a', 'b', 1),
  ])
  assert.deepEqual([won.action, won.arm], ['ship', 'c'])
  const lost = decisionOn([tally('b', 'a', 'b', 90), tally('c', 'a', 'b', 90)])
  assert.deepEqual([lost.action, lost.arm], ['keep', 'a'])
  const over = decisionOn([tally('b', 'a', 'tie', 9)], {
    stop: { minimum_units: 50, ends_at: '2029-01-01T00:00:00Z' },
  })
  assert.equal(over.action, 'keep')
})

test('an arm that won its duels first and lost them since is shown neither way', () => {
  const look = (wins: number, losses: number) => [
    tally('b', 'a', 'a', wins),
    tally('b', 'a', 'b', losses),
    tally('c', 'a', 'b', 90),
  ]
  const experiment = three({ stop: { minimum_units: 200 } })
  const context = { at: '2030-01-01T00:00:00.000Z' }
  const first = resultsOf(experiment, [], {
    ...context,
    duels: { tallies: look(90, 10), compared: [] },
  })
  const later = resultsOf(three(), [], {
    ...context,
    previous: first,
    duels: { tallies: look(90, 95), compared: [] },
  })
  const pair = later.duels!.pairs[0]!
  assert.deepEqual([pair.pointed, pair.win_rate! < 0.5], ['better', true])
  assert.equal(pair.p_anytime, first.duels!.pairs[0]!.p_anytime)
  assert.equal(later.decision.action, 'continue')
})

test('a duel decision that was taken stays', () => {
  const taken = decisionOn([tally('b', 'a', 'a', 90), tally('c', 'a', 'a', 70)])
  assert.equal(taken.action, 'ship')
  const later = resultsOf(three(), [], { at: '2030-01-02T00:00:00.000Z' })
  assert.deepEqual(decideByDuels(three(), later, taken), taken)
})
