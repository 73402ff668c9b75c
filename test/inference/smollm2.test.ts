/** A real checkpoint against reference values: WHETSTONE_SMOLLM2=FILE.gguf WHETSTONE_SMOLLM2_REFERENCE=FILE.json npm test -- smollm2 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test, { type TestContext } from 'node:test'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { Engine } from '../../src/inference/engine.ts'
import type { WeightFormat } from '../../src/inference/graphs/linear.ts'
import { readChatTemplate } from '../../src/inference/text/chat-template.ts'
import { readTokenText } from '../../src/inference/text/token-text.ts'
import { readTokenizer } from '../../src/inference/text/tokenizer.ts'
import { plainMessages } from '../../src/models/onnx/template-messages.ts'
import { largestDifference, openDecoder, score } from './checkpoint-fixture.ts'
import { never, type ReferenceCase, samplingParameters } from './model-fixture.ts'

const LOCATION = process.env['WHETSTONE_SMOLLM2']
const VALUES = process.env['WHETSTONE_SMOLLM2_REFERENCE']
const options =
  LOCATION === undefined || VALUES === undefined
    ? { skip: 'WHETSTONE_SMOLLM2 and WHETSTONE_SMOLLM2_REFERENCE name no checkpoint' }
    : {}

const { cases, messages } = (
  VALUES === undefined ? { cases: [], messages: [] } : JSON.parse(readFileSync(VALUES, 'utf8'))
) as { cases: readonly ReferenceCase[]; messages: ReferenceCase['messages'] }

test('texts are encoded and the chat template rendered as by the reference', options, () => {
  const checkpoint = openCheckpoint(LOCATION!)
  const tokenizer = readTokenizer(checkpoint)
  assert.ok(cases.length > 0)
  for (const { text, ids } of cases) assert.deepEqual(tokenizer.encode(text), ids)
  const { text } = cases.find(({ name }) => name === 'chat')!
  assert.equal(readChatTemplate(checkpoint)(plainMessages(messages)), text)
})

/** Worst and mean difference of a token's log-probability, in nats, and the worst of the logits compared. */
const differences = async (t: TestContext, format: WeightFormat) => {
  const { decoder, close } = await openDecoder(LOCATION!, format)
  const all: number[] = []
  let logits = 0
  for (const reference of cases) {
    const { last, logProbabilities } = await score(decoder, reference.ids)
    for (const [index, value] of reference.token_log_probabilities.entries())
      all.push(Math.abs(logProbabilities[index]! - value))
    const known = [
      ...reference.last_logits_first_8.entries(),
      ...reference.last_logits_top.map(([token, logit]) => [token, logit] as const),
    ]
    const found = known.map(([token]) => last[token]!)
    logits = Math.max(
      logits,
      largestDifference(
        found,
        known.map(([, logit]) => logit),
      ),
    )
  }
  await close()
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length
  const result = { worst: Math.max(...all), mean, logits }
  t.diagnostic(`${format}: ${JSON.stringify(result)}`)
  return result
}

test('fp32 equals the reference within 1e-3', options, async (t) => {
  const { worst, logits } = await differences(t, 'fp32')
  assert.ok(worst < 1e-3 && logits < 1e-3)
})

/** Mean difference over the reference's texts, in nats; single tokens differ far more. */
for (const [format, bound] of [
  ['fp16', 0.002],
  ['int8', 0.35],
  ['int4', 1],
] as const)
  test(`${format} is within ${bound} nats of the reference on average`, options, async (t) => {
    const { mean } = await differences(t, format)
    assert.ok(mean < bound)
  })

test('greedy samples of all texts at once are those of the reference', options, async () => {
  const engine = new Engine({ folder: LOCATION!, weights: 'fp32' })
  const words = readTokenText(openCheckpoint(LOCATION!))
  const work = (ids: readonly number[]) => ({
    prompt: Int32Array.from(ids),
    samples: 5,
    sampling: samplingParameters({ maxTokens: 24 }),
    keepStop: false,
    seed: 1,
    topLogProbabilities: 0,
  })
  await Promise.all(
    cases.map(async ({ ids, greedy_ids }) => {
      const samples = Array.from({ length: 5 }, (): string[] => [])
      for await (const chunk of engine.generate(work(ids), never))
        if (chunk.type === 'delta')
          samples[chunk.sample]!.push(...(chunk.tokens ?? []).map(({ text }) => text))
      const expected = greedy_ids.map((id) => words.text(id))
      for (const sample of samples) assert.deepEqual(sample, expected)
    }),
  )
  await engine.close()
})
