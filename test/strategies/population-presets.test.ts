import assert from 'node:assert/strict'
import test from 'node:test'
import { ensemble } from '../../src/strategies/ensemble.ts'
import { mixture } from '../../src/strategies/mixture.ts'
import { parallelSynthesis } from '../../src/strategies/parallel-synthesis.ts'
import { consensusOf, rougeL, wordOverlap } from '../../src/strategies/parts/similarity.ts'
import { rsa } from '../../src/strategies/rsa.ts'
import { selective } from '../../src/strategies/selective.ts'
import { selfCheck } from '../../src/strategies/self-check.ts'
import { bestOfN } from '../../src/strategies/best-of-n.ts'
import { universalSelfConsistency } from '../../src/strategies/universal-self-consistency.ts'
import { NOT_STEERED } from '../../src/core/steering.ts'
import { BROKEN, FakeModel, type Ask } from '../support/fake-model.ts'
import { ofType, runStrategy, TASK } from '../support/run-strategy.ts'

const SIZE = { promptTokens: 9, maxTokens: 64 }
const callsOf = (bound: readonly { readonly calls: number }[]): number =>
  bound.reduce((sum, { calls }) => sum + calls, 0)

test('rsa makes N (T + 1) generations, each of K distinct members of the last population', async () => {
  let made = 100
  const model = new FakeModel({
    prompts: 'full',
    reply: ({ system, sample }) => `#### ${system === 'aggregate' ? made++ : sample}`,
  })
  const options = { n: 4, k: 3, rounds: 2 }
  const { events } = await runStrategy(rsa, model, { options, prompts: 'full' })
  assert.equal(model.calls, 4 * 3)
  assert.equal(callsOf(rsa.worstCase(SIZE, options)), 12)
  for (const { parents, round, role } of ofType(events, 'candidate.created').slice(4)) {
    assert.deepEqual([role, new Set(parents).size], ['aggregate', 3])
    assert.ok(parents.every((parent) => Math.floor(parent / 4) === round - 1))
  }
})

test('a unanimous population ends rsa, and the last population alone votes', async () => {
  const model = new FakeModel({
    prompts: 'full',
    reply: ({ system, sample }) => `#### ${system === 'aggregate' ? 7 : sample}`,
  })
  const { selection, events } = await runStrategy(rsa, model, {
    options: { n: 4, k: 2 },
    prompts: 'full',
  })
  assert.deepEqual([selection?.stopReason, model.calls], ['agreement', 8])
  assert.deepEqual(ofType(events, 'vote.updated').at(-1)?.answers[0]?.candidates, [4, 5, 6, 7])
})

test('rsa with k = 1 rewrites, which the compact prompts can ask for', async () => {
  assert.deepEqual(rsa.needs!({ k: 1 }), {})
  const { events } = await runStrategy(rsa, new FakeModel(), { options: { n: 3, k: 1, rounds: 1 } })
  assert.ok(
    ofType(events, 'candidate.created')
      .slice(3)
      .every(({ role, parents }) => role === 'revision' && parents.length === 1),
  )
})

test('a synthesis goes on from the beginning that its prompt gives, where the model can', async () => {
  for (const assistant_continuation of ['native', 'none'] as const) {
    const model = new FakeModel({ capabilities: { assistant_continuation } })
    const { events } = await runStrategy(parallelSynthesis, model)
    const [first] = model.asks.filter(({ system }) => system === 'aggregate')
    const begun = assistant_continuation === 'native' ? '- a: 1 + 1 = 2\n' : undefined
    assert.equal(first?.request.continueFrom, begun)
    const { candidate } = ofType(events, 'candidate.created').find(
      ({ role }) => role === 'aggregate',
    )!
    const told = ofType(events, 'candidate.delta').filter((delta) => delta.candidate === candidate)
    assert.ok(
      told
        .map(({ text }) => text)
        .join('')
        .startsWith(begun ?? '- e: 3'),
    )
  }
})

test('parallel-synthesis takes the sum of its widths and one more, without any thinking', async () => {
  const model = new FakeModel({
    prompts: 'full',
    reply: ({ system, sample }) =>
      system === 'solve' ? `<think>secret ${sample}</think>\nplain ${sample}` : 'a synthesis',
  })
  const options = { widths: [3, 2] }
  const { selection, events } = await runStrategy(parallelSynthesis, model, {
    options,
    prompts: 'full',
  })
  assert.equal(model.calls, 6)
  assert.equal(callsOf(parallelSynthesis.worstCase(SIZE, options)), 6)
  assert.deepEqual(
    ofType(events, 'candidate.created').map(({ parents }) => parents.length),
    [0, 0, 0, 3, 3, 2],
  )
  assert.equal(selection?.candidate, 5)
  const seen = model.asks.filter(({ system }) => system === 'aggregate')
  assert.ok(seen.every(({ user }) => !user.includes('secret')) && seen[0]!.user.includes('plain 2'))
})

