/** Several rules at once, those that end single candidates, and that every rule of the catalogue has its place. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TokenLogProbability } from '../../src/core/language-model.ts'
import { composed } from '../../src/strategies/composed.ts'
import { ConfidenceBar } from '../../src/strategies/parts/watch.ts'
import { BROKEN, FakeModel, type Ask, type FakeOptions } from '../support/fake-model.ts'
import { ofType, runStrategy, TASK, type Setting } from '../support/run-strategy.ts'

const compose = async (
  options: Record<string, unknown>,
  fake: FakeOptions = {},
  setting: Setting = {},
) => {
  const model = new FakeModel({ prompts: 'full', ...fake })
  const outcome = await runStrategy(composed, model, { options, prompts: 'full', ...setting })
  assert.equal(outcome.thrown, undefined)
  return { ...outcome, model, stop: outcome.selection?.stopReason }
}

const refusal = (options: Record<string, unknown>): { pointer: string; message: string } => {
  try {
    composed.needs!(options)
  } catch (thrown) {
    return (thrown as { fields: { pointer: string; message: string }[] }).fields[0]!
  }
  return assert.fail('it must be refused')
}

test('of any rules the first that is met ends the run, and says why', async () => {
  const stopper = { kind: 'any', of: [{ kind: 'threshold', score: 9 }, { kind: 'beta' }] }
  const options = { sampler: { kind: 'plain', n: 8, batch: 1 }, scorer: { kind: 'judge' }, stopper }
  const judged = (grade: string) => (ask: Ask) => (ask.system === 'judge' ? grade : '#### 1')
  const agreed = await compose(options, { reply: judged('5') })
  assert.deepEqual([agreed.stop, agreed.model.tallies.get('generator')?.calls], ['agreement', 4])
  const good = await compose(options, { reply: judged('9') })
  assert.deepEqual([good.stop, good.model.tallies.get('generator')?.calls], ['threshold', 1])
})

test('of all rules each must be met, also those that are asked at other times', async () => {
  const rules = [
    { kind: 'beta', confidence: 0.8 },
    { kind: 'stagnation', patience: 1 },
  ]
  const options = {
    sampler: { kind: 'plain', n: 4 },
    updater: { kind: 'rewrite', critique: 'none' },
    rounds: 3,
    stopper: { kind: 'all', of: rules },
  }
  const sure = await compose(options, { reply: () => '#### 1' })
  assert.deepEqual([sure.stop, sure.model.tallies.get('refiner')?.calls], ['no_improvement', 1])
  const unsure = await compose(options, { reply: ({ call }) => `#### ${call}` })
  assert.deepEqual([unsure.stop, unsure.model.tallies.get('refiner')?.calls], ['finished', 3])
})

test('a rule among several is refused by its own place', () => {
  const of = [{ kind: 'beta' }, { kind: 'threshold' }]
  assert.deepEqual(refusal({ stopper: { kind: 'any', of } }), {
    pointer: '/options/stopper/of/1/kind',
    message: '"threshold" needs a scorer',
  })
  assert.equal(
    refusal({ stopper: { kind: 'all', of: [{ kind: 'beta', confidence: 2 }] } }).pointer,
    '/options/stopper/of/0/confidence',
  )
  assert.match(refusal({ stopper: { kind: 'all', of: [] } }).pointer, /^\/options\/stopper\/of/)
  assert.match(refusal({ stopper: { kind: 'any' } }).pointer, /^\/options\/stopper\/of/)
  const nested = { kind: 'any', of: [{ kind: 'all', of: [{ kind: 'beta' }] }] }
  assert.match(refusal({ stopper: nested }).pointer, /^\/options\/stopper\/of\/0\/kind/)
})

test('rules that end single candidates do not count among all, and need plain samples', () => {
  const stopper = { kind: 'all', of: [{ kind: 'beta' }, { kind: 'low-confidence' }] }
  assert.match(refusal({ stopper }).message, /ends single candidates/)
  const options = { sampler: { kind: 'guidelines' }, stopper: { kind: 'probe-agreement' } }
  assert.match(refusal(options).message, /needs the sampler "plain"/)
})

const FORMED = {
  ...TASK,
  responseFormat: {
    type: 'json_schema',
    json_schema: { name: 'sum', schema: { type: 'object', required: ['sum'] } },
  },
} as const

test('a JSON schema is a scorer, and a rule that ends the work', async () => {
  const texts = ['no', '{"total": 2}', '{"sum": 2}', '{"sum": 3}']
  let written = 0
  const fake = { reply: () => texts[written++]! }
  const options = { sampler: { kind: 'plain', n: 4, batch: 1 }, stopper: { kind: 'form' } }
  const { stop, events, model } = await compose(options, fake, { task: FORMED })
  assert.deepEqual([stop, model.calls], ['threshold', 3])
  assert.equal(ofType(events, 'answer.revised').at(-1)?.text, '{"sum": 2}')
  written = 0
  const scored = await compose(
    {
      ...options,
      scorer: { kind: 'form' },
      selector: { kind: 'best' },
      stopper: { kind: 'threshold', score: 1 },
    },
    fake,
    { task: FORMED },
  )
  assert.deepEqual([scored.stop, scored.model.calls], ['threshold', 3])
})

const token = (peaked: number): TokenLogProbability => ({
  text: 'x',
  logProbability: -0.1,
  alternatives: [{ text: 'x', logProbability: -peaked }],
})

test('the bar is the percentile of the lowest windows, and a text below it is given up', () => {
  const bar = new ConfidenceBar(0.5, 0.5)
  bar.learn([[9, 9, 1, 9], [4, 4, 4, 4], [6, 6, 8, 8], [], [2, 2, 2, 2]])
  const looks = (values: readonly number[]): boolean => {
    const watch = bar.watch()
    for (const value of values) {
      const delta = { type: 'delta', sample: 0, text: 'x', tokens: [token(value)] } as const
      if (watch(delta) !== undefined) return true
    }
    return false
  }
  // Windows of two: lowest means 5, 4, 6 and 2; half of them are at 5 or above.
  assert.equal(looks([5, 5, 5]), false)
  assert.equal(looks([9, 1, 9]), false)
  assert.equal(looks([9, 0.5, 9]), true)
  assert.equal(looks([0]), false, 'a window that is not full says nothing')
})

test('a candidate whose words become unsure is given up, and has no vote', async () => {
  let written = 0
  const { events, model } = await compose(
    {
      sampler: { kind: 'plain', n: 4 },
      stopper: { kind: 'low-confidence', warmup: 2, keep: 1 },
    },
    {
      reply: () => `#### ${written++ < 3 ? 1 : 2}`,
      firstToken: ({ call }) => token(call === 4 ? 1 : 5),
    },
  )
  const [dropped] = ofType(events, 'candidate.dropped')
  assert.match(dropped!.reason, /unsure/)
  assert.equal(ofType(events, 'candidate.completed').length, 3)
  assert.ok(model.asks.every(({ request }) => request.topLogProbabilities === 20))
  assert.deepEqual(
    ofType(events, 'vote.updated')
      .at(-1)
      ?.answers.map(({ answer }) => answer),
    ['1'],
  )
})

test('samples differ also where the first or the last is drawn alone', async () => {
  const stopper = { kind: 'low-confidence', warmup: 1 }
  const { model } = await compose({ sampler: { kind: 'plain', n: 2 }, stopper })
  assert.deepEqual(
    model.asks.map(({ request }) => request.sampling.temperature),
    [0.8, 0.8],
  )
})

test('a model that tells no probabilities cannot be asked to watch them', () => {
  assert.deepEqual(composed.needs!({ stopper: { kind: 'low-confidence' } }).capabilities, [
    'log_probabilities',
  ])
  const { capabilities, loses } = composed.needs!({ stopper: { kind: 'probe-agreement' } })
  assert.deepEqual(
    [capabilities, loses],
    [['assistant_continuation'], ['tools', 'response_format']],
  )
})

const LONG = { ...TASK, sampling: { max_tokens: 200 } }
const isProbe = ({ request }: Ask): boolean => request.continueFrom?.endsWith(' is ') === true

test('a candidate whose forced answers agree is ended with that answer', async () => {
  const { events, model, selection } = await compose(
    { sampler: { kind: 'plain', n: 1 }, stopper: { kind: 'probe-agreement', chunk: 8, agree: 2 } },
    { reply: (ask) => (isProbe(ask) ? '7.\nBecause' : 'thinking and thinking '.repeat(20)) },
    { task: LONG },
  )
  assert.equal(model.asks.filter(isProbe).length, 2)
  const { text } = ofType(events, 'answer.revised').at(-1)!
  assert.match(text, /thinking \n\nThe final answer is 7\.$/)
  assert.equal(ofType(events, 'candidate.completed')[0]?.finish_reason, 'stop')
  assert.equal(selection?.candidate, 0)
})

test('answers that hesitate, differ or cannot be had do not agree', async () => {
  for (const said of [() => 'wait, 7', (call: number) => String(call), () => BROKEN]) {
    const { events, model } = await compose(
      {
        sampler: { kind: 'plain', n: 1 },
        stopper: { kind: 'probe-agreement', chunk: 4, agree: 2 },
      },
      { reply: (ask) => (isProbe(ask) ? said(ask.call) : 'word '.repeat(20)) },
    )
    assert.ok(model.asks.some(isProbe))
    assert.equal(ofType(events, 'answer.revised').at(-1)?.text, 'word '.repeat(20))
  }
})

/** Section 5 of the catalogue: how each rule is asked for. Hard caps are the run's budget, the user's word is steering. */
const CATALOGUE: Readonly<Record<string, Record<string, unknown>>> = {
  'critic all-clear': { stopper: { kind: 'all-clear' }, updater: { kind: 'rewrite' } },
  'consecutive verifier passes': { stopper: { kind: 'passes' }, updater: { kind: 'rewrite' } },
  'tests pass': { stopper: { kind: 'threshold', score: 1 }, scorer: { kind: 'execution' } },
  gate: {
    gate: { kind: 'magicore' },
    scorer: { kind: 'chain-reward' },
    updater: { kind: 'rewrite' },
  },
  'beta stop': { stopper: { kind: 'beta' } },
  'window unanimity': { stopper: { kind: 'window' } },
  'probe agreement': { stopper: { kind: 'probe-agreement' } },
  'low confidence abort': { stopper: { kind: 'low-confidence' } },
  'first m of k': { stopper: { kind: 'first-finished' } },
  'value gate': { stopper: { kind: 'threshold', score: 0.9 }, scorer: { kind: 'process-reward' } },
  'reservation value': { stopper: { kind: 'reservation' }, scorer: { kind: 'judge' } },
  'marginal gain': { stopper: { kind: 'marginal-gain' }, updater: { kind: 'aggregate' } },
  'Markov gain': { stopper: { kind: 'markov-gain' }, updater: { kind: 'rewrite' } },
  stagnation: { stopper: { kind: 'stagnation' }, updater: { kind: 'rewrite' } },
  oscillation: { stopper: { kind: 'oscillation' }, updater: { kind: 'rewrite' } },
  'near copy': { stopper: { kind: 'near-copy' }, updater: { kind: 'rewrite' } },
  'judge halt': { stopper: { kind: 'judge-halt' }, updater: { kind: 'aggregate' } },
}

test('every rule of the catalogue can be asked for', () => {
  for (const [rule, options] of Object.entries(CATALOGUE)) {
    assert.doesNotThrow(() => composed.needs!(options), rule)
  }
})
