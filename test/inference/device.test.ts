/**
 * Devices with a memory of their own against the processor. They are skipped where there is none; a driver that is a
 * program will do for WebGPU, such as SwiftShader: VK_DRIVER_FILES=FOLDER/vk_swiftshader_icd.json npm test -- device.test
 */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { PromptLibrary } from '../../src/inference/cache/prompt-library.ts'
import { RowCache } from '../../src/inference/cache/row-cache.ts'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { Engine } from '../../src/inference/engine.ts'
import type { EngineEvent, GenerateWork } from '../../src/inference/protocol.ts'
import { GraphDecoder, type Decoder } from '../../src/inference/runtime/decoder.ts'
import type { DeviceMemory } from '../../src/inference/runtime/native/device-memory.ts'
import { openRuntime } from '../../src/inference/runtime/open-runtime.ts'
import { Scheduler } from '../../src/inference/scheduler.ts'
import { readTokenText } from '../../src/inference/text/token-text.ts'
import { ascending, cacheInChunks, largestDifference } from './checkpoint-fixture.ts'
import { FOLDER, generateWork, never, reference, samplingParameters } from './model-fixture.ts'

const checkpoint = openCheckpoint(FOLDER)
const { decoder: shape, head, endTokens } = checkpoint.config()
const ids = reference('solve').ids

const open = async (device: 'cpu' | 'cuda' | 'webgpu', t?: TestContext): Promise<GraphDecoder> => {
  const weights = checkpoint.weights()
  const options = { threads: 2, device }
  const runtime = await openRuntime({ shape, format: 'fp32', head }, weights, options)
  weights.close()
  t?.after(() => runtime.close())
  return new GraphDecoder(runtime, shape)
}

const processor = await open('cpu')

/** Logits of texts that follow one prompt, first of each with a copy of it, then of all sharing it. */
const decodeTexts = async (decoder: Decoder): Promise<Float32Array[]> => {
  const [shared, steps] = [40, 3]
  const cache = await cacheInChunks(decoder, ids.slice(0, shared), [17, shared])
  const logits: Float32Array[] = []
  for (const prefix of [undefined, { cache, length: shared }]) {
    const rows = new RowCache(decoder.memory)
    for (let row = 0; row < 3; row++)
      rows.add(prefix === undefined ? { cache, length: shared - row } : undefined)
    for (let step = 0; step < steps; step++) {
      if (step === 1) rows.remove(0)
      const order = Array.from({ length: rows.rows }, (_, row) => row)
      const { lengths } = rows.past()
      rows.prepare()
      const { head: results, present } = await decoder.run({
        rows: rows.rows,
        length: 1,
        tokens: BigInt64Array.from(order, (row) => BigInt(ids[shared + row + step]!)),
        positions: BigInt64Array.from(order, (row) =>
          BigInt(lengths[row]! + (prefix?.length ?? 0)),
        ),
        ...(prefix && { prefix }),
        past: rows.past(),
        head: { rows: ascending(rows.rows), outputs: ['logits'] },
      })
      rows.append(present)
      present.release()
      logits.push(results['logits'] as Float32Array)
    }
    while (rows.rows > 0) rows.remove(0)
  }
  cache.block.release()
  return logits
}

const SETTINGS = { maxRows: 8, cacheBytes: 2 ** 30, prefillTokens: 32, threads: 1 }
const vocabulary = {
  text: readTokenText(checkpoint),
  endTokens: new Set(endTokens),
  suppressedTokens: new Set<number>(),
  contextLength: shape.contextLength,
}

/** Texts of calls that run at the same time, by call and sample. */
const answers = async (
  scheduler: Scheduler,
  events: readonly EngineEvent[],
  works: readonly GenerateWork[],
): Promise<string[][]> => {
  const start = events.length
  for (const [id, work] of works.entries()) scheduler.generate(id, work)
  await scheduler.run()
  const texts = works.map(({ samples }) => Array.from({ length: samples }, () => ''))
  for (const event of events.slice(start))
    if (event.type === 'chunk' && event.chunk.type === 'delta')
      texts[event.id]![event.chunk.sample] += event.chunk.text
  return texts
}

