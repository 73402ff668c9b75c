/**
 * The loop that every example of onnxruntime-node shows: feed the past, fetch the present, copy it all once per token.
 * It is spared what examples also do: the prompt is computed once and its cache copied to every sample, and the token
 * is the likeliest one, found without a softmax.
 */
import path from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import {
  samePrompt,
  type Contestant,
  type Job,
  type OpenRequest,
  type Timing,
} from './contestant.ts'

type Feeds = Record<string, Tensor>

interface Filled {
  readonly prompt: readonly number[]
  readonly results: Readonly<Feeds>
  readonly seconds: number
}

const integers = (values: readonly number[], dimensions: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), dimensions)

/** The likeliest token of the last position of each row. */
const likeliest = ({ data, dims }: Tensor): number[] => {
  const [rows, length, vocabulary] = dims as [number, number, number]
  const logits = data as Float32Array
  return Array.from({ length: rows }, (_, row) => {
    const start = (row * length + length - 1) * vocabulary
    let best = 0
    for (let token = 1; token < vocabulary; token++)
      if (logits[start + token]! > logits[start + best]!) best = token
    return best
  })
}

const repeat = ({ data, dims }: Tensor, rows: number): Tensor => {
  const source = data as Float32Array
  const all = new Float32Array(source.length * rows)
  for (let row = 0; row < rows; row++) all.set(source, row * source.length)
  return new Tensor('float32', all, [rows, ...dims.slice(1)])
}

export const openStockLoop = async ({ files, threads }: OpenRequest): Promise<Contestant> => {
  const { layers, keyValueHeads, headSize } = openCheckpoint(files.checkpoint).config().decoder
  const session = await InferenceSession.create(path.join(files.onnx!, 'onnx', 'model.onnx'), {
    intraOpNumThreads: threads,
  })
  const names = Array.from({ length: layers }, (_, layer) => [
    `${layer}.key`,
    `${layer}.value`,
  ]).flat()
  const empty = new Tensor('float32', new Float32Array(), [1, keyValueHeads, 0, headSize])
  let kept: Filled | undefined
  const fill = async (prompt: readonly number[]): Promise<Filled> => {
    const start = performance.now()
    const results = await session.run({
      input_ids: integers(prompt, [1, prompt.length]),
      attention_mask: integers(
        prompt.map(() => 1),
        [1, prompt.length],
      ),
      ...Object.fromEntries(names.map((name) => [`past_key_values.${name}`, empty])),
    })
    return { prompt, results, seconds: (performance.now() - start) / 1000 }
  }
  const run = async ({ prompt, samples, steps }: Job): Promise<Timing> => {
    if (kept === undefined || !samePrompt(kept.prompt, prompt)) kept = await fill(prompt)
    const { results: first, seconds: prefillSeconds } = kept
    let cache: Feeds = Object.fromEntries(
      names.map((name) => [`past_key_values.${name}`, repeat(first[`present.${name}`]!, samples)]),
    )
    let tokens = Array.from({ length: samples }, () => likeliest(first['logits']!)[0]!)
    const filled = performance.now()
    for (let step = 0; step < steps; step++) {
      const width = prompt.length + step + 1
      const results = await session.run({
        input_ids: integers(tokens, [samples, 1]),
        attention_mask: integers(
          Array.from({ length: samples * width }, () => 1),
          [samples, width],
        ),
        ...cache,
      })
      tokens = likeliest(results['logits']!)
      cache = Object.fromEntries(
        names.map((name) => [`past_key_values.${name}`, results[`present.${name}`]!]),
      )
    }
    return {
      prefillSeconds,
      decodeSeconds: (performance.now() - filled) / 1000,
      tokens: samples * steps,
    }
  }
  return { precision: files.weights, run, close: () => session.release() }
}
