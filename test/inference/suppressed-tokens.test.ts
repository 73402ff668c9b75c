/** Tokens that `suppress_tokens` of generation_config.json names are never sampled, however a token is chosen. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test, { after } from 'node:test'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { Engine } from '../../src/inference/engine.ts'
import type { GenerateWork } from '../../src/inference/protocol.ts'
import { readTokenText } from '../../src/inference/text/token-text.ts'
import { FIXTURES, largestDifference, MODELS, writeCheckpoint } from './checkpoint-fixture.ts'
import { generateWork, never, samplingParameters } from './model-fixture.ts'

const { ids } = MODELS
const [model] = MODELS.language
const PLAIN = writeCheckpoint(model!)
const words = readTokenText(openCheckpoint(PLAIN))
const VOCABULARY = Array.from({ length: 384 }, (_, token) => token)
const hasLetter = (text: string): boolean => /[a-z]/i.test(text)
const LETTERS = VOCABULARY.filter((token) => hasLetter(words.text(token)))

const generateBy = (folder: string, contents: object): string => {
  writeFileSync(path.join(folder, 'generation_config.json'), JSON.stringify(contents))
  return folder
}

const suppress = (folder: string, tokens: readonly number[]): string =>
  generateBy(folder, { suppress_tokens: tokens })

const writeExport = (): string => {
  const folder = writeCheckpoint({ ...model!, config: MODELS.export.config })
  rmSync(path.join(folder, 'model.safetensors'))
  mkdirSync(path.join(folder, 'onnx'))
  copyFileSync(path.join(FIXTURES, 'export.onnx'), path.join(folder, 'onnx/model.onnx'))
  return folder
}

const engineFor = (folder: string): Engine => {
  const engine = new Engine({ folder, threads: 1, weights: 'fp32' })
  after(() => engine.close())
  return engine
}

const plain = engineFor(PLAIN)
const suppressing = engineFor(suppress(writeCheckpoint(model!), LETTERS))
const exported = engineFor(writeExport())
const exportSuppressing = engineFor(suppress(writeExport(), LETTERS))

/** Every token with its alternatives. */
const tokensOf = async (engine: Engine, changes: Partial<GenerateWork>) => {
  const found = []
  const work = { prompt: Int32Array.from(ids), topLogProbabilities: 5, ...changes }
  for await (const chunk of engine.generate(generateWork(work), never))
    if (chunk.type === 'delta') found.push(...(chunk.tokens ?? []))
  return found
}

const hot = { temperature: 20, maxTokens: 40 }
const CASES: Readonly<Record<string, Partial<GenerateWork>>> = {
  'the likeliest token': { sampling: samplingParameters({ maxTokens: 12 }) },
  'a draw': { sampling: samplingParameters(hot) },
  'draws of samples that share a prompt': { samples: 5, sampling: samplingParameters(hot) },
  'a draw among the highest': { sampling: samplingParameters({ ...hot, topK: 380 }) },
  'a draw from a nucleus': { sampling: samplingParameters({ ...hot, topP: 0.99 }) },
  'a draw of what is likely': { sampling: samplingParameters({ ...hot, minP: 0.01 }) },
  'a draw after penalties': { sampling: samplingParameters({ ...hot, repetitionPenalty: 1.5 }) },
  'a draw within a constraint': {
    sampling: samplingParameters(hot),
    constraint: { type: 'regex', pattern: '[a-z0-9]{24}' },
  },
}

for (const [name, work] of Object.entries(CASES))
  test(`${name} is never a suppressed token`, async () => {
    const pairs = [
      [plain, suppressing],
      [exported, exportSuppressing],
    ] as const
    for (const [without, engine] of pairs) {
      assert.ok((await tokensOf(without, work)).some(({ text }) => hasLetter(text)))
      const tokens = await tokensOf(engine, work)
      assert.ok(tokens.length > 0)
      for (const { text, alternatives } of tokens)
        for (const each of [text, ...alternatives.map((other) => other.text)])
          assert.ok(!hasLetter(each), each)
    }
  })

test('where a constraint leaves only suppressed tokens there is none to choose', async () => {
  const work = generateWork({
    prompt: Int32Array.from(ids),
    constraint: { type: 'regex', pattern: '[a-z]{3}' },
  })
  const raw = []
  for await (const chunk of suppressing.generate(work, never))
    if (chunk.type === 'finish') raw.push(chunk.reason.raw)
  assert.deepEqual(raw, ['constraint_without_token'])
})

