import assert from 'node:assert/strict'
import test from 'node:test'
import { glore } from '../../src/strategies/glore.ts'
import { prefixBefore } from '../../src/strategies/parts/local-repair.ts'
import { progressive } from '../../src/strategies/progressive.ts'
import { selfCorrect } from '../../src/strategies/self-correct.ts'
import { selfRefine } from '../../src/strategies/self-refine.ts'
import { verifyRefine } from '../../src/strategies/verify-refine.ts'
import { FakeModel, type Ask, type FakeReply } from '../support/fake-model.ts'
import { ofType, runStrategy, TASK } from '../support/run-strategy.ts'

/** Drafts 0; the k-th revision says k; reports and grades in the order of the calls or by the number seen. */
const scripted = (
  reports: readonly string[],
  grades: readonly number[] = [],
): ((ask: Ask) => FakeReply) => {
  let revisions = 0
  let reported = 0
  return ({ system, user, sample }) => {
    switch (system) {
      case 'solve':
        return `- a: ${sample}\n#### ${-sample}`
      case 'refine':
        return `- b: 1\n#### ${++revisions}`
      case 'judge':
        return String(grades[Number(/#### -?(\d+)$/.exec(user)![1])])
      default:
        return reports[Math.min(reported++, reports.length - 1)]!
    }
  }
}
const PASS = 'All steps are right.'
const FAIL = 'Step 1 is wrong: no.'

test('verify-refine accepts after so many clean reports in a row, counted anew after a fault', async () => {
  const model = new FakeModel({ reply: scripted([PASS, PASS, FAIL, PASS, PASS, PASS]) })
  const { selection, events } = await runStrategy(verifyRefine, model)
  assert.equal(selection?.stopReason, 'threshold')
  assert.equal(model.tallies.get('reviewer')?.calls, 6)
  const scores = ofType(events, 'candidate.scored').map(({ score }) => score)
  assert.deepEqual(scores, [null, 1, 2, -1, 1, 2, 3])
  assert.equal(ofType(events, 'answer.revised').at(-1)?.text, '- b: 1\n#### 2')
})

test('verify-refine gives up after so many faults in a row, within its closed form', async () => {
  const model = new FakeModel({ reply: scripted([FAIL]) })
  const { selection } = await runStrategy(verifyRefine, model)
  assert.equal(selection?.stopReason, 'no_improvement')
  assert.deepEqual(
    [model.tallies.get('reviewer')?.calls, model.tallies.get('refiner')?.calls],
    [5, 5],
  )
  const bound = verifyRefine.worstCase({ promptTokens: 9, maxTokens: 64 }, {})
  assert.deepEqual(
    bound.map(({ role, calls }) => [role, calls]),
    [
      ['generator', 1],
      ['reviewer', 8],
      ['refiner', 9],
    ],
  )
})

test('a justification gap is a fault of its own, and may be tolerated', async () => {
  const gap = 'Fine.\nVerdict: justification gap in step 1'
  const run = (tolerate_gaps: boolean) =>
    runStrategy(
      verifyRefine,
      new FakeModel({
        prompts: 'full',
        reply: (ask) => (ask.system === 'report' ? gap : scripted([])(ask)),
      }),
      { options: { tolerate_gaps, failures: 2 }, prompts: 'full' },
    )
  assert.equal((await run(true)).selection?.stopReason, 'threshold')
  const strict = await run(false)
  assert.equal(strict.selection?.stopReason, 'no_improvement')
  assert.equal(ofType(strict.events, 'candidate.scored').at(-1)?.score, 0)
})

test('reports have seeds of their own', async () => {
  const model = new FakeModel({ reply: scripted([PASS]) })
  await runStrategy(verifyRefine, model)
  const seeds = model.asks
    .filter(({ system }) => system === 'review')
    .map((ask) => ask.request.seed)
  assert.equal(new Set(seeds).size, 3)
})

test('self-correct keeps the first answer unless the second scores better', async () => {
  for (const [grades, chosen] of [
    [[5, 4], 0],
    [[4, 5], 1],
  ] as const) {
    const model = new FakeModel({ reply: scripted([], grades) })
    const { selection } = await runStrategy(selfCorrect, model)
    assert.deepEqual([selection?.candidate, model.calls], [chosen, 4])
  }
})

test('self-correct by vote lets the second answers alone decide', async () => {
  const one = await runStrategy(selfCorrect, new FakeModel({ reply: scripted([]) }), {
    options: { selector: 'vote' },
  })
  assert.equal(one.selection?.candidate, 1)
  const model = new FakeModel({
    reply: ({ system, user }) =>
      system === 'solve' ? '#### 1' : user.includes('#### 1') ? '- x\n#### 2' : '?',
  })
  const { selection, events } = await runStrategy(selfCorrect, model, {
    options: { n: 3, selector: 'vote' },
  })
  assert.equal(selection?.candidate, 3)
  assert.deepEqual(ofType(events, 'vote.updated').at(-1)?.answers[0]?.candidates, [3, 4, 5])
})

test('self-correct by vote answers with the second turn also where no answer can be voted by', async () => {
  const reply = ({ system }: Ask): string =>
    system === 'refine' ? 'Better prose.\n\nTruly.' : 'Mere prose.\n\nSo it is.'
  const { selection } = await runStrategy(selfCorrect, new FakeModel({ reply }), {
    options: { selector: 'vote' },
  })
  assert.equal(selection!.candidate, 1)
})

test('progressive takes a long version for another one when its answer changed', async () => {
  const long = Array.from({ length: 120 }, (_, at) => `word${at}`).join(' ')
  const reply = ({ system, user }: Ask): string => {
    if (system === 'judge') return user.includes('#### 8') ? '9' : '2'
    return `${long}\n#### ${system === 'refine' ? 8 : 7}`
  }
  const task = { ...TASK, sampling: { max_tokens: 2000 } }
  const { selection } = await runStrategy(progressive, new FakeModel({ reply }), {
    task,
    options: { rounds: 1 },
  })
  assert.equal(selection!.candidate, 1)
})

test('progressive goes on from the last version and returns the best one', async () => {
  const model = new FakeModel({ reply: scripted([], [3, 7, 5, 6]) })
  const { selection, events } = await runStrategy(progressive, model)
  assert.equal(selection?.candidate, 1)
  assert.deepEqual(
    ofType(events, 'candidate.created').map(({ parents }) => parents),
    [[], [0], [1], [2]],
  )
})

test('progressive stops when a version comes back', async () => {
  let turn = 0
  const model = new FakeModel({
    reply: ({ system }) =>
      system === 'judge' ? '5' : system === 'solve' ? '#### 0' : `#### ${++turn % 2}`,
  })
  const { selection } = await runStrategy(progressive, model, { options: { rounds: 9 } })
  assert.deepEqual([selection?.stopReason, turn], ['no_improvement', 2])
})

test('self-refine without a target asks for remarks alone', async () => {
  const model = new FakeModel({ prompts: 'full' })
  const options = { critique: 'untargeted', rounds: 1 }
  const { events } = await runStrategy(selfRefine, model, { options, prompts: 'full' })
  const [said] = ofType(events, 'critique.completed')
  assert.deepEqual(
    [said?.text, said?.verdict, said?.step],
    ['It could be clearer.', undefined, undefined],
  )
  assert.deepEqual(selfRefine.needs!(options).prompts, [{ role: 'reviewer', form: 'critique' }])
  const compact = new FakeModel()
  const refused = await runStrategy(selfRefine, compact, { options })
  assert.match(String(refused.thrown), /"critique"/)
  assert.equal(compact.calls, 0)
})

test('glore keeps what stands before the first bad step, rewrites, and ranks the three', async () => {
  const outcome = (steps: readonly string[]): number =>
    steps.some((step) => step.includes('mended')) ? 0.9 : 0.2
  const model = new FakeModel({
    steps: (steps) => steps.map((step) => (step.includes('bad') ? 0.1 : outcome(steps))),
    reply: ({ system, request }) =>
      system === 'refine'
        ? '- other\n#### 3'
        : request.continueFrom === undefined
          ? '- good\n- bad\n#### 1'
          : '- mended\n#### 2',
  })
  const { selection, events } = await runStrategy(glore, model, {
    options: { step_threshold: 0.15 },
  })
  const local = model.asks.find(({ request }) => request.continueFrom !== undefined)
  assert.equal(local?.request.continueFrom, '- good\n')
  assert.equal(ofType(events, 'gate.decided')[0]?.values['step'], 2)
  const last = ofType(events, 'answer.revised').at(-1)!
  assert.equal(last.text, '- good\n- mended\n#### 2')
  assert.equal(selection?.candidate, last.candidate)
})

test('glore leaves a draft without a bad step alone', async () => {
  const model = new FakeModel({ steps: (steps) => steps.map(() => 0.9) })
  const { selection } = await runStrategy(glore, model)
  assert.deepEqual([selection?.stopReason, model.calls], ['threshold', 2])
})

test('the kept part ends with the line before the bad step, also where steps repeat', () => {
  const text = 'a\n- x\n- x\n- y\n#### 1'
  const steps = ['- a', '- x', '- x', '- y', '#### 1']
  assert.equal(prefixBefore(text, steps, 0), '')
  assert.equal(prefixBefore(text, steps, 2), 'a\n- x\n')
  assert.equal(prefixBefore(text, steps, 3), 'a\n- x\n- x\n')
  assert.equal(prefixBefore('quite other', steps, 3), '')
})