test('with a workspace a round sees notes of the one before, and nothing else of it', async () => {
  const model = new FakeModel({
    prompts: 'full',
    reply: ({ system, sample }) =>
      system === 'distil' ? 'NOTES' : system === 'solve' ? `draft ${sample}` : 'a synthesis',
  })
  const options = { widths: [3, 2], workspace: 100 }
  const { events } = await runStrategy(parallelSynthesis, model, { options, prompts: 'full' })
  assert.equal(model.calls, 8)
  assert.equal(callsOf(parallelSynthesis.worstCase(SIZE, options)), 8)
  assert.deepEqual(
    ofType(events, 'workspace.completed').map(({ candidates, text }) => [candidates, text]),
    [
      [[0, 1, 2], 'NOTES'],
      [[3, 4], 'NOTES'],
    ],
  )
  const distilled = model.asks.filter(({ system }) => system === 'distil')
  assert.ok(distilled.every(({ request }) => request.sampling.max_tokens === 100))
  const written = model.asks.filter(({ system }) => system === 'aggregate')
  assert.equal(written.length, 3)
  assert.ok(written.every(({ user }) => user.includes('NOTES') && !user.includes('draft')))
})

test('where no notes come about a round sees the answers themselves', async () => {
  const model = new FakeModel({
    prompts: 'full',
    reply: ({ system, sample }) =>
      system === 'distil' ? BROKEN : system === 'solve' ? `draft ${sample}` : 'a synthesis',
  })
  const options = { widths: [2], workspace: 100 }
  const { events } = await runStrategy(parallelSynthesis, model, { options, prompts: 'full' })
  assert.ok(ofType(events, 'warning').some(({ code }) => code === BROKEN.code))
  assert.match(model.asks.at(-1)!.user, /draft 0[\s\S]*draft 1/)
})

test('a thinking without an end is no notes: a round sees the answers themselves', async () => {
  const model = new FakeModel({
    prompts: 'full',
    reply: ({ system, sample }) =>
      system === 'distil' ? '<think>hm' : system === 'solve' ? `draft ${sample}` : 'a synthesis',
  })
  const options = { widths: [2], workspace: 100 }
  const { events } = await runStrategy(parallelSynthesis, model, { options, prompts: 'full' })
  assert.deepEqual(ofType(events, 'workspace.completed'), [])
  assert.ok(ofType(events, 'warning').some(({ code }) => code === 'unfinished_thinking'))
  assert.match(model.asks.at(-1)!.user, /draft 0[\s\S]*draft 1/)
})

test('mixture lets the models it names propose in turn, and an aggregator write the answer', async () => {
  const model = new FakeModel({ prompts: 'full' })
  const options = { proposers: ['one', 'two'], n: 3, layers: 2 }
  const { selection, events } = await runStrategy(mixture, model, { options, prompts: 'full' })
  assert.deepEqual(
    ofType(events, 'candidate.created').map((event) => [event.model, event.role]),
    [
      ['one', 'draft'],
      ['two', 'draft'],
      ['one', 'draft'],
      ['one', 'aggregate'],
      ['two', 'aggregate'],
      ['one', 'aggregate'],
      ['fake', 'aggregate'],
    ],
  )
  assert.equal(selection?.candidate, 6)
  const bound = mixture.worstCase(SIZE, options)
  assert.equal(callsOf(bound), 7)
  assert.deepEqual(
    bound.map((entry) => [entry.model, entry.calls]),
    [
      ['one', 2],
      ['two', 1],
      ['one', 2],
      ['two', 1],
      [undefined, 1],
    ],
  )
  assert.deepEqual(mixture.needs!(options).models?.[1], {
    id: 'two',
    pointer: '/options/proposers/1',
  })
})

test('an empty text never replaces an answer, and is replaced by any other', async () => {
  const silent = new FakeModel({
    prompts: 'full',
    reply: ({ system }) => (system === 'aggregate' ? ' ' : '#### 1'),
  })
  const kept = await runStrategy(mixture, silent, { prompts: 'full' })
  assert.equal(kept.selection!.candidate, 0)
  const late = new FakeModel({
    prompts: 'full',
    reply: ({ sample }) => (sample === 0 ? '' : 'So it is'),
  })
  const { selection, events } = await runStrategy(universalSelfConsistency, late, {
    prompts: 'full',
  })
  assert.equal(ofType(events, 'answer.revised')[1]?.reason, 'is not empty')
  assert.notEqual(selection!.candidate, 0)
})

