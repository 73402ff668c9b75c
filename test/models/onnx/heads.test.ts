import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import test, { after, type TestContext } from 'node:test'
import type { LanguageModel } from '../../../src/core/language-model.ts'
import type { RolePrompts } from '../../../src/core/prompts.ts'
import { PromptLibrary } from '../../../src/inference/cache/prompt-library.ts'
import { Engine } from '../../../src/inference/engine.ts'
import { Prefill, runPrefills } from '../../../src/inference/prefill.ts'
import type { ScoreWork } from '../../../src/inference/protocol.ts'
import { createReading } from '../../../src/inference/reading.ts'
import { createOnnxModel } from '../../../src/models/onnx.ts'
import { createOutcomeReward } from '../../../src/scoring/outcome-reward.ts'
import {
  largestDifference,
  MODELS,
  openDecoder,
  writeCheckpoint,
  type TinyModel,
} from '../../inference/checkpoint-fixture.ts'
import { never } from '../../inference/model-fixture.ts'

const TOLERANCE = 1e-3
const tokens = Int32Array.from(MODELS.ids)

const modelOf = (name: string) => MODELS.heads.find((each) => each.name === name)!
const folders = new Map(MODELS.heads.map((model) => [model.name, writeCheckpoint(model)]))
const folderOf = (name: string): string => folders.get(name)!

const engineFor = (t: TestContext, name: string): Engine => {
  const engine = new Engine({ folder: folderOf(name), threads: 1 })
  t.after(() => engine.close())
  return engine
}

const opened: LanguageModel[] = []
after(() => Promise.all(opened.map((model) => model.close())))
const open = (name: string, fields: object = {}): LanguageModel => {
  const model = createOnnxModel({
    id: name,
    folder: folderOf(name),
    prompts: 'full',
    threads: 1,
    ...fields,
  })
  opened.push(model)
  return model
}

for (const name of ['token-labels', 'process-reward'])
  test(`${name}: the scores of every position equal the independent implementation`, async (t) => {
    const engine = engineFor(t, name)
    const work = {
      wanted: 'labels' as const,
      tokens,
      positions: Int32Array.from(tokens, (_, index) => index),
      columns: 2,
    }
    const { values } = await engine.score(work, never)
    assert.ok(largestDifference(values, modelOf(name).result.flat()) < TOLERANCE)
  })

test('sequence-labels: the score at the end equals the independent implementation', async (t) => {
  const engine = engineFor(t, 'sequence-labels')
  const positions = Int32Array.of(tokens.length - 1)
  const work = { wanted: 'labels' as const, tokens, positions, columns: 1 }
  const texts = [tokens, tokens.slice(0, 5), tokens]
  const results = await Promise.all(
    texts.map((text) =>
      engine.score({ ...work, tokens: text, positions: Int32Array.of(text.length - 1) }, never),
    ),
  )
  const [first, , last] = results.map(({ values }) => values)
  assert.ok(largestDifference(first!, modelOf('sequence-labels').result.flat()) < TOLERANCE)
  assert.ok(largestDifference(first!, last!) < 1e-5)
})

test('what is read of texts in chunks, several at a time, is what is read of them at once', async () => {
  for (const [name, wanted] of [
    ['token-labels', 'labels'],
    ['no-head', 'mean'],
  ] as const) {
    const { decoder, close } = await openDecoder(folderOf(name))
    const library = new PromptLibrary(decoder.memory, 2 ** 20)
    const read = async (texts: readonly Int32Array[], budget: number) => {
      const jobs = texts.map((text, id) => {
        const positions = Int32Array.of(3, text.length - 1)
        const work = { wanted, tokens: text, positions, columns: 2 } as ScoreWork
        const rank = { priority: 'interactive', due: 0, order: id } as const
        return new Prefill(id, text, rank, createReading(work, decoder.shape))
      })
      for (let left = jobs; left.length > 0; left = left.filter(({ remaining }) => remaining > 0))
        await runPrefills(decoder, library, left.slice(0, left[0]!.started ? 1 : undefined), budget)
      return jobs.map(({ reading }) => reading!.values)
    }
    const texts = [tokens, tokens.slice(0, 30)]
    const [first, second] = await read(texts, 7)
    const [whole] = await read([texts[0]!], 512)
    const [part] = await read([texts[1]!], 512)
    assert.ok(largestDifference(first!, whole!) < 1e-4)
    assert.ok(largestDifference(second!, part!) < 1e-4)
    await close()
  }
})

