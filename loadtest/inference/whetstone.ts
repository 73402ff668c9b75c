/** Our engine without its thread: what a sample costs is the same, and no end token cuts an answer short. */
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import type { EngineEvent } from '../../src/inference/protocol.ts'
import { GraphDecoder } from '../../src/inference/runtime/decoder.ts'
import type { RealDevice } from '../../src/inference/runtime/devices.ts'
import { openRuntime } from '../../src/inference/runtime/open-runtime.ts'
import { Scheduler } from '../../src/inference/scheduler.ts'
import { readTokenText } from '../../src/inference/text/token-text.ts'
import type { Contestant, Job, OpenRequest, Timing } from './contestant.ts'
import { plainSampling } from './serving.ts'

const SETTINGS = { maxRows: 256, cacheBytes: 2 ** 32, promptBytes: 2 ** 27, prefillTokens: 128 }

export type Precision = 'fp32' | 'fp16' | 'int8'

export interface ScheduledRequest {
  readonly location: string
  readonly weights: Precision
  readonly threads: number
  readonly device: RealDevice
}

export interface Scheduled extends Contestant {
  readonly weightBytes: number
}

export const openScheduled = async (request: ScheduledRequest): Promise<Scheduled> => {
  const { location, weights: format, threads, device } = request
  const checkpoint = openCheckpoint(location)
  const { decoder: shape, head } = checkpoint.config()
  const weights = checkpoint.weights()
  const runtime = await openRuntime({ shape, format, head }, weights, { threads, device })
  weights.close()
  const decoder = new GraphDecoder(runtime, shape)
  const vocabulary = {
    text: readTokenText(checkpoint),
    endTokens: new Set<number>(),
    suppressedTokens: new Set<number>(),
    contextLength: shape.contextLength,
  }
  let onEvents: (events: readonly EngineEvent[]) => void = () => undefined
  const scheduler = new Scheduler(decoder, vocabulary, { ...SETTINGS, threads }, (events) =>
    onEvents(events),
  )
  let id = 0
  let prefillSeconds = 0
  const run = async ({ prompt, samples, steps }: Job): Promise<Timing> => {
    const start = performance.now()
    let filled = start
    onEvents = (events) => {
      for (const event of events) {
        if (event.type !== 'chunk' || event.chunk.type !== 'usage') continue
        filled = performance.now()
        if (event.chunk.cachedTokens === 0) prefillSeconds = (filled - start) / 1000
      }
    }
    scheduler.generate(id++, {
      prompt: Int32Array.from(prompt),
      samples,
      sampling: plainSampling(steps),
      keepStop: false,
      seed: id,
      topLogProbabilities: undefined,
    })
    await scheduler.run()
    return {
      prefillSeconds,
      decodeSeconds: (performance.now() - filled) / 1000,
      tokens: samples * steps,
    }
  }
  const { weightBytes } = decoder
  return { precision: format, weightBytes, run, close: () => decoder.close() }
}

export const openWhetstone = ({ files, threads }: OpenRequest): Promise<Contestant> =>
  openScheduled({ location: files.checkpoint, weights: files.weights, threads, device: 'cpu' })
