import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import type { PromptCache } from '../../src/inference/cache/prompt-cache.ts'
import { RowCache } from '../../src/inference/cache/row-cache.ts'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { Engine } from '../../src/inference/engine.ts'
import type { Decoder } from '../../src/inference/runtime/decoder.ts'
import { readTokenText } from '../../src/inference/text/token-text.ts'
import {
  ascending,
  cacheInChunks,
  FIXTURES,
  largestDifference,
  MODELS,
  openDecoder,
  score,
  writeCheckpoint,
  type LanguageReference,
} from './checkpoint-fixture.ts'
import { never, generateWork, samplingParameters } from './model-fixture.ts'

const TOLERANCE = 1e-3
const { ids } = MODELS

const assertEqualsReference = async (
  location: string,
  { last_logits, token_log_probabilities }: LanguageReference,
): Promise<void> => {
  const { decoder, close } = await openDecoder(location)
  const { last, logProbabilities } = await score(decoder, ids)
  await close()
  assert.ok(
    largestDifference(last, last_logits) < TOLERANCE,
    `${largestDifference(last, last_logits)}`,
  )
  assert.ok(largestDifference(logProbabilities, token_log_probabilities) < TOLERANCE)
}

/** The tokens of greedy samples, as texts. */
const greedyTexts = async (
  location: string,
  samples: number,
  count: number,
): Promise<string[][]> => {
  const engine = new Engine({ folder: location, threads: 1, weights: 'fp32' })
  const found: string[][] = Array.from({ length: samples }, () => [])
  const work = generateWork({
    prompt: Int32Array.from(ids),
    samples,
    sampling: samplingParameters({ maxTokens: count }),
    topLogProbabilities: 0,
  })
  for await (const chunk of engine.generate(work, never))
    if (chunk.type === 'delta')
      for (const { text } of chunk.tokens ?? []) found[chunk.sample]!.push(text)
  await engine.close()
  return found
}

for (const model of MODELS.language) {
  const folder = writeCheckpoint(model)

  test(`${model.name}: logits equal the independent implementation`, () =>
    assertEqualsReference(folder, model))

  test(`${model.name}: a prompt in chunks and rows that share it equal single runs`, async () => {
    const { decoder, close } = await openDecoder(folder)
    const [shared, steps] = [20, 6]
    const cache = await cacheInChunks(decoder, ids.slice(0, shared), [9, shared])
    const rows = new RowCache(decoder.memory)
    const texts = [0, 1, 2].map((row) => ids.slice(shared + row, shared + row + steps))
    for (const _ of texts) rows.add(undefined)
    const logits: Float32Array[] = []
    for (let step = 0; step < steps; step++) {
      rows.prepare()
      const { head, present } = await decoder.run({
        rows: texts.length,
        length: 1,
        tokens: BigInt64Array.from(texts, (text) => BigInt(text[step]!)),
        positions: BigInt64Array.from(texts, () => BigInt(shared + step)),
        prefix: { cache, length: shared },
        past: rows.past(),
        head: { rows: ascending(texts.length), outputs: ['logits'] },
      })
      rows.append(present)
      logits.push(head['logits'] as Float32Array)
    }
    const { vocabulary } = decoder.shape
    for (const [row, text] of texts.entries()) {
      const { last } = await score(decoder, [...ids.slice(0, shared), ...text])
      const found = logits.at(-1)!.slice(row * vocabulary, (row + 1) * vocabulary)
      assert.ok(largestDifference(found, last) < 1e-4)
    }
    await close()
  })
}

/** Logits of each of `text` after a prompt, token by token in one row. */
const decodeAlone = async (decoder: Decoder, cache: PromptCache, text: readonly number[]) => {
  const rows = new RowCache(decoder.memory)
  const start = cache.length
  rows.add({ cache, length: start })
  const logits: Float32Array[] = []
  for (const [step, token] of text.entries()) {
    rows.prepare()
    const { head, present } = await decoder.run({
      rows: 1,
      length: 1,
      tokens: BigInt64Array.of(BigInt(token)),
      positions: BigInt64Array.of(BigInt(start + step)),
      past: rows.past(),
      head: { rows: ascending(1), outputs: ['logits'] },
    })
    rows.append(present)
    logits.push(head['logits'] as Float32Array)
  }
  return logits
}

