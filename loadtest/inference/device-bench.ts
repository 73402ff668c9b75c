/** Our engine alone on a device: tokens per second of many samples of one prompt, and the share of what the memory could give. */
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { bytesPerToken, cacheShape } from '../../src/inference/cache/cache-shape.ts'
import type { RealDevice } from '../../src/inference/runtime/devices.ts'
import { probeSpeed } from '../../src/inference/runtime/speed-probe.ts'
import { randomPrompt } from './rounds.ts'
import { openScheduled, type Precision } from './whetstone.ts'

const SAMPLES = [1, 32, 256]
const CONTEXT = 1024
const STEPS = 64

export interface DeviceCell {
  readonly weights: Precision
  readonly samples: number
  readonly context: number
  readonly prefill_tokens_per_second: number
  readonly decode_tokens_per_second: number
  readonly milliseconds_per_step: number
  /** Of the rate measured in the same run: weights, the prompt's cache once, and half of each sample's own cache. */
  readonly bandwidth: number
}

export interface DeviceRequest {
  readonly location: string
  readonly device: RealDevice
  readonly weights: readonly Precision[]
  readonly threads: number
}

export const benchDevice = async (
  { location, device, weights, threads }: DeviceRequest,
  tell: (line: string) => void,
) => {
  const speed = await probeSpeed(device, threads)
  tell(
    `${device}: ${speed.gigabytesPerSecond.toFixed(0)} GB/s, ${speed.gigaflops.toFixed(0)} GFLOP/s in float32`,
  )
  const { decoder: shape } = openCheckpoint(location).config()
  const cells: DeviceCell[] = []
  for (const precision of weights) {
    const opened = await openScheduled({ location, weights: precision, threads, device })
    const perToken = bytesPerToken(cacheShape(shape))
    let seed = 1
    const job = (samples: number, steps: number) => ({
      prompt: randomPrompt(
        Math.min(CONTEXT, shape.contextLength - STEPS - 1),
        shape.vocabulary,
        seed++,
      ),
      samples,
      steps,
    })
    for (const samples of SAMPLES) {
      // Once without the clock: kernels are compiled and memory is found when a size is first met.
      await opened.run(job(samples, STEPS))
      const { prompt, ...sizes } = job(samples, STEPS)
      const timing = await opened.run({ prompt, ...sizes })
      const steps = timing.decodeSeconds / STEPS
      const bytes = opened.weightBytes + (prompt.length + (samples * STEPS) / 2) * perToken
      const cell: DeviceCell = {
        weights: precision,
        samples,
        context: prompt.length,
        prefill_tokens_per_second: prompt.length / timing.prefillSeconds,
        decode_tokens_per_second: timing.tokens / timing.decodeSeconds,
        milliseconds_per_step: steps * 1000,
        bandwidth: bytes / steps / (speed.gigabytesPerSecond * 1e9),
      }
      cells.push(cell)
      tell(
        `${precision} context ${cell.context} samples ${String(samples).padStart(3)}  prefill ${cell.prefill_tokens_per_second.toFixed(0)} tok/s  decode ${cell.decode_tokens_per_second.toFixed(0)} tok/s  ${cell.milliseconds_per_step.toFixed(2)} ms per step  ${(100 * cell.bandwidth).toFixed(1)} % of the bandwidth`,
      )
    }
    await opened.close()
  }
  return { device, speed, cells }
}