test('a candidate that was dropped on the way does not become the answer', async () => {
  const steering = { ...NOT_STEERED, isDropped: (candidate: number) => candidate === 1 }
  const reply = ({ system, user, sample }: Ask): string =>
    system === 'judge'
      ? /#### (\d)/.exec(user)![1] === '1'
        ? '9'
        : user.includes('#### 2')
          ? '6'
          : '3'
      : `#### ${sample}`
  const { selection } = await runStrategy(bestOfN, new FakeModel({ reply }), { steering })
  assert.equal(selection!.candidate, 2, 'nor keeps the next best from it')
})

test('the best draft without the form asked for does not keep the best one with it from the answer', async () => {
  const texts = ['{"a": 3}', 'prose 9', '{"a": 7}', '{"a": 1}']
  const reply = ({ system, user, sample }: Ask): string =>
    system === 'judge' ? /(?:"a": |prose )(\d)/.exec(user)![1]! : texts[sample]!
  const task = { ...TASK, responseFormat: { type: 'json_object' } } as const
  const setting = { task, options: { n: 4 }, prompts: 'full' } as const
  const { selection } = await runStrategy(
    bestOfN,
    new FakeModel({ reply, prompts: 'full' }),
    setting,
  )
  assert.equal(selection!.candidate, 2)
})

test('the candidate most like the others wins the ensemble, for no further call', async () => {
  const texts = ['the cat sat', 'a dog ran off', 'the cat sat down', 'so the cat sat down']
  const model = new FakeModel({ reply: ({ sample }) => texts[sample]! })
  const { selection } = await runStrategy(ensemble, model, { options: { n: 4 } })
  assert.deepEqual([selection?.candidate, model.calls], [2, 4])
})

test('similarities are F measures of common words and of the longest common subsequence', () => {
  assert.equal(wordOverlap('a b c', 'c b a'), 1)
  assert.equal(rougeL('a b c', 'c b a'), 1 / 3)
  assert.ok(Math.abs(rougeL('police killed the gunman', 'police kill the gunman') - 0.75) < 1e-12)
  assert.equal(wordOverlap('a a', 'a'), 2 / 3)
  assert.equal(wordOverlap('', ''), 1)
  assert.deepEqual(consensusOf(['a', 'a', 'b'], 'word-overlap'), [0.5, 0.5, 0])
  assert.deepEqual(consensusOf(['a'], 'rouge-l'), [1])
})

test('selective declines below the threshold, and still gives the answer', async () => {
  for (const [grade, stopReason, outcome] of [
    ['5', 'finished', 'accepted'],
    ['4', 'declined', 'declined'],
    ['?', 'declined', 'declined'],
  ] as const) {
    const { selection, events } = await runStrategy(
      selective,
      new FakeModel({ reply: ({ system }) => (system === 'judge' ? grade : '- a\n#### 1') }),
    )
    assert.deepEqual(selection, { candidate: 0, stopReason })
    assert.equal(ofType(events, 'gate.decided')[0]?.outcome, outcome)
    assert.equal(ofType(events, 'answer.revised').length, 1)
  }
})

test('self-check asks no critic when the vote is certain', async () => {
  const model = new FakeModel({ reply: ({ sample }) => `#### ${sample === 3 ? 1 : 2}` })
  const certain = await runStrategy(selfCheck, model, { options: { n: 4 } })
  assert.deepEqual([certain.selection?.stopReason, model.calls], ['agreement', 4])
  assert.ok(
    Math.abs(ofType(certain.events, 'gate.decided')[0]!.values['certainty']! - Math.log(3)) < 1e-12,
  )
})

test('self-check takes the vote from what the critic finds wrong; what it cannot say counts as right', async () => {
  const model = new FakeModel({
    reply: ({ system, sample, user }) =>
      system === 'solve'
        ? `- s\n#### ${[1, 1, 2, 3][sample]}`
        : user.includes('#### 1')
          ? 'Step 1 is wrong: no.'
          : user.includes('#### 2')
            ? 'Hm.'
            : 'All steps are right.',
  })
  const { selection, events } = await runStrategy(selfCheck, model, { options: { n: 4 } })
  assert.deepEqual(
    ofType(events, 'vote.updated')
      .at(-1)!
      .answers.map(({ answer }) => answer),
    ['2', '3'],
  )
  assert.equal(selection?.candidate, 2)
})
