import assert from 'node:assert/strict'
import test from 'node:test'
import { answerOf } from '../../src/core/answer.ts'
import type { GenerationRequest, LanguageModel } from '../../src/core/language-model.ts'
import type { Sampling, Task } from '../../src/core/task.ts'
import {
  createScriptedModel,
  scriptedTruth,
  type ScriptedOptions,
} from '../../src/models/scripted.ts'
import { promptsFor } from '../../src/prompts/index.ts'
import { ask, collect, NEVER, textOf } from './upstream.ts'

const SIGNAL = { signal: NEVER }
const QUESTION = 'Ann has some apples.\n\n- red ones\n- green ones\n\nHow many?'

const create = (options: Partial<ScriptedOptions> = {}): LanguageModel =>
  createScriptedModel({ id: 'scripted', ...options })

const prompt = (role: string, content: string): Partial<GenerationRequest> => ({
  messages: [
    { role: 'system', content: role },
    { role: 'user', content },
  ],
})

const say = async (model: LanguageModel, changes: Partial<GenerationRequest>): Promise<string> =>
  textOf(await collect(model.generate(ask(changes), SIGNAL)))

const draftOf = (right: boolean, question = QUESTION): Promise<string> =>
  say(create({ accuracy: right ? 1 : 0 }), prompt('solve', question))

const isRight = (text: string, question = QUESTION): boolean =>
  answerOf(text) === String(scriptedTruth(question))

/** Share of `runs` seeds for which the reply passes. */
const share = async (
  model: LanguageModel,
  changes: Partial<GenerationRequest>,
  passes: (text: string) => boolean,
  runs = 400,
): Promise<number> => {
  let passed = 0
  for (let seed = 0; seed < runs; seed++) {
    if (passes(await say(model, { ...changes, seed }))) passed++
  }
  return passed / runs
}

const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 0.08, `${actual} is not near ${expected}`)

