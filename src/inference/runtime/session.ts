/** ONNX Runtime through onnxruntime-node. Its run blocks the thread, so sessions live in a worker. */
import { statSync } from 'node:fs'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Device } from '../../core/device.ts'
import type { OnnxModel } from '../graphs/graph-builder.ts'
import { onDevice, type ChosenDevice } from './choose-device.ts'
import { PROVIDERS } from './devices.ts'

/** Bytes are truth values. */
export type TensorData = Float32Array | BigInt64Array | Uint8Array

/** Results by output name, in memory of their own. */
export type Outputs = Readonly<Record<string, Float32Array | Int32Array>>

/** Wraps `data` without a copy: later changes of the array are seen by the next run. */
export const makeTensor = (data: TensorData, dimensions: readonly number[]): Tensor => {
  if (data instanceof Float32Array) return new Tensor('float32', data, dimensions)
  return data instanceof Uint8Array
    ? new Tensor('bool', data, dimensions)
    : new Tensor('int64', data, dimensions)
}

export type { Tensor }

/**
 * Threads that wait for their share of an operator spin for 20 microseconds, which bridges the gap to the next one, and
 * sleep then. By default they spin for so long that they take the cores from the event loop and from other programs.
 */
const SPIN_BRIEFLY = { session: { intra_op: { spin_duration_us: '20' } } } as const

export interface SessionOptions {
  /** Threads of one run on the processor. */
  readonly threads: number
  readonly device: Device
}

export class Session {
  /** Bytes of the weights. */
  readonly weightBytes: number
  /** Element types of what a run takes, by name. */
  readonly inputTypes: ReadonlyMap<string, string>
  readonly chosen: ChosenDevice
  readonly #session: InferenceSession

  private constructor(session: InferenceSession, weightBytes: number, chosen: ChosenDevice) {
    this.#session = session
    this.weightBytes = weightBytes
    this.chosen = chosen
    this.inputTypes = new Map(
      session.inputMetadata.map((input) => [input.name, input.isTensor ? input.type : 'other']),
    )
  }

  /**
   * Makes a session on the device, as `onDevice` has it.
   * @param model a graph of ours, or the path of an ONNX file; the runtime finds the data that lie beside it
   * @throws RefineError model_failed when the runtime refuses the graph, or the device is not to be had.
   */
  static create(model: OnnxModel | string, { threads, device }: SessionOptions): Promise<Session> {
    return onDevice(device, (chosen) => Session.open(model, chosen, threads))
  }

  /** @throws Error with the runtime's own words. */
  static async open(
    model: OnnxModel | string,
    chosen: ChosenDevice,
    threads: number,
  ): Promise<Session> {
    const options: InferenceSession.SessionOptions = {
      executionProviders: [PROVIDERS[chosen.device]],
      intraOpNumThreads: threads,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      logSeverityLevel: 4, // failures are thrown, and told by whoever catches them
      extra: SPIN_BRIEFLY,
    }
    if (typeof model === 'string') {
      const session = await InferenceSession.create(model, options)
      return new Session(session, statSync(model).size, chosen)
    }
    const { bytes, externalData } = model
    const session = await InferenceSession.create(bytes, { ...options, externalData })
    const weightBytes = externalData.reduce((sum, { data }) => sum + data.byteLength, 0)
    return new Session(session, weightBytes, chosen)
  }

  /** Computes the named outputs; only these are copied out of the runtime. Blocks this thread while it runs. */
  async run(feeds: Readonly<Record<string, Tensor>>, outputs: readonly string[]): Promise<Outputs> {
    const results = await this.#session.run(feeds, outputs)
    return Object.fromEntries(
      outputs.map((name) => [name, results[name]!.data as Float32Array | Int32Array]),
    )
  }

  async close(): Promise<void> {
    await this.#session.release()
  }
}
