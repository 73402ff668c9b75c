import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import type { ProcessBlock } from '../../src/inference/cache/process-memory.ts'
import { PromptCache } from '../../src/inference/cache/prompt-cache.ts'
import { RowCache } from '../../src/inference/cache/row-cache.ts'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { openSafetensors } from '../../src/inference/checkpoint/safetensors.ts'
import { writeDecoderGraph } from '../../src/inference/graphs/decoder-graph.ts'
import { GraphDecoder } from '../../src/inference/runtime/decoder.ts'
import { openRuntime } from '../../src/inference/runtime/open-runtime.ts'
import { FOLDER, reference, REFERENCE } from './model-fixture.ts'

const { decoder: shape } = openCheckpoint(FOLDER).config()
const weights = openSafetensors(FOLDER)
const runtime = await openRuntime({ shape, format: 'fp32' }, weights, {
  threads: 1,
  device: 'cpu',
})
weights.close()
const decoder = new GraphDecoder(runtime, shape)
after(() => runtime.close())

const TOLERANCE = 1e-3
const SCORES = ['target_logits', 'normaliser', 'logits', 'top_logits', 'top_tokens'] as const

const ascending = (count: number, start = 0): BigInt64Array =>
  BigInt64Array.from({ length: count }, (_, index) => BigInt(start + index))

/** One row of new tokens after a prefix; log-probabilities of each token's successor. */
const compute = async (ids: readonly number[], start = 0, cache?: PromptCache) => {
  const fresh = ids.slice(start)
  const targets = BigInt64Array.from([...fresh.slice(1), 0], BigInt)
  const { head, present } = await decoder.run({
    rows: 1,
    length: fresh.length,
    tokens: BigInt64Array.from(fresh, BigInt),
    positions: ascending(fresh.length, start),
    ...(cache && { prefix: { cache, length: start } }),
    head: { rows: ascending(fresh.length), outputs: SCORES, targets, topCount: 10 },
  })
  const logProbabilities = fresh.map(
    (_, index) => head['target_logits']![index]! - head['normaliser']![index]!,
  )
  return { head, present, logProbabilities }
}

const assertClose = (actual: ArrayLike<number>, expected: ArrayLike<number>): void => {
  assert.equal(actual.length, expected.length)
  for (let index = 0; index < expected.length; index++)
    assert.ok(
      Math.abs(actual[index]! - expected[index]!) < TOLERANCE,
      `entry ${index}: ${actual[index]} against ${expected[index]}`,
    )
}

for (const {
  name,
  ids,
  token_log_probabilities,
  last_logits_first_8,
  last_logits_top,
} of REFERENCE)
  test(`log-probabilities and logits of the ${name} prompt equal the independent implementation`, async () => {
    const { head, logProbabilities } = await compute(ids)
    assertClose(logProbabilities.slice(0, -1), token_log_probabilities)
    const last = (ids.length - 1) * shape.vocabulary
    assertClose(head['logits']!.slice(last, last + 8), last_logits_first_8)
    const top = (ids.length - 1) * 10
    assert.deepEqual(
      [...head['top_tokens']!.subarray(top, top + 10)],
      last_logits_top.map(([token]) => token),
    )
    assertClose(
      head['top_logits']!.slice(top, top + 10),
      last_logits_top.map(([, logit]) => logit),
    )
  })

test('a prompt computed in chunks has the same log-probabilities', async () => {
  const { ids, token_log_probabilities } = reference('review')
  const cache = new PromptCache(decoder.memory, Int32Array.from(ids))
  const found: number[] = []
  for (const end of [1, 40, 41, 90, ids.length]) {
    const start = cache.length
    const chunk = await compute(ids.slice(0, end), start, start > 0 ? cache : undefined)
    cache.append(chunk.present, 0, end - start)
    found.push(...chunk.logProbabilities.slice(0, -1))
    if (end < ids.length) {
      const logits = chunk.head['logits']!.slice(-shape.vocabulary)
      found.push(logits[ids[end]!]! - chunk.head['normaliser']!.at(-1)!)
    }
  }
  assertClose(found, token_log_probabilities)
})