test('log-probabilities stay those of the model, of its samples and of given texts', async () => {
  const prompt = Int32Array.from(ids)
  const [first] = await tokensOf(suppressing, { sampling: samplingParameters({ maxTokens: 1 }) })
  const every = {
    wanted: 'log_probabilities',
    tokens: prompt,
    positions: Int32Array.of(prompt.length - 1),
    targets: Int32Array.from(VOCABULARY),
    columns: VOCABULARY.length,
  } as const
  const own = await plain.score(every, never)
  assert.ok(largestDifference((await suppressing.score(every, never)).values, own.values) < 1e-5)
  const likeliest = VOCABULARY.filter((token) => !LETTERS.includes(token)).reduce((best, token) =>
    own.values[token]! > own.values[best]! ? token : best,
  )
  assert.equal(first!.text, words.text(likeliest))
  assert.ok(Math.abs(first!.logProbability - own.values[likeliest]!) < 1e-5)
})

test('what can be no suppressed token is refused by the field', () => {
  const refused = (tokens: readonly number[], message: RegExp): void => {
    const folder = suppress(writeCheckpoint(model!), tokens)
    assert.throws(() => openCheckpoint(folder).config(), { code: 'model_failed', message })
  }
  refused(
    [5, 384],
    /generation_config\.json: suppress_tokens must be .* below 384, and 384 is none/,
  )
  refused([-1], /generation_config\.json: \/suppress_tokens\/0 must be >= 0/)
  refused(VOCABULARY, /suppress_tokens must be fewer than all tokens/)
})

/** Ids of greedy tokens; every token of the vocabulary has a text of its own. */
const greedyTokens = async (folder: string, changes: Partial<GenerateWork> = {}) => {
  const sampling = samplingParameters({ maxTokens: 8 })
  const found = await tokensOf(engineFor(folder), { sampling, ...changes })
  return found.map(({ text }) => VOCABULARY.findIndex((token) => words.text(token) === text))
}

test('what is banned at the beginning comes later only', async () => {
  const usual = await greedyTokens(PLAIN)
  const banning = (token: number): string =>
    generateBy(writeCheckpoint(model!), { begin_suppress_tokens: [token] })
  assert.notEqual(usual[1], usual[0])
  assert.deepEqual(await greedyTokens(banning(usual[1]!)), usual)
  assert.notEqual((await greedyTokens(banning(usual[0]!)))[0], usual[0])
})

test('a bad word is not completed, nor one of a single token begun', async () => {
  const usual = await greedyTokens(PLAIN)
  const [first, second, third] = usual as [number, number, number]
  const sequence = await greedyTokens(
    generateBy(writeCheckpoint(model!), { bad_words_ids: [[first, second]] }),
  )
  assert.equal(sequence[0], first)
  assert.notEqual(sequence[1], second)
  const across = await greedyTokens(
    generateBy(writeCheckpoint(model!), { bad_words_ids: [[ids.at(-1)!, first, second]] }),
  )
  assert.equal(across[0], first)
  assert.notEqual(across[1], second)
  const single = await greedyTokens(
    generateBy(writeCheckpoint(model!), { bad_words_ids: [[third]] }),
  )
  assert.ok(!single.includes(third))
})

test('a constraint that leaves only a banned token is held to', async () => {
  const token = VOCABULARY.find((each) => words.text(each) === 'a')!
  const folder = generateBy(writeCheckpoint(model!), { begin_suppress_tokens: [token] })
  const constraint = { type: 'regex', pattern: 'a' } as const
  assert.deepEqual(await greedyTokens(folder, { constraint }), [token])
})

test('an end token stays possible where it is named as a bad word', () => {
  const folder = generateBy(writeCheckpoint(model!), { bad_words_ids: [[2], [5]] })
  const { head } = openCheckpoint(folder).config()
  assert.deepEqual(head, { type: 'tokens', suppressed: [5] })
})

test('bans of tokens that are none are refused by the field', () => {
  const refused = (contents: object, message: RegExp): void => {
    const folder = generateBy(writeCheckpoint(model!), contents)
    assert.throws(() => openCheckpoint(folder).config(), { code: 'model_failed', message })
  }
  refused({ begin_suppress_tokens: [384] }, /begin_suppress_tokens must be .* 384 is none/)
  refused({ begin_suppress_tokens: VOCABULARY }, /begin_suppress_tokens must be fewer than all/)
  refused({ bad_words_ids: [[3, 384]] }, /bad_words_ids must be .* 384 is none/)
  refused({ bad_words_ids: [[]] }, /generation_config\.json: \/bad_words_ids\/0/)
})