/** Elsewhere the runtime sums in another order for one line than for several. */
const LAST_DIGIT = process.arch === 'x64' ? 0 : 1e-5

for (const { name, format } of [
  ...MODELS.language.map((model) => ({ name: model.name, format: 'fp32' as const })),
  { name: 'qwen2', format: 'int8' as const },
  { name: 'qwen3', format: 'int4' as const },
])
  test(`${name}, ${format}: the graph for single tokens gives what the general one gives`, async () => {
    const model = MODELS.language.find((each) => each.name === name)!
    const { decoder, general, close } = await openDecoder(writeCheckpoint(model), format)
    const cache = await cacheInChunks(general, ids.slice(0, 20), [20])
    const text = ids.slice(20, 26)
    const [alone, expected] = [
      await decodeAlone(decoder, cache, text),
      await decodeAlone(general, cache, text),
    ]
    for (const [step, logits] of expected.entries())
      assert.ok(largestDifference(alone[step]!, logits) <= LAST_DIGIT, `step ${step}`)
    const { last } = await score(general, ids.slice(0, 26))
    if (format === 'fp32') assert.ok(largestDifference(alone.at(-1)!, last) < 1e-4)
    await close()
  })

for (const model of MODELS.gguf)
  test(`${model.name}.gguf: logits equal the independent implementation`, () =>
    assertEqualsReference(path.join(FIXTURES, model.file), model))

for (const name of ['qwen3', 'mistral-short-window'])
  test(`${name}: four samples share a prompt, and each is the greedy continuation`, async () => {
    const model = MODELS.language.find((each) => each.name === name)!
    const folder = writeCheckpoint(model)
    const { decoder, close } = await openDecoder(folder)
    const expected: number[] = []
    for (const _ of model.greedy_ids) {
      const { last } = await score(decoder, [...ids, ...expected])
      expected.push(last.indexOf(Math.max(...last)))
    }
    await close()
    assert.deepEqual(expected, model.greedy_ids)
    const samples = await greedyTexts(folder, 4, expected.length)
    const words = readTokenText(openCheckpoint(folder))
    assert.ok(!expected.includes(2), 'the end token would cut the comparison short')
    for (const sample of samples)
      assert.deepEqual(
        sample,
        expected.map((id) => words.text(id)),
      )
  })

test('a sliding window does not end the context', () => {
  const decoderOf = (name: string) => {
    const model = MODELS.language.find((each) => each.name === name)!
    return openCheckpoint(writeCheckpoint(model)).config().decoder
  }
  assert.equal(decoderOf('mistral-short-window').contextLength, 128)
  assert.deepEqual(decoderOf('mistral-short-window').window, { size: 7, layers: [true, true] })
  assert.deepEqual(decoderOf('qwen2-some-windows').window, { size: 12, layers: [false, true] })
  assert.equal(decoderOf('qwen2').window, undefined)
})

test('the kind of a layer that is not known is refused', () => {
  const model = MODELS.language.find(({ name }) => name === 'qwen2-some-windows')!
  for (const layer_types of [['full_attention'], ['full_attention', 'chunked_attention']])
    assert.throws(
      () =>
        openCheckpoint(
          writeCheckpoint({ ...model, config: { ...model.config, layer_types } }),
        ).config(),
      { code: 'model_failed', message: /layer_types must be full_attention or sliding_attention/ },
    )
})