/** Feeds one token per row and step and collects the log-probability of each next token. */
const teacherForce = async (
  texts: readonly (readonly number[])[],
  steps: number,
  shared?: PromptCache,
) => {
  const rows = new RowCache(decoder.memory)
  const prefix = shared && { cache: shared, length: shared.length }
  const starts: number[] = []
  for (const ids of texts) {
    const start = shared?.length ?? ids.length - steps - 1
    starts.push(start)
    if (shared !== undefined) {
      rows.add(undefined)
      continue
    }
    const cache = new PromptCache(decoder.memory, Int32Array.from(ids.slice(0, start)))
    cache.append((await compute(ids.slice(0, start))).present, 0, start)
    rows.add({ cache, length: start })
  }
  const found = texts.map((): number[] => [])
  for (let step = 0; step < steps; step++) {
    rows.prepare()
    const at = (row: number, offset: number): bigint => BigInt(texts[row]![starts[row]! + offset]!)
    const order = texts.map((_, row) => row)
    const { head, present } = await decoder.run({
      rows: texts.length,
      length: 1,
      tokens: BigInt64Array.from(order, (row) => at(row, step)),
      positions: BigInt64Array.from(order, (row) => BigInt(starts[row]! + step)),
      ...(prefix && { prefix }),
      past: rows.past(),
      head: {
        rows: ascending(texts.length),
        outputs: SCORES,
        targets: BigInt64Array.from(order, (row) => at(row, step + 1)),
      },
    })
    rows.append(present)
    for (const row of order)
      found[row]!.push(head['target_logits']![row]! - head['normaliser']![row]!)
  }
  return found
}

test('rows of different length decoded together equal the independent implementation', async () => {
  const steps = 30
  const found = await teacherForce(
    REFERENCE.map(({ ids }) => ids),
    steps,
  )
  for (const [row, { token_log_probabilities }] of REFERENCE.entries())
    assertClose(found[row]!, token_log_probabilities.slice(-steps))
})

test('rows that share one stored prefix equal the independent implementation', async () => {
  const { ids, token_log_probabilities } = reference('solve')
  const steps = 12
  const length = ids.length - steps - 1
  const cache = new PromptCache(decoder.memory, Int32Array.from(ids.slice(0, length)))
  cache.append((await compute(ids.slice(0, length))).present, 0, length)
  const found = await teacherForce([ids, ids, ids], steps, cache)
  for (const row of found) assertClose(row, token_log_probabilities.slice(-steps))
})

test('a row keeps its text when another leaves and when the room grows', async () => {
  const texts = REFERENCE.map(({ ids }) => Int32Array.from(ids.slice(0, 40)))
  const rows = new RowCache(decoder.memory)
  const caches: PromptCache[] = []
  for (const tokens of texts) {
    const cache = new PromptCache(decoder.memory, tokens)
    const { present } = await compute([...tokens])
    cache.append(present, 0, tokens.length)
    caches.push(cache)
    rows.add({ cache, length: cache.length })
  }
  rows.remove(0)
  assert.equal(rows.rows, 2)
  const { mask, block } = rows.past()
  assert.equal(mask.length, 2 * 64)
  // The last row took the place of the first.
  const tokens = (from: unknown) =>
    (from as ProcessBlock).parts[3]!.subarray(0, 40 * shape.headSize)
  assert.deepEqual(tokens(block), tokens(caches[2]!.block))
})

test('a draw inverts the cumulative distribution at the given number', async () => {
  const { ids } = reference('solve')
  const uniforms = Float32Array.of(0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999999)
  const temperatures = Float32Array.from(uniforms, (_, index) => 0.5 + index)
  const rows = new BigInt64Array(uniforms.length).fill(BigInt(ids.length - 1))
  const { head } = await decoder.run({
    rows: 1,
    length: ids.length,
    tokens: BigInt64Array.from(ids, BigInt),
    positions: ascending(ids.length),
    head: {
      rows,
      uniforms,
      temperatures,
      outputs: ['logits', 'drawn', 'drawn_logit', 'scaled_mass'],
    },
  })
  const logits = head['logits']!.slice(0, shape.vocabulary)
  for (const [row, uniform] of uniforms.entries()) {
    const highest = Math.max(...logits)
    const masses = Array.from(logits, (logit) => Math.exp((logit - highest) / temperatures[row]!))
    const total = masses.reduce((sum, mass) => sum + mass, 0)
    assert.ok(Math.abs(head['scaled_mass']![row]! / total - 1) < 1e-5)
    const drawn = head['drawn']![row]!
    const before = masses.slice(0, drawn).reduce((sum, mass) => sum + mass, 0) / total
    const within = masses[drawn]! / total
    assert.ok(before <= uniform + 1e-5 && before + within >= uniform - 1e-5, `row ${row}: ${drawn}`)
    assert.equal(head['drawn_logit']![row], logits[drawn])
  }
})

test('a graph takes no memory for the context that a model states', () => {
  const source = openSafetensors(FOLDER)
  const bytesWith = (contextLength: number): number =>
    writeDecoderGraph({ shape: { ...shape, contextLength }, format: 'fp32' }, source)
      .externalData.map(({ data }) => data.byteLength)
      .reduce((sum, bytes) => sum + bytes, 0)
  assert.equal(bytesWith(131_072), bytesWith(128))
  source.close()
})
