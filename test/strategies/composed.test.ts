import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { composed } from '../../src/strategies/composed.ts'
import { FakeModel, type Ask } from '../support/fake-model.ts'
import { ofType, runStrategy } from '../support/run-strategy.ts'

const refusal = (options: Record<string, unknown>): string[] => {
  try {
    composed.needs!(options)
  } catch (thrown) {
    if (thrown instanceof RefineError) {
      return thrown.fields.map(({ pointer, message }) => `${pointer} ${message}`)
    }
  }
  return assert.fail('it must be refused')
}

test('an option of a part is refused by its place', () => {
  assert.match(refusal({ sampler: { kind: 'plain', n: 0 } })[0]!, /^\/options\/sampler\/n must be/)
  assert.deepEqual(refusal({ sampler: { kind: 'plain', k: 2 } }), [
    '/options/sampler/k is not a known field',
  ])
  assert.match(
    refusal({ updater: { kind: 'rewrit' } })[0]!,
    /^\/options\/updater\/kind must be one/,
  )
  assert.match(refusal({ gate: {} })[0]!, /^\/options\/gate/)
})

test('parts that do not fit each other are refused by name', () => {
  for (const [options, pattern] of [
    [{ selector: { kind: 'best' } }, /^\/options\/selector\/kind "best" needs a scorer/],
    [{ stopper: { kind: 'threshold' } }, /^\/options\/stopper\/kind "threshold" needs a scorer/],
    [{ gate: { kind: 'magicore' } }, /^\/options\/gate\/kind .*chain-reward/],
    [{ sampler: { kind: 'models' } }, /^\/options\/sampler\/models must name/],
  ] as const) {
    assert.match(refusal(options)[0]!, pattern)
  }
})

test('a cost of a draw is asked only of scorers that know their bounds', () => {
  const stopper = { kind: 'reservation' }
  assert.match(refusal({ scorer: { kind: 'likelihood' }, stopper })[0]!, /stopper\/kind .* bounds/)
})

test('the worst case is the sum of its parts', () => {
  const bound = composed.worstCase(
    { promptTokens: 9, maxTokens: 64 },
    {
      sampler: { kind: 'plain', n: 4 },
      scorer: { kind: 'process-reward' },
      updater: { kind: 'rewrite', targets: 'all' },
      selector: { kind: 'knockout', comparisons: 2 },
      rounds: 2,
    },
  )
  assert.deepEqual(
    bound.map(({ role, calls }) => [role, calls]),
    [
      ['generator', 4],
      ['process_reward', 24],
      ['refiner', 8],
      ['reviewer', 8],
      ['judge', 11 * 2 * 2],
    ],
  )
})

test('a selector still has its models after the sampling was cut off', async () => {
  const model = new FakeModel({
    prompts: 'full',
    reply: ({ system, sample }) => (system === 'select' ? '2' : `#### ${sample}`),
  })
  const { selection, events } = await runStrategy(composed, model, {
    options: {
      selector: { kind: 'universal' },
      stopper: { kind: 'first-finished', m: 2 },
    },
    prompts: 'full',
  })
  assert.deepEqual(selection, { candidate: 1, stopReason: 'agreement' })
  assert.equal(ofType(events, 'candidate.dropped').length, 2)
})

test('a gate keeps an easy vote from being refined', async () => {
  const model = new FakeModel({ reply: () => '#### 1' })
  const { selection, events } = await runStrategy(composed, model, {
    options: { gate: { kind: 'agreement' }, updater: { kind: 'rewrite' } },
  })
  assert.deepEqual([selection?.stopReason, model.calls], ['agreement', 4])
  assert.equal(ofType(events, 'gate.decided')[0]?.outcome, 'easy')
})

const stopsBy = async (
  stopper: Record<string, unknown>,
  rest: Record<string, unknown>,
  reply: (ask: Ask) => string,
) => {
  const model = new FakeModel({ prompts: 'full', reply })
  const options = { stopper, ...rest }
  const { selection, events } = await runStrategy(composed, model, { options, prompts: 'full' })
  return { stop: selection?.stopReason, events, model }
}

test('a window of equal answers ends the sampling', async () => {
  const sampler = { kind: 'plain', n: 8, batch: 2 }
  const { stop, model } = await stopsBy({ kind: 'window', length: 4 }, { sampler }, () => '#### 1')
  assert.deepEqual([stop, model.calls], ['agreement', 4])
})

test('sampling ends when one more draw costs more than it is expected to gain', async () => {
  const rest = {
    sampler: { kind: 'plain', n: 12, batch: 3 },
    scorer: { kind: 'judge' },
    selector: { kind: 'best' },
  }
  const reply = ({ system }: Ask): string => (system === 'judge' ? '7' : '#### 1')
  const { stop, model } = await stopsBy({ kind: 'reservation' }, rest, reply)
  assert.deepEqual([stop, model.tallies.get('generator')?.calls], ['threshold', 3])
})

const REWRITING = { sampler: { kind: 'plain', n: 1 }, updater: { kind: 'rewrite' }, rounds: 4 }

test('a reviewer who finds nothing wrong ends the run', async () => {
  const reply = ({ system, call }: Ask): string =>
    system === 'review'
      ? call > 3
        ? 'Verdict: all steps are right'
        : 'Verdict: step 1 is wrong'
      : `#### ${call}`
  const { stop, model } = await stopsBy({ kind: 'all-clear' }, REWRITING, reply)
  assert.deepEqual([stop, model.tallies.get('reviewer')?.calls], ['threshold', 2])
})