test('rows of unequal length in a window, several tokens at once, equal single runs', async () => {
  const model = MODELS.language.find(({ name }) => name === 'mistral-short-window')!
  const { decoder, close } = await openDecoder(writeCheckpoint(model))
  const { vocabulary } = decoder.shape
  const cache = await cacheInChunks(decoder, ids.slice(0, 20), [20])
  const rows = new RowCache(decoder.memory)
  const starts = [3, 20]
  for (const length of starts) rows.add({ cache, length })
  rows.prepare(9)
  const texts = starts.map((start) => ids.slice(start, start + 9))
  const { head } = await decoder.run({
    rows: 2,
    length: 9,
    tokens: BigInt64Array.from(texts.flat(), BigInt),
    positions: BigInt64Array.from(starts.flatMap((start) => [...ascending(9, start)])),
    past: rows.past(),
    head: { rows: BigInt64Array.of(8n, 17n), outputs: ['logits'] },
  })
  for (const [row, start] of starts.entries()) {
    const { last } = await score(decoder, ids.slice(0, start + 9))
    const found = head['logits']!.slice(row * vocabulary, (row + 1) * vocabulary)
    assert.ok(largestDifference(found, last) < 1e-4)
  }
  await close()
})

/** Worst difference of a token's log-probability from fp32, in nats, on random weights, which are the hardest case. */
const BOUNDS = { fp16: 0.01, int8: 0.2, int4: 1.6 } as const

for (const [format, bound] of Object.entries(BOUNDS) as [keyof typeof BOUNDS, number][])
  test(`${format} weights keep log-probabilities within ${bound} of fp32`, async () => {
    const model = MODELS.language.find(({ name }) => name === 'llama-biases')!
    const { decoder, close } = await openDecoder(writeCheckpoint(model), format)
    const { logProbabilities } = await score(decoder, ids)
    const worst = largestDifference(logProbabilities, model.token_log_probabilities)
    assert.ok(worst < bound && worst > 0, `worst difference ${worst}`)
    await close()
  })

/** The checkpoint with one weight that is no number. */
const damage = (folder: string, tensor: string): string => {
  const file = path.join(folder, 'model.safetensors')
  const bytes = readFileSync(file)
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<
    string,
    { readonly data_offsets: readonly [number, number] }
  >
  bytes.writeFloatLE(NaN, start + header[tensor]!.data_offsets[0])
  writeFileSync(file, bytes)
  return folder
}

const NO_NUMBER = { code: 'model_failed', message: /no number: its weights are damaged/ }

test('a model whose weights are no numbers fails, and writes nothing', async (t) => {
  const model = MODELS.language.find(({ name }) => name === 'qwen2')!
  const folder = damage(writeCheckpoint(model), 'model.norm.weight')
  const engine = new Engine({ folder, threads: 1 })
  t.after(() => engine.close())
  const tokens = Int32Array.from(ids)
  const chunks: string[] = []
  const write = async (): Promise<void> => {
    for await (const { type } of engine.generate(generateWork({ prompt: tokens }), never))
      chunks.push(type)
  }
  await assert.rejects(write(), NO_NUMBER)
  assert.ok(!chunks.includes('delta'))
  await assert.rejects(engine.score({ tokens, wanted: 'mean' }, never), NO_NUMBER)
  const asked = { positions: Int32Array.of(0), targets: Int32Array.of(1), columns: 1 }
  const likelihood = engine.score({ tokens, wanted: 'log_probabilities', ...asked }, never)
  await assert.rejects(likelihood, NO_NUMBER)
})

test('with int8 weights a row gives the same whatever is computed beside it', async () => {
  const model = MODELS.language.find(({ name }) => name === 'qwen2')!
  const { decoder, close } = await openDecoder(writeCheckpoint(model), 'int8')
  const run = async (texts: readonly (readonly number[])[]) => {
    const length = texts[0]!.length
    const { head } = await decoder.run({
      rows: texts.length,
      length,
      tokens: BigInt64Array.from(texts.flat(), BigInt),
      positions: BigInt64Array.from(texts.flat(), (_, index) => BigInt(index % length)),
      head: { rows: BigInt64Array.of(BigInt(length - 1)), outputs: ['logits'] },
    })
    return head['logits'] as Float32Array
  }
  const text = ids.slice(0, 10)
  const beside = ids.slice(20, 30)
  assert.ok(largestDifference(await run([text]), await run([text, beside, beside])) < 1e-4)
  await close()
})
