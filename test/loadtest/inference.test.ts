import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { writeGguf } from '../../loadtest/inference/gguf-writer.ts'
import { median, sizesOf, type Cell } from '../../loadtest/inference/rounds.ts'
import { measureEventLoop, openEngine, plainSampling } from '../../loadtest/inference/serving.ts'
import { soak } from '../../loadtest/inference/soak.ts'
import { writeStockExport } from '../../loadtest/inference/stock-export.ts'
import { sharesOf, standingOf } from '../../loadtest/inference/summary.ts'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { FOLDER, reference } from '../inference/model-fixture.ts'

const scratch = (t: TestContext): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const pebble = openCheckpoint(FOLDER)
const { decoder: shape } = pebble.config()
const solve = reference('solve')

for (const matrices of ['F16', 'Q8_0'] as const) {
  test(`the GGUF file that llama.cpp gets, in ${matrices}, is the same model`, async (t) => {
    const file = path.join(scratch(t), 'model.gguf')
    writeGguf(file, pebble, matrices)
    const written = openCheckpoint(file)
    const { layers, heads, keyValueHeads, headSize, vocabulary } = written.config().decoder
    assert.deepEqual(
      [layers, heads, keyValueHeads, headSize, vocabulary],
      [shape.layers, shape.heads, shape.keyValueHeads, shape.headSize, shape.vocabulary],
    )
    const [source, copy] = [pebble.weights(), written.weights()]
    const name = 'model.layers.1.self_attn.q_proj.weight'
    const size = [shape.heads * shape.headSize, shape.hidden]
    const [expected, actual] = [source.read(name, size), copy.read(name, size)]
    source.close()
    copy.close()
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const error = expected.reduce(
      (most, value, at) => Math.max(most, Math.abs(value - actual[at]!)),
      0,
    )
    assert.ok(error <= largest / 100, `${error} of ${largest}`)
  })
}

test('the export that the stock loop gets continues as the reference does', async (t) => {
  const folder = scratch(t)
  const weights = pebble.weights()
  await writeStockExport(folder, shape, weights, 'fp32')
  weights.close()
  const session = await InferenceSession.create(path.join(folder, 'onnx', 'model.onnx'), {
    intraOpNumThreads: 1,
  })
  t.after(() => session.release())
  const { ids, greedy_ids } = solve
  const empty = new Tensor('float32', new Float32Array(), [
    1,
    shape.keyValueHeads,
    0,
    shape.headSize,
  ])
  const past = Object.fromEntries(
    Array.from({ length: shape.layers }, (_, layer) => [
      [`past_key_values.${layer}.key`, empty],
      [`past_key_values.${layer}.value`, empty],
    ]).flat() as [string, Tensor][],
  )
  const known = [...ids, ...greedy_ids.slice(0, -1)]
  const { logits } = await session.run({
    input_ids: new Tensor('int64', BigInt64Array.from(known, BigInt), [1, known.length]),
    attention_mask: new Tensor('int64', new BigInt64Array(known.length).fill(1n), [
      1,
      known.length,
    ]),
    ...past,
  })
  const values = logits!.data as Float32Array
  const chosen = greedy_ids.map((_, step) => {
    const start = (ids.length - 1 + step) * shape.vocabulary
    const row = values.subarray(start, start + shape.vocabulary)
    return row.indexOf(Math.max(...row))
  })
  assert.deepEqual(chosen, greedy_ids)
})

test('the GGUF file continues as the reference does', async (t) => {
  const location = path.join(scratch(t), 'model.gguf')
  writeGguf(location, pebble, 'F16')
  const engine = await openEngine({ location, weights: 'fp32', threads: 1 })
  t.after(() => engine.close())
  let text = ''
  const work = {
    prompt: Int32Array.from(solve.ids),
    samples: 1,
    sampling: { ...plainSampling(solve.greedy_ids.length - 1), temperature: 0 },
    keepStop: false,
    seed: 1,
    topLogProbabilities: undefined,
  }
  for await (const chunk of engine.generate(work, new AbortController().signal))
    if (chunk.type === 'delta') text += chunk.text
  assert.equal(text, solve.greedy_text)
})

const cell = (engine: Cell['engine'], samples: number, speed: number, context = 1024): Cell => ({
  engine,
  precision: 'fp32',
  context,
  samples,
  decode_tokens_per_second: speed,
  prefill_tokens_per_second: 1,
  memory: 1,
})

test('the standing compares with the best peer and with the stock loop at the longest context', () => {
  const cells = [
    cell('whetstone', 16, 999, 256),
    cell('whetstone', 16, 300),
    cell('stock-loop', 16, 50),
    cell('transformers.js', 16, 40),
    cell('node-llama-cpp', 16, 150),
  ]
  assert.deepEqual(standingOf(cells, 16), {
    tokens_per_second: 300,
    best_peer: 'node-llama-cpp',
    ratio_to_best_peer: 2,
    ratio_to_stock_loop: 6,
  })
  assert.equal(standingOf(cells, 32), null)
  assert.deepEqual(standingOf([cell('whetstone', 1, 10)], 1)?.best_peer, null)
})

test('the shares are of the bytes and operations of a step', () => {
  const tiny = { ...shape, layers: 1, hidden: 2, heads: 1, keyValueHeads: 1, headSize: 2 }
  const model = { ...tiny, intermediate: 3, vocabulary: 5 }
  // 16 weights of attention, 18 of the feed-forward layer, 10 of the vocabulary; 4 cached values of one token.
  const shares = sharesOf(cell('whetstone', 2, 2, 1), model, {
    gigabytesPerSecond: 1,
    gigaflops: 1,
  })
  assert.ok(Math.abs(shares.bandwidth * 1e9 - (44 * 4 + 4 * 4)) < 1e-6)
  assert.ok(Math.abs(shares.arithmetic * 1e9 - 2 * 2 * (44 + 4)) < 1e-6)
})

test('jobs of one context have one length, and no job is over before it has begun', () => {
  const sizes = sizesOf({ contexts: [256, 1024], samples: [1, 16], rounds: 1, steps: 4 }, 1024)
  assert.deepEqual(
    sizes.map(({ length, samples, steps }) => [length, samples, steps]),
    [
      [256, 1, 32],
      [256, 16, 4],
      [991, 1, 32],
      [991, 16, 4],
    ],
  )
})

test('medians are of the middle', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
})

test('1,000 short answers leave the memory where it was, and the event loop free', async (t) => {
  const engine = await openEngine({ location: FOLDER, weights: 'fp32', threads: 1 })
  t.after(() => engine.close())
  const lines: string[] = []
  const { points, growth } = await soak(engine, shape.vocabulary, 1000, (line) => lines.push(line))
  assert.deepEqual(
    points.map(({ sequences }) => sequences),
    [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000],
  )
  for (const { caller, engine: thread } of points) assert.ok(thread.heap > 0 && caller.heap > 0)
  // A leak of one cache per answer would be some hundred MiB.
  assert.ok(growth < 100 * 2 ** 20, lines.join('\n'))
  assert.ok((await measureEventLoop(engine, shape.vocabulary, 64, 8)) < 200)
})
