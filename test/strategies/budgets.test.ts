/** Every strategy under the real ledger: whatever the budget, it is never exceeded, and the run ends once, with its best answer. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { Budget } from '../../src/core/budget.ts'
import { isTerminal, type RunEvent } from '../../src/core/event.ts'
import type { Runner } from '../../src/runs/runner.ts'
import { STRATEGIES } from '../../src/strategies/index.ts'
import { runnerFor } from '../evaluation/support.ts'
import { FakeModel, type FakeOptions } from '../support/fake-model.ts'

/** Where the defaults would leave out what a strategy is made of. */
const OPTIONS: Readonly<Record<string, Record<string, unknown>>> = {
  'solver-reviewer-refiner': { n: 4, effective_answers: 1, mean: 2 },
  'parallel-synthesis': { widths: [3, 2], workspace: 64 },
  'iterative-deepening': { n: 3, allowance: 8, max_tokens: 64, selector: 'score' },
  'best-of-n': { n: 4, scorer: 'knockout' },
  'self-check': { n: 4, certainty: 10 },
  rsa: { n: 4, k: 2, rounds: 2 },
  compose: {
    scorer: { kind: 'rubric' },
    updater: { kind: 'rewrite', targets: 'all' },
    selector: { kind: 'league' },
    stopper: { kind: 'any', of: [{ kind: 'judge-halt' }, { kind: 'stagnation' }] },
  },
}

const runnerOf = (t: TestContext, fake: FakeOptions = {}): Runner =>
  runnerFor(t, new FakeModel({ prompts: 'full', ...fake }).forRole('generator'), 64)

const { signal } = new AbortController()

const play = async (runner: Runner, strategy: string, budget: Budget) => {
  const options = OPTIONS[strategy] ?? {}
  const id = await runner.create(
    { input: 'What is 1 + 1?', strategy, options, budget, seed: 3 },
    '',
  )
  const state = await runner.ended(id, '', signal)
  const events: RunEvent[] = []
  for await (const event of runner.events(id, '', 0, signal)) events.push(event)
  return { state, events }
}

type Played = Awaited<ReturnType<typeof play>>

const assertEndsWell = ({ state, events }: Played, budget: Budget): void => {
  assert.equal(events.filter(isTerminal).length, 1)
  assert.ok(isTerminal(events.at(-1)!))
  const { calls, input_tokens: input, output_tokens: output, cost } = state.usage
  assert.ok(calls <= (budget.calls ?? Infinity), `${calls} calls of ${budget.calls}`)
  assert.ok(input + output <= (budget.tokens ?? Infinity), `${input + output} of ${budget.tokens}`)
  assert.ok(cost <= (budget.cost ?? Infinity) * (1 + 1e-12), `${cost} of ${budget.cost}`)
  if (state.answer === null) assert.equal(state.error?.code, 'budget_too_small')
  else assert.equal(state.status, 'completed')
  const shown = events.filter((event) => event.type === 'answer.revised').at(-1)
  if (shown?.type === 'answer.revised') assert.equal(state.answer?.text, shown.text)
}

const POINTS = 10

for (const { name } of STRATEGIES) {
  test(`${name} keeps to calls, tokens and money at every point of a run`, async (t) => {
    const runner = runnerOf(t)
    const whole = await play(runner, name, {})
    assertEndsWell(whole, {})
    const { calls, input_tokens: input, output_tokens: output, cost } = whole.state.usage
    const shares = Array.from({ length: POINTS }, (_, at) => (at + 1) / POINTS)
    const budgets: Budget[] = [
      ...Array.from({ length: Math.min(calls, 24) }, (_, at) => ({ calls: at + 1 })),
      ...shares.map((share) => ({ tokens: Math.max(1, Math.floor(share * (input + output))) })),
      ...shares.map((share) => ({ cost: share * cost })),
    ]
    for (const budget of budgets) assertEndsWell(await play(runner, name, budget), budget)
  })
}

test('behaviours are told of each completed text that shows them', async (t) => {
  const reply = (): string => 'Wait, let me check.\n#### 2'
  const runner = runnerOf(t, { reply })
  const { state, events } = await play(runner, 'single', {})
  const marked = events.find((event) => event.type === 'behaviours.observed')
  assert.ok(marked?.type === 'behaviours.observed')
  assert.deepEqual(
    marked.marks.map(({ behaviour, at }) => [behaviour, at]),
    [
      ['backtracking', 0],
      ['verification', 6],
    ],
  )
  assert.deepEqual(state.measures?.behaviours, { verification: 1, backtracking: 1 })
  assert.equal(state.measures?.majority?.equal_spend_samples, 1)
})
