/** How long each method takes when calls take fixed times: as long as its longest chain of calls that need each other. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { CapabilityRecord } from '../../src/core/language-model.ts'
import { STRATEGIES } from '../../src/strategies/index.ts'
import { defaultReply, type Ask, type FakeReply } from '../support/fake-model.ts'
import { runStrategy } from '../support/run-strategy.ts'
import { TimedModel, VirtualTime } from '../support/virtual-time.ts'

/** Seconds: a draft 10 and one more for each sample of its call, what else is written 20, remarks 3, verdicts 1. */
const duration = (system: string, sample: number): number => {
  if (system === 'solve') return 10 + sample
  if (['refine', 'aggregate'].includes(system)) return 20
  return ['review', 'critique', 'report'].includes(system) ? 3 : 1
}

const [DRAFT, WRITE, REMARK, VERDICT] = [10, 20, 3, 1]

interface Case {
  readonly strategy: string
  readonly options?: Record<string, unknown>
  readonly reply?: (ask: Ask) => FakeReply
  readonly capabilities?: Partial<CapabilityRecord>
  /** Seconds of the longest chain. */
  readonly path: number
}

const disagree = (ask: Ask): FakeReply =>
  ask.system === 'solve' ? `- a: 1 + 1 = 2\n#### ${ask.sample}` : defaultReply(ask)
/** A critic whose first reply can be read. */
const readable = (ask: Ask): FakeReply => {
  const steps = Number(/exactly (\d+) numbers/.exec(ask.user)?.[1])
  if (ask.system !== 'verify') return disagree(ask)
  return JSON.stringify({ steps: Array.from({ length: steps }, () => 0.4) })
}
const agree = (ask: Ask): FakeReply => (ask.system === 'solve' ? '#### 2' : defaultReply(ask))
/** Scores that rise with every version, so that nothing stops for want of improvement. */
const rising = (): ((ask: Ask) => FakeReply) => {
  const seen: string[] = []
  return (ask) => {
    if (ask.system !== 'judge') return ask.system === 'refine' ? `#### ${ask.call}` : disagree(ask)
    const draft = /<answer>([\s\S]*?)<\/answer>/.exec(ask.user)?.[1] ?? ''
    if (!seen.includes(draft)) seen.push(draft)
    return String(Math.min(9, seen.indexOf(draft) + 1))
  }
}
const clean = (ask: Ask): FakeReply =>
  ask.system === 'report' ? 'Verdict: complete and correct' : defaultReply(ask)

const HARD = { effective_answers: 1, mean: 2 }