const schedulerOn = (decoder: Decoder, cacheBytes = SETTINGS.cacheBytes) => {
  const events: EngineEvent[] = []
  const settings = { ...SETTINGS, cacheBytes, promptBytes: 2 ** 20 }
  const scheduler = new Scheduler(decoder, vocabulary, settings, (posted) => events.push(...posted))
  return { scheduler, events }
}

const greedy = samplingParameters({ maxTokens: 8 })
const WORKS: readonly GenerateWork[] = [
  generateWork({ prompt: Int32Array.from(ids), samples: 5, sampling: greedy }),
  generateWork({ prompt: Int32Array.from(reference('review').ids), sampling: greedy }),
  generateWork({
    prompt: Int32Array.from(ids.slice(0, 30)),
    sampling: samplingParameters({ temperature: 1, topP: 0.9, maxTokens: 6, presencePenalty: 1 }),
    constraint: { type: 'regex', pattern: '[a-z ]+' },
    samples: 2,
  }),
]

for (const device of ['cuda', 'webgpu'] as const) {
  const problem = await open(device).then(
    (decoder) => void decoder.close(),
    (reason: Error) => reason.message,
  )
  const options = problem === undefined ? {} : { skip: problem }

  test(
    `${device}: logits of prompts in chunks and of rows that share or copy them are the processor's`,
    options,
    async (t) => {
      const expected = await decodeTexts(processor)
      const actual = await decodeTexts(await open(device, t))
      assert.equal(actual.length, expected.length)
      for (const [index, values] of expected.entries()) {
        const difference = largestDifference(actual[index]!, values)
        assert.ok(difference < 1e-3, `step ${index}: ${difference}`)
      }
    },
  )

  test(
    `${device}: calls that share batches, are put back and held to a form get the processor's texts`,
    options,
    async (t) => {
      const here = schedulerOn(processor)
      const expected = await answers(here.scheduler, here.events, WORKS)
      const decoder = await open(device, t)
      for (const cacheBytes of [SETTINGS.cacheBytes, 2 ** 21]) {
        const there = schedulerOn(decoder, cacheBytes)
        assert.deepEqual(await answers(there.scheduler, there.events, WORKS), expected)
      }
    },
  )

  test(`${device}: the memory of caches is given back`, options, async (t) => {
    const decoder = await open(device, t)
    const memory = decoder.memory as DeviceMemory
    const { scheduler, events } = schedulerOn(decoder)
    const sampling = samplingParameters({ temperature: 1, maxTokens: 2 })
    const sizes: number[] = []
    for (let round = 0; round < 3; round++) {
      const works = [5, 1, 6].map((samples, call) =>
        generateWork({
          prompt: Int32Array.from(ids.slice(0, 34 + call + 3 * round)),
          samples,
          sampling,
          seed: round,
        }),
      )
      await answers(scheduler, events, works)
      assert.equal(scheduler.held['prompts'], 0)
      sizes.push(memory.bytes)
    }
    const kept = 2 ** 20
    assert.ok(Math.max(...sizes) < sizes[0]! + kept, `bytes after each round: ${sizes.join()}`)
  })

  test(`${device}: an engine answers, ends and answers again`, options, async () => {
    for (let round = 0; round < 2; round++) {
      const chosen: string[] = []
      const engine = new Engine({
        folder: FOLDER,
        device,
        onLoaded: ({ device: on }) => chosen.push(on),
      })
      let text = ''
      for await (const chunk of engine.generate(WORKS[1]!, never))
        if (chunk.type === 'delta') text += chunk.text
      await engine.close()
      assert.ok(reference('review').greedy_text.startsWith(text) && text !== '')
      assert.deepEqual(chosen, [device])
    }
  })
}

test('a prompt is kept as long as somebody uses it, and no longer', () => {
  const released: number[] = []
  const memory = {
    shape: processor.memory.shape,
    allocate: (rows: number, stride: number) => ({
      rows,
      stride,
      copyFrom: () => undefined,
      release: () => released.push(stride),
    }),
  }
  const library = new PromptLibrary(memory, 2 ** 20)
  const [used, kept, forgotten] = [20, 30, 40].map((size) => library.create(new Int32Array(size)))
  library.add(kept!)
  library.release([{ prefix: { cache: used!, length: 1 } }, { prefix: undefined }])
  assert.deepEqual(released, [forgotten!.capacity])
  library.release([])
  assert.deepEqual(released, [forgotten!.capacity, used!.capacity])
  assert.equal(library.unkept, 0)
})