test('no-head: the mean hidden state equals the independent implementation, beside others too', async (t) => {
  const engine = engineFor(t, 'no-head')
  const [mean] = await Promise.all(
    [tokens, tokens.slice(3, 9), tokens.slice(20)].map((text) =>
      engine.score({ wanted: 'mean', tokens: text }, never),
    ),
  )
  assert.ok(largestDifference(mean!.values, modelOf('no-head').result.flat()) < TOLERANCE)
})

const messages = [{ role: 'user' as const, content: 'Ann has 2 pens. How many?' }]

test('a model with labels for tokens scores steps, each as a probability that what follows does not change', async () => {
  const model = open('process-reward', { stepMarks: { step: '<extra_0>' } })
  assert.equal(model.capabilities.step_scores, 'native')
  assert.equal(model.capabilities.parallel_samples, 'none')
  const steps = ['Ann has 2.', 'That is 2 pens.', 'So 2.']
  const whole = await model.scoreSteps!({ messages, steps }, { signal: never })
  const part = await model.scoreSteps!({ messages, steps: steps.slice(0, 2) }, { signal: never })
  assert.equal(whole.steps.length, 3)
  for (const score of whole.steps) assert.ok(score > 0 && score < 1)
  assert.ok(largestDifference(whole.steps.slice(0, 2), part.steps) < 1e-5)
  const otherwise = open('process-reward')
  const broken = await otherwise.scoreSteps!({ messages, steps }, { signal: never })
  assert.ok(largestDifference(whole.steps, broken.steps) > 1e-4)
})

test('the outcome reward is the score of a model with a head for whole answers', async () => {
  const model = open('sequence-labels')
  assert.equal(model.capabilities.outcome_scores, 'native')
  const scorer = createOutcomeReward(model, {} as RolePrompts)
  const task = { messages, sampling: {} }
  const scores = await Promise.all(
    ['It is 2.', 'It is 3.'].map((text) => scorer.score(task, { text }, { signal: never })),
  )
  for (const { score } of scores) assert.ok(score !== null && score > 0 && score < 1)
  assert.notEqual(scores[0]!.score, scores[1]!.score)
})

test('a text is embedded as a vector of length 1, the same alone and among others', async () => {
  const model = open('no-head')
  const texts = ['Ann has 2 pens.', '', 'naïve café — 東京']
  const { vectors, inputTokens } = await model.embed!({ texts }, { signal: never })
  assert.ok(inputTokens > 10)
  assert.equal(vectors[1]!.length, 0)
  for (const vector of [vectors[0]!, vectors[2]!])
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5)
  const alone = await model.embed!({ texts: [texts[2]!] }, { signal: never })
  assert.ok(largestDifference(alone.vectors[0]!, vectors[2]!) < 1e-5)
})

test('a model without a head for tokens refuses to write', async () => {
  const request = { messages, samples: 1, sampling: {}, seed: 1 }
  for (const name of ['sequence-labels', 'no-head'])
    await assert.rejects(
      async () => {
        for await (const _ of open(name).generate(request, { signal: never }));
      },
      { code: 'unsupported_capability' },
    )
})

test('a base model without `model.` before its names, and without a template, is read', async () => {
  const { config, tensors } = modelOf('no-head')
  assert.ok(Object.keys(tensors).every((name) => !name.startsWith('model.')))
  const folder = writeCheckpoint({ config, tensors } as TinyModel)
  writeFileSync(path.join(folder, 'tokenizer_config.json'), '{}')
  const model = createOnnxModel({ id: 'bare', folder, prompts: 'full', threads: 1 })
  assert.equal((await model.embed!({ texts: ['pens'] }, { signal: never })).vectors.length, 1)
  await model.close()
})

test('a reward model without its head names the tensor that is missing', async () => {
  const model = modelOf('sequence-labels')
  const { 'score.weight': _, ...tensors } = model.tensors
  const folder = writeCheckpoint({ ...model, tensors })
  const opening = createOnnxModel({ id: 'headless', folder, prompts: 'full', threads: 1 })
  await assert.rejects(opening.ready(), { code: 'model_failed', message: /score\.weight/ })
  await opening.close()
})
