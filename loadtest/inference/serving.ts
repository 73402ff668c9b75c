/** The engine as the server has it, in its own thread: the first token under load, and the event loop beside it. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Engine } from '../../src/inference/engine.ts'
import type { GenerateWork } from '../../src/inference/protocol.ts'
import { milliseconds, RESOLUTION_MS } from '../probe.ts'
import { summarise, type Summary } from '../statistics.ts'
import { randomPrompt } from './rounds.ts'

export interface ServingOptions {
  readonly location: string
  readonly weights: 'fp32' | 'int8'
  readonly threads: number
}

/** Small, so that prompts kept for reuse have filled it long before a soak looks for growth. */
const PROMPT_BYTES = 16 * 2 ** 20

/** Draws from the model's own distribution, `maxTokens` tokens at most. */
export const plainSampling = (maxTokens: number): GenerateWork['sampling'] => ({
  temperature: 1,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  maxTokens,
  stop: [],
})

/** One for each call: nothing here is ever cancelled. */
export const patience = (): AbortSignal => new AbortController().signal

export const workOf = (
  prompt: readonly number[],
  samples: number,
  maxTokens: number,
): GenerateWork => ({
  prompt: Int32Array.from(prompt),
  samples,
  sampling: plainSampling(maxTokens),
  keepStop: false,
  seed: 1,
  topLogProbabilities: undefined,
})

/** A loaded engine, to be closed by the caller. */
export const openEngine = async ({
  location,
  weights,
  threads,
}: ServingOptions): Promise<Engine> => {
  const engine = new Engine({
    folder: location,
    weights,
    threads,
    device: 'cpu',
    maxRows: 64,
    promptBytes: PROMPT_BYTES,
  })
  await engine.ready()
  return engine
}

/** Milliseconds from the call to the first token of its answer. */
const firstToken = async (engine: Engine, work: GenerateWork): Promise<number> => {
  const start = performance.now()
  for await (const chunk of engine.generate(work, patience()))
    if (chunk.type !== 'usage') return performance.now() - start
  return performance.now() - start
}

/** Requests with different prompts, all at once. */
export const measureFirstTokens = async (
  engine: Engine,
  vocabulary: number,
  length: number,
  concurrencies: readonly number[],
): Promise<Record<string, Summary>> => {
  const result: Record<string, Summary> = {}
  let seed = 1000
  for (const concurrency of concurrencies) {
    const calls = Array.from({ length: concurrency }, () =>
      firstToken(engine, workOf(randomPrompt(length, vocabulary, seed++), 1, 8)),
    )
    result[String(concurrency)] = summarise(await Promise.all(calls))
  }
  return result
}

/** The 99th percentile of this thread's delay, in milliseconds, while 32 samples decode and stream their text. */
export const measureEventLoop = async (
  engine: Engine,
  vocabulary: number,
  length: number,
  steps: number,
): Promise<number> => {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const work = workOf(randomPrompt(length, vocabulary, 7), 32, steps)
  for await (const chunk of engine.generate(work, patience())) void chunk
  delay.disable()
  return milliseconds(delay.percentile(99))
}
