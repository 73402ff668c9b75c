/** Tiny checkpoints with reference values; `models/reference` made them and says how. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createRandom } from '../../src/core/random.ts'
import { PromptCache } from '../../src/inference/cache/prompt-cache.ts'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import type { WeightFormat } from '../../src/inference/graphs/linear.ts'
import { GraphDecoder, type Decoder } from '../../src/inference/runtime/decoder.ts'
import { ProcessRuntime } from '../../src/inference/runtime/process-runtime.ts'
import { ROOT } from './model-fixture.ts'

export const FIXTURES = path.join(ROOT, 'test/fixtures/checkpoints')

export interface LanguageReference {
  readonly name: string
  readonly last_logits: readonly number[]
  readonly token_log_probabilities: readonly number[]
  readonly greedy_ids: readonly number[]
}

export interface TinyModel {
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: Readonly<Record<string, readonly number[]>>
}

interface Models {
  readonly ids: readonly number[]
  readonly language: readonly (TinyModel & LanguageReference)[]
  readonly heads: readonly (TinyModel & { readonly result: readonly (readonly number[])[] })[]
  readonly gguf: readonly (LanguageReference & { readonly file: string })[]
  readonly export: Omit<LanguageReference, 'name'> & Pick<TinyModel, 'config'>
}

export const readFixture = <Contents>(name: string): Contents =>
  JSON.parse(readFileSync(path.join(FIXTURES, name), 'utf8')) as Contents

export const MODELS = readFixture<Models>('models.json')

const seedOf = (name: string): number =>
  Buffer.from(name).reduce((seed, byte) => Math.imul(seed ^ byte, 0x01000193), 0x811c9dc5)

/** As `models/reference/weights.py`, bit by bit. */
const valuesOf = (name: string, shape: readonly number[]): Float32Array => {
  const random = createRandom(seedOf(name))
  const spread = Math.sqrt(3 / shape.at(-1)!) * 1.5
  const count = shape.reduce((product, dimension) => product * dimension, 1)
  return Float32Array.from({ length: count }, () => {
    const centred = random.next() * 2 - 1
    if (shape.length > 1) return centred * spread
    return name.endsWith('bias') ? centred * 0.5 : 1 + centred * 0.3
  })
}

const safetensors = (tensors: TinyModel['tensors']): Buffer => {
  const header: Record<string, unknown> = {}
  const data: Buffer[] = []
  let at = 0
  for (const [name, shape] of Object.entries(tensors)) {
    const bytes = Buffer.from(valuesOf(name, shape).buffer)
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + bytes.length] }
    at += bytes.length
    data.push(bytes)
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, ...data])
}

const created: string[] = []
process.once('exit', () => created.forEach((folder) => rmSync(folder, { recursive: true })))

export const temporaryFolder = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'checkpoint-'))
  created.push(folder)
  return folder
}

/** Writes the model in Hugging Face layout and returns the folder, which goes with the process. */
export const writeCheckpoint = ({ config, tensors }: TinyModel): string => {
  const folder = temporaryFolder()
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    copyFileSync(path.join(FIXTURES, name), path.join(folder, name))
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(path.join(folder, 'model.safetensors'), safetensors(tensors))
  return folder
}

const PROCESSOR = { device: 'cpu', reason: 'as configured' } as const

export interface Opened {
  readonly decoder: Decoder
  /** The same without what it has for single tokens. */
  readonly general: Decoder
  readonly close: () => Promise<void>
}

export const openDecoder = async (
  location: string,
  format: WeightFormat = 'fp32',
): Promise<Opened> => {
  const checkpoint = openCheckpoint(location)
  const { decoder: shape, head } = checkpoint.config()
  const weights = checkpoint.weights()
  const runtime = await ProcessRuntime.open({ shape, format, head }, weights, PROCESSOR, 1)
  weights.close()
  return {
    decoder: new GraphDecoder(runtime, shape),
    general: new GraphDecoder(runtime.withoutSingle(), shape),
    close: () => runtime.close(),
  }
}

export const ascending = (count: number, start = 0): BigInt64Array =>
  BigInt64Array.from({ length: count }, (_, index) => BigInt(start + index))

/** Logits of every position, and the log-probability of each next token. */
export const score = async (decoder: Decoder, ids: readonly number[]) => {
  const count = ids.length
  const { head, present } = await decoder.run({
    rows: 1,
    length: count,
    tokens: BigInt64Array.from(ids, BigInt),
    positions: ascending(count),
    head: {
      rows: ascending(count),
      outputs: ['logits', 'target_logits', 'normaliser'],
      targets: BigInt64Array.from([...ids.slice(1), 0], BigInt),
    },
  })
  const logProbabilities = ids
    .slice(1)
    .map((_, index) => head['target_logits']![index]! - head['normaliser']![index]!)
  const last = head['logits']!.slice((count - 1) * decoder.shape.vocabulary)
  return { logProbabilities, last, present }
}

/** A cache with room for all of `ids` that was filled up to the last of `ends`, a chunk to each of them. */
export const cacheInChunks = async (
  decoder: Decoder,
  ids: readonly number[],
  ends: readonly number[],
): Promise<PromptCache> => {
  const cache = new PromptCache(decoder.memory, Int32Array.from(ids))
  for (const end of ends) {
    const start = cache.length
    const { present } = await decoder.run({
      rows: 1,
      length: end - start,
      tokens: BigInt64Array.from(ids.slice(start, end), BigInt),
      positions: ascending(end - start, start),
      ...(start > 0 && { prefix: { cache, length: start } }),
      head: { rows: ascending(0), outputs: [] },
    })
    cache.append(present, 0, end - start)
    present.release()
  }
  return cache
}

export const largestDifference = (left: ArrayLike<number>, right: ArrayLike<number>): number => {
  if (left.length !== right.length) return Infinity
  return Array.from(left).reduce(
    (most, value, index) => Math.max(most, Math.abs(value - right[index]!)),
    0,
  )
}
