import assert from 'node:assert/strict'
import test from 'node:test'
import { promptsFor } from '../../src/prompts/index.ts'
import { composed } from '../../src/strategies/composed.ts'
import { iterativeDeepening } from '../../src/strategies/iterative-deepening.ts'
import { BROKEN, FakeModel, type Ask, type FakeReply } from '../support/fake-model.ts'
import { ofType, runStrategy, TASK } from '../support/run-strategy.ts'

const REFLECTION = promptsFor('compact').reflection
const staged =
  (...stages: readonly FakeReply[]) =>
  ({ request }: Ask): FakeReply => {
    const stage = (request.continueFrom ?? '').split(REFLECTION).length - 1
    return stages[Math.min(stage, stages.length - 1)]!
  }
const ROOMY = { ...TASK, sampling: { max_tokens: 1000 } }

test('one candidate grows from stage to stage, with the reflection in between', async () => {
  const model = new FakeModel({ reply: staged('#### 1', '#### 2', '#### 2') })
  const options = { n: 1, allowance: 100 }
  const { events, selection } = await runStrategy(iterativeDeepening, model, {
    options,
    task: ROOMY,
  })
  assert.deepEqual(selection, { candidate: 0, stopReason: 'finished' })
  const whole = ['#### 1', '#### 2', '#### 2'].join(REFLECTION)
  assert.equal(ofType(events, 'answer.revised').at(-1)?.text, whole)
  assert.equal(model.asks[2]?.request.continueFrom, `#### 1${REFLECTION}#### 2${REFLECTION}`)
  assert.equal(model.calls, 3, 'two equal answers in a row end it')
  assert.deepEqual(
    ofType(events, 'gate.decided').map(({ values }) => [values['from'], values['to']]),
    [
      [100, 200],
      [200, 400],
    ],
  )
})

test('each stage may write what its allowance leaves, all together the limit, and then the answer is forced', async () => {
  const isForced = ({ request }: Ask): boolean => request.continueFrom?.endsWith('\n#### ') === true
  const model = new FakeModel({
    reply: (ask) => (isForced(ask) ? '7\nand so on' : 'word '.repeat(1000)),
  })
  const options = { n: 1, allowance: 100, triggers: 2, max_tokens: 500 }
  const { events } = await runStrategy(iterativeDeepening, model, { options, task: ROOMY })
  assert.deepEqual(
    model.asks.map(({ request }) => request.sampling.max_tokens),
    [100, 100, 300, 20],
  )
  const [completed] = ofType(events, 'candidate.completed')
  assert.deepEqual([completed?.finish_reason, completed?.usage.output_tokens], ['stop', 504])
  assert.match(ofType(events, 'answer.revised').at(-1)!.text, / word \n#### 7$/)
})

test('the first allowance leaves room for a reflection', async () => {
  const model = new FakeModel({ reply: () => 'word '.repeat(1000) })
  await runStrategy(iterativeDeepening, model, { options: { n: 1 } })
  assert.equal(model.asks[0]?.request.sampling.max_tokens, 32)
})

test('a stage that fails leaves what the earlier ones wrote', async () => {
  const model = new FakeModel({ reply: staged('#### 1', BROKEN) })
  const { events, selection } = await runStrategy(iterativeDeepening, model, { options: { n: 1 } })
  assert.equal(selection?.candidate, 0)
  assert.equal(ofType(events, 'answer.revised').at(-1)?.text, '#### 1')
  assert.ok(ofType(events, 'warning').some(({ code }) => code === BROKEN.code))
})

test('a response ends in good order when the budget allows no other stage', async () => {
  const model = new FakeModel({ reply: staged('#### 1', '#### 2') })
  const { selection, thrown } = await runStrategy(iterativeDeepening, model, {
    options: { n: 2 },
    budget: { calls: 2 },
  })
  assert.equal(thrown, undefined)
  assert.deepEqual([selection?.candidate, model.calls], [0, 2])
})

test('the responses vote, or are scored', async () => {
  let response = 0
  const reply = ({ system, user, request }: Ask): FakeReply =>
    system === 'judge'
      ? user.includes('#### 5')
        ? '9'
        : '1'
      : request.continueFrom === undefined
        ? `#### ${[5, 6, 6][response++ % 3]}`
        : 'ok'
  const voted = await runStrategy(iterativeDeepening, new FakeModel({ reply }), {
    options: { n: 3 },
  })
  assert.match(ofType(voted.events, 'answer.revised').at(-1)!.text, /^#### 6/)
  response = 0
  const scored = await runStrategy(iterativeDeepening, new FakeModel({ reply }), {
    options: { n: 3, selector: 'score' },
  })
  assert.match(ofType(scored.events, 'answer.revised').at(-1)!.text, /^#### 5/)
})

test('log-probabilities that the task wishes to see are told of what grows or is written anew, too', async () => {
  const task = { ...TASK, topLogProbabilities: 1 }
  const power = { sampler: { kind: 'power', n: 1, steps: 2 } }
  for (const [strategy, options] of [
    [iterativeDeepening, { n: 1, triggers: 1 }],
    [composed, power],
  ] as const) {
    const setting = { task, options, prompts: 'full' } as const
    const { events } = await runStrategy(strategy, new FakeModel({ prompts: 'full' }), setting)
    const told = ofType(events, 'candidate.delta').filter(({ logprobs }) => logprobs !== undefined)
    assert.ok(told.length >= 2, `${strategy.name}: ${told.length}`)
    assert.equal(told[0]!.logprobs![0]!.top_logprobs.length, 1)
  }
})