const CASES: readonly Case[] = [
  { strategy: 'single', path: DRAFT },
  { strategy: 'self-refine', options: { rounds: 1 }, path: DRAFT + REMARK + WRITE + VERDICT },
  {
    strategy: 'self-refine',
    options: { rounds: 3 },
    reply: rising(),
    path: DRAFT + 3 * (REMARK + WRITE + VERDICT),
  },
  { strategy: 'self-correct', options: { n: 3 }, path: DRAFT + 2 + WRITE + VERDICT },
  { strategy: 'progressive', options: { rounds: 1 }, path: DRAFT + WRITE + VERDICT },
  { strategy: 'best-of-n', options: { n: 4 }, path: DRAFT + 3 + VERDICT },
  {
    strategy: 'best-of-n',
    options: { n: 8, scorer: 'knockout', comparisons: 3 },
    path: DRAFT + 7 + 3 * VERDICT,
  },
  { strategy: 'best-of-n', options: { n: 4, scorer: 'league' }, path: DRAFT + 3 + VERDICT },
  { strategy: 'best-of-n', options: { n: 4, scorer: 'likelihood' }, path: DRAFT + 3 },
  { strategy: 'selective', options: { n: 2 }, path: DRAFT + 1 + VERDICT },
  { strategy: 'self-consistency', options: { n: 8, batch: 8, stop: 'none' }, path: DRAFT + 7 },
  {
    strategy: 'self-consistency', // four equal votes are sure enough: the other four are dropped
    options: { n: 8, batch: 8 },
    reply: agree,
    path: DRAFT + 3,
  },
  { strategy: 'universal-self-consistency', options: { n: 4 }, path: DRAFT + 3 + VERDICT },
  {
    strategy: 'self-check',
    options: { n: 4, certainty: 10, critics: 3 },
    reply: disagree,
    path: DRAFT + 3 + REMARK,
  },
  { strategy: 'ensemble', options: { n: 4, models: ['one', 'two'] }, path: DRAFT },
  {
    strategy: 'solver-reviewer-refiner',
    options: { n: 4, rounds: 1, ...HARD },
    reply: disagree,
    path: DRAFT + 3 + VERDICT + REMARK + WRITE + VERDICT,
  },
  {
    strategy: 'solver-reviewer-refiner', // a judge for the outcome and a critic for the steps, side by side
    options: { n: 4, rounds: 1, ...HARD },
    reply: readable,
    capabilities: { step_scores: 'none' },
    path: DRAFT + 3 + VERDICT + REMARK + WRITE + VERDICT,
  },
  {
    strategy: 'verify-refine',
    options: { improve: false },
    reply: clean,
    path: DRAFT + 3 * REMARK,
  },
  { strategy: 'glore', options: { step_threshold: 0.9 }, path: DRAFT + VERDICT + WRITE + VERDICT },
  {
    strategy: 'iterative-deepening',
    options: { n: 4, triggers: 1, allowance: 8, max_tokens: 64 },
    path: 2 * DRAFT,
  },
  {
    strategy: 'rsa',
    options: { n: 4, rounds: 2 },
    reply: (ask) => (ask.system === 'aggregate' ? `#### ${ask.call}` : disagree(ask)),
    path: DRAFT + 3 + 2 * WRITE,
  },
  { strategy: 'parallel-synthesis', options: { widths: [4, 2] }, path: DRAFT + 3 + 2 * WRITE },
  {
    strategy: 'parallel-synthesis', // notes on each round, taken before the next one
    options: { widths: [4, 2], workspace: 100 },
    path: DRAFT + 3 + VERDICT + WRITE + VERDICT + WRITE,
  },
  {
    strategy: 'mixture',
    options: { proposers: ['one', 'two'], n: 4, layers: 2 },
    path: DRAFT + 2 * WRITE,
  },
  {
    strategy: 'compose',
    options: {
      scorer: { kind: 'judge' },
      updater: { kind: 'rewrite', targets: 'all' },
      selector: { kind: 'knockout' },
      rounds: 1,
    },
    path: DRAFT + 3 + VERDICT + REMARK + WRITE + VERDICT + 3 * VERDICT,
  },
  {
    strategy: 'compose',
    options: {
      sampler: { kind: 'guidelines', n: 6 },
      scorer: { kind: 'chain-reward' },
      selector: { kind: 'weighted-vote' },
    },
    path: DRAFT + VERDICT,
  },
  {
    strategy: 'compose', // three finished candidates are enough, graded while the fourth is written
    options: {
      scorer: { kind: 'rubric' },
      selector: { kind: 'best' },
      stopper: {
        kind: 'any',
        of: [
          { kind: 'threshold', score: 9 },
          { kind: 'first-finished', m: 3 },
        ],
      },
    },
    path: DRAFT + 2,
  },
  {
    strategy: 'compose', // the first two set the bar, the other two are written side by side
    options: {
      sampler: { kind: 'plain', n: 4 },
      scorer: { kind: 'token-confidence' },
      selector: { kind: 'weighted-vote' },
      stopper: { kind: 'low-confidence', warmup: 2 },
    },
    path: DRAFT + 1 + DRAFT,
  },
  {
    strategy: 'compose',
    options: { sampler: { kind: 'paraphrase', n: 4 }, selector: { kind: 'universal' } },
    path: VERDICT + DRAFT + VERDICT,
  },
]

for (const { strategy: name, options = {}, reply = disagree, capabilities = {}, path } of CASES) {
  test(`${name} ${JSON.stringify(options)} takes the time of its critical path`, async () => {
    const strategy = STRATEGIES.find((each) => each.name === name)!
    const time = new VirtualTime()
    const model = new TimedModel(time, duration, { prompts: 'full', reply, capabilities })
    const run = runStrategy(strategy, model, { options, prompts: 'full' })
    const taken = await time.measure(run)
    assert.equal((await run).thrown, undefined)
    assert.ok(Math.abs(taken - path) <= 0.05 * path, `${taken} s, not ${path} s`)
  })
}

test('every strategy is timed', () => {
  const timed = new Set(CASES.map(({ strategy }) => strategy))
  assert.deepEqual(
    STRATEGIES.map(({ name }) => name).filter((name) => !timed.has(name)),
    [],
  )
})