test('an answer that passes the verifier often enough is accepted', async () => {
  const reply = ({ system }: Ask): string =>
    system === 'report' ? 'Verdict: complete and correct' : '#### 1'
  const { stop, model } = await stopsBy({ kind: 'passes', passes: 3 }, REWRITING, reply)
  assert.deepEqual([stop, model.tallies.get('reviewer')?.calls], ['threshold', 3])
})

test('a judge who has seen enough ends the run, after the rounds that it must wait', async () => {
  const reply = ({ system, call }: Ask): string => (system === 'halt' ? 'STOP.' : `#### ${call}`)
  const { stop, events } = await stopsBy({ kind: 'judge-halt' }, REWRITING, reply)
  assert.equal(stop, 'agreement')
  assert.equal(ofType(events, 'candidate.created').filter(({ round }) => round > 0).length, 1)
})

test('a round that cannot be expected to gain is not begun', async () => {
  const rest = { ...REWRITING, sampler: { kind: 'plain', n: 4 } }
  const agreed = await stopsBy({ kind: 'markov-gain' }, rest, () => '#### 1')
  assert.deepEqual([agreed.stop, agreed.model.calls], ['no_improvement', 4])
  const split = await stopsBy({ kind: 'markov-gain' }, rest, ({ call }) => `#### ${call}`)
  assert.ok(split.model.calls > 4)
})

test('a rewrite that goes back to an earlier version ends the run', async () => {
  const texts = ['one two three\n#### 1', 'four five six\n#### 2']
  let written = 0
  const reply = ({ system }: Ask): string =>
    system === 'review' ? 'Verdict: step 1 is wrong' : texts[written++ % 2]!
  const rest = { ...REWRITING, updater: { kind: 'rewrite', targets: 'all' } }
  const { stop, events } = await stopsBy({ kind: 'oscillation' }, rest, reply)
  assert.equal(stop, 'no_improvement')
  assert.equal(ofType(events, 'candidate.created').length, 3)
})

test('a round that adds too little to the lead is the last one', async () => {
  const rest = { ...REWRITING, sampler: { kind: 'plain', n: 2 } }
  const { stop, events } = await stopsBy(
    { kind: 'marginal-gain' },
    rest,
    ({ call }) => `#### ${call}`,
  )
  assert.equal(stop, 'no_improvement')
  assert.equal(ofType(events, 'candidate.created').length, 3)
})

test('a local repair keeps what stands before the first bad step', async () => {
  const draft = '- a: 1 + 1 = 2\n- b: 2 + 2 = 5\n#### 5'
  const reply = ({ request }: Ask): string =>
    request.continueFrom === undefined ? draft : '- b: 2 + 2 = 4\n#### 4'
  const rest = {
    sampler: { kind: 'plain', n: 1 },
    scorer: { kind: 'execution' },
    updater: { kind: 'repair', scope: 'local' },
    selector: { kind: 'best' },
    rounds: 1,
  }
  const { events } = await stopsBy({ kind: 'none' }, rest, reply)
  const last = ofType(events, 'answer.revised').at(-1)!
  assert.deepEqual([last.text, last.score], ['- a: 1 + 1 = 2\n- b: 2 + 2 = 4\n#### 4', 1])
})

test('step scores of a chain reward are shown to the reviewer, and tell where to repair', async () => {
  const reply = ({ system, sample }: Ask): string =>
    system === 'solve' ? `a: 1 + 1 = 2\nb: 2 + 2 = 5\n#### ${sample}` : 'Step 1 is wrong: no.'
  const steps = (texts: readonly string[]): number[] => texts.map((_, at) => (at === 1 ? 0.1 : 0.9))
  const play = async (updater: Record<string, unknown>) => {
    const model = new FakeModel({ prompts: 'full', reply, steps })
    const parts = { sampler: { kind: 'plain', n: 2 }, scorer: { kind: 'chain-reward' }, updater }
    const options = { ...parts, rounds: 1 }
    const { events } = await runStrategy(composed, model, { options, prompts: 'full' })
    return { model, events }
  }
  const { model } = await play({ kind: 'rewrite' })
  assert.match(model.asks.find(({ system }) => system === 'review')!.user, /2\. \[0\.1\]/)
  const { events } = await play({ kind: 'repair', scope: 'global' })
  assert.equal(ofType(events, 'gate.decided')[0]?.values['step'], 2)
  assert.equal(ofType(events, 'critique.completed').length, 0)
})

test('the best of a generation does not lose to what an older vote said', async () => {
  const reply = ({ system, sample, call }: Ask): string =>
    system === 'aggregate' ? `#### ${call % 2 === 0 ? 8 : 9}` : `#### ${sample === 3 ? 2 : 1}`
  const options = {
    sampler: { kind: 'plain', n: 4 },
    scorer: { kind: 'vote' },
    updater: { kind: 'aggregate', k: 2 },
    selector: { kind: 'best' },
    rounds: 1,
  }
  const model = new FakeModel({ prompts: 'full', reply })
  const { selection } = await runStrategy(composed, model, { options, prompts: 'full' })
  assert.ok(selection!.candidate >= 4, `candidate ${selection!.candidate}`)
})

test('a paraphrase that loses a number is not asked', async () => {
  const reply = ({ system }: Ask): string =>
    system === 'paraphrase' ? 'How many apples has Ann?' : '#### 2'
  const rest = { sampler: { kind: 'paraphrase', n: 2, paraphrases: 1 } }
  const { events, model } = await stopsBy({ kind: 'none' }, rest, reply)
  assert.ok(ofType(events, 'warning').some(({ code }) => code === 'paraphrase_unfit'))
  const solved = model.asks.filter(({ system }) => system === 'solve')
  assert.deepEqual(new Set(solved.map(({ user }) => user)).size, 1)
})
