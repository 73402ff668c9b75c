/** Opens a decoder where it is to compute. */
import type { TensorSource } from '../checkpoint/tensor-source.ts'
import type { DecoderPlan } from '../graphs/decoder-graph.ts'
import { onDevice } from './choose-device.ts'
import type { GraphRuntime } from './graph-runtime.ts'
import { isMemoryDevice } from './native/device-session.ts'
import { DeviceRuntime } from './native/device-runtime.ts'
import { ProcessRuntime } from './process-runtime.ts'
import type { SessionOptions } from './session.ts'

/** @throws RefineError model_failed as `onDevice` and `writeDecoderGraph` do. */
export const openRuntime = (
  plan: DecoderPlan,
  weights: TensorSource,
  { device, threads }: SessionOptions,
): Promise<GraphRuntime> =>
  onDevice<GraphRuntime>(device, (chosen) =>
    isMemoryDevice(chosen.device)
      ? DeviceRuntime.open(plan, weights, { ...chosen, device: chosen.device }, threads)
      : ProcessRuntime.open(plan, weights, chosen, threads),
  )