test('a solution is bullets with sums and a final answer', async () => {
  const text = await draftOf(true)
  assert.match(text, /^(?:- \d+ [-+] \d+ = \d+\n){3}#### \d+$/)
  assert.ok(isRight(text))
  assert.ok(!isRight(await draftOf(false)))
})

test('the same seed gives the same samples, another seed others, and temperature 0 always the same', async () => {
  const model = create()
  const twelve = (changes: Partial<GenerationRequest>) =>
    collect(model.generate(ask({ samples: 12, ...changes }), SIGNAL))
  assert.deepEqual(await twelve({ seed: 1 }), await twelve({ seed: 1 }))
  assert.notDeepEqual(await twelve({ seed: 1 }), await twelve({ seed: 2 }))
  const greedy = await twelve({ seed: 3, sampling: { temperature: 0 } })
  assert.equal(new Set([...Array(12).keys()].map((sample) => textOf(greedy, sample))).size, 1)
})

test('drafts are right as often as the accuracy says, and wrong answers are spread', async () => {
  near(await share(create({ accuracy: 0.7 }), prompt('solve', QUESTION), isRight), 0.7)
  const wrong = await collect(
    create({ accuracy: 0, wrongAnswers: 3 }).generate(ask({ samples: 60 }), SIGNAL),
  )
  const answers = new Set([...Array(60).keys()].map((sample) => answerOf(textOf(wrong, sample))))
  assert.equal(answers.size, 3)
})

test('refining keeps right drafts and repairs wrong ones as often as it is told', async () => {
  const model = create({ keepRight: 0.8, repairWrong: 0.3 })
  for (const [right, expected] of [
    [true, 0.8],
    [false, 0.3],
  ] as const) {
    const content = `${QUESTION}\n\n${await draftOf(right)}\n\nStep 1 is wrong: look again.`
    near(await share(model, prompt('refine', content), isRight), expected)
  }
})

test('a review names the first wrong step or clears the draft, as reliably as it is told', async () => {
  const clears = (text: string): boolean => text === 'All steps are right.'
  const wrong = `${QUESTION}\n\n${await draftOf(false)}`
  const right = `${QUESTION}\n\n${await draftOf(true)}`
  const sure = create({ reviewerAccuracy: 1 })
  assert.match(
    await say(sure, prompt('review', wrong)),
    /^Step [123] is wrong: it should come to \d+\.$/,
  )
  assert.ok(clears(await say(sure, prompt('review', right))))
  near(await share(create({ reviewerAccuracy: 0.75 }), prompt('review', wrong), clears), 0.25)
})

test('a judge gives one digit whose log-probabilities add up, as reliable as it is told', async () => {
  const wrong = prompt('judge', `${QUESTION}\n\n${await draftOf(false)}`)
  const right = prompt('judge', `${QUESTION}\n\n${await draftOf(true)}`)
  near(await share(create({ judgeReliability: 0.8 }), right, (text) => Number(text) >= 5), 0.8)
  near(await share(create({ judgeReliability: 0.8 }), wrong, (text) => Number(text) >= 5), 0.2)
  const chunks = await collect(
    create().generate(ask({ ...right, topLogProbabilities: 10 }), SIGNAL),
  )
  const [first] = chunks.flatMap((chunk) => (chunk.type === 'delta' ? (chunk.tokens ?? []) : []))
  const total = first?.alternatives.reduce(
    (sum, { logProbability }) => sum + Math.exp(logProbability),
    0,
  )
  assert.ok(Math.abs((total ?? 0) - 1) < 1e-9)
})

test('a comparison prefers the right answer in both orders', async () => {
  const [right, wrong] = [await draftOf(true), await draftOf(false)]
  const model = create({ judgeReliability: 1 })
  const task: Task = { messages: [{ role: 'user', content: QUESTION }], sampling: {} }
  const compare = (first: string, second: string) =>
    say(model, {
      messages: promptsFor('compact').compare(task, first, second).messages,
      sampling: { temperature: 0 },
    })
  assert.equal(await compare(right, wrong), 'A')
  assert.equal(await compare(wrong, right), 'B')
})

const showing = (role: string, ...drafts: readonly string[]): Partial<GenerationRequest> =>
  prompt(role, [QUESTION, ...drafts.map((draft, n) => `${'ABC'[n]}:\n${draft}`)].join('\n\n'))

test('a selection is the letter of a right candidate, as reliably as it is told', async () => {
  const candidates = [await draftOf(false), await draftOf(true)]
  const model = create({ judgeReliability: 0.9 })
  // Both beliefs must be true, or the first candidate is taken for right or for the only choice.
  near(await share(model, showing('select', ...candidates), (text) => text === 'B'), 0.9 * 0.9)
})

test('an aggregate of candidates is right as often as refining what is the best of them', async () => {
  const [wrong, right] = [await draftOf(false), await draftOf(true)]
  const model = create({ keepRight: 0.9, repairWrong: 0.3, accuracy: 0 })
  near(await share(model, showing('aggregate', wrong, right), (text) => isRight(text)), 0.9)
  near(await share(model, showing('aggregate', wrong, wrong), (text) => isRight(text)), 0.3)
})

test('step scores fall at the first mistake', async () => {
  const model = create({ judgeReliability: 1 })
  const steps = (await draftOf(true)).split('\n')
  const messages = prompt('verify', QUESTION).messages ?? []
  const good = await model.scoreSteps?.({ messages, steps }, SIGNAL)
  assert.ok(good?.steps.every((score) => score >= 0.8))
  const broken = steps.with(1, '- 1 + 1 = 3')
  const bad = await model.scoreSteps?.({ messages, steps: broken }, SIGNAL)
  assert.deepEqual(
    bad?.steps.map((score) => score > 0.5),
    [true, false, false, false],
  )
})

test('right answers have the higher log-probability per token', async () => {
  const messages = prompt('solve', QUESTION).messages ?? []
  const mean = async (text: string): Promise<number> => {
    const result = await create().scoreText?.({ messages, text }, SIGNAL)
    return (result?.logProbability ?? NaN) / (result?.tokens ?? NaN)
  }
  assert.ok((await mean(await draftOf(true))) > (await mean(await draftOf(false))))
})

test('a solution can be written step by step, and is right as often as in one go', async () => {
  const model = create({ accuracy: 0.6 })
  const sampling = { stop: ['\n'] }
  let right = 0
  for (let seed = 0; seed < 400; seed++) {
    let written = ''
    while (!written.includes('####')) {
      const step = await say(model, {
        ...prompt('solve', QUESTION),
        continueFrom: written,
        keepStop: true,
        sampling,
        seed: seed * 10 + written.length,
      })
      assert.ok(step !== '')
      written += step
    }
    if (isRight(written)) right++
  }
  near(right / 400, 0.6)
})

test('nothing follows a final answer, and words after one start a second attempt', async () => {
  const wrong = await draftOf(false)
  const go = (continueFrom: string) =>
    say(create({ repairWrong: 1 }), { ...prompt('solve', QUESTION), continueFrom })
  assert.equal(await go(wrong), '')
  const again = await go(`${wrong}\nWait! Let me check.`)
  assert.ok(isRight(again))
})

test('the end of a sample says which stop string it met', async () => {
  const model = create()
  const stopOf = async (sampling: Sampling) => {
    const request = ask({ ...prompt('solve', QUESTION), sampling })
    const end = (await collect(model.generate(request, SIGNAL))).at(-1)
    return end?.type === 'finish' ? end.stopString : undefined
  }
  assert.equal(await stopOf({ stop: ['\n', ' = '] }), ' = ')
  assert.equal(await stopOf({ stop: ['\u2603'] }), undefined)
  assert.equal(await stopOf({ stop: ['\n'], max_tokens: 1 }), undefined)
})

test('stop strings and the length limit cut the text', async () => {
  const model = create()
  const base = prompt('solve', QUESTION)
  const full = await say(model, base)
  const line = full.slice(0, full.indexOf('\n'))
  assert.equal(
    await say(model, { ...base, sampling: { stop: ['\n', ' = '] } }),
    line.split(' = ')[0],
  )
  assert.equal(
    await say(model, { ...base, keepStop: true, sampling: { stop: ['\n'] } }),
    `${line}\n`,
  )
  const chunks = await collect(
    model.generate(ask({ ...base, sampling: { max_tokens: 2 } }), SIGNAL),
  )
  const end = chunks.find((chunk) => chunk.type === 'finish')
  assert.deepEqual([end?.reason.unified, end?.outputTokens], ['length', 2])
})

test('every k-th sample fails when told so, and calls with the marker fail as a whole', async () => {
  const model = create({ failEvery: 3, failAfterTokens: 2, failMarker: 'BOOM' })
  const chunks = await collect(model.generate(ask({ samples: 6 }), SIGNAL))
  const failed = chunks.flatMap((chunk) => (chunk.type === 'failure' ? [chunk.sample] : []))
  assert.deepEqual(failed, [2, 5])
  assert.equal(chunks.filter((chunk) => chunk.type === 'delta' && chunk.sample === 2).length, 2)
  await assert.rejects(say(model, prompt('solve', 'BOOM')), { code: 'upstream_unavailable' })
})

test('malformed judgements hold no digit', async () => {
  const model = create({ malformedJudge: 1 })
  assert.doesNotMatch(await say(model, prompt('judge', `${QUESTION}\n\n#### 4`)), /\d/)
})

test('capabilities can be switched off', async () => {
  const model = create({
    capabilities: {
      step_scores: 'none',
      text_scoring: 'none',
      parallel_samples: 'none',
      assistant_continuation: 'emulated',
    },
  })
  assert.ok(!('scoreSteps' in model))
  assert.ok(!('scoreText' in model))
  await assert.rejects(collect(model.generate(ask({ samples: 2 }), SIGNAL)), {
    code: 'unsupported_capability',
  })
  const chunks = await collect(model.generate(ask({ continueFrom: '- 1 + 1 = 2\n' }), SIGNAL))
  assert.ok(
    chunks.some((chunk) => chunk.type === 'warning' && chunk.code === 'degraded_continuation'),
  )
})

test('the pace is kept by the timer it is given, and an abort ends the wait at once', async () => {
  const waits: number[] = []
  const model = create({
    firstTokenMs: 100,
    tokensPerSecond: 20,
    createPause: () => ({
      wait: (milliseconds) => Promise.resolve(void waits.push(milliseconds)),
      close: () => undefined,
    }),
  })
  const chunks = await collect(model.generate(ask({ samples: 2 }), SIGNAL))
  const deltas = chunks.filter((chunk) => chunk.type === 'delta' && chunk.sample === 0).length
  assert.deepEqual(waits, [100, ...Array<number>(deltas).fill(50)])

  const controller = new AbortController()
  const reason = new Error('enough')
  const stuck = collect(create({ firstTokenMs: 1e8 }).generate(ask(), controller))
  setImmediate(() => controller.abort(reason))
  await assert.rejects(stuck, (thrown) => thrown === reason)
})
