/** The only file that touches ONNX Runtime. Its run blocks the thread, so sessions live in a worker. */
import { statSync } from 'node:fs'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { RefineError } from '../../core/errors.ts'
import type { Device } from '../../core/device.ts'
import type { OnnxModel } from '../graphs/graph-builder.ts'
import { ADVICE, AUTO_DEVICES, obstacleOf, PROVIDERS, type RealDevice } from './devices.ts'

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

/** What a session computes on, and why that. */
export interface ChosenDevice {
  readonly device: RealDevice
  readonly reason: string
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
   * Makes a session on the device; `auto` tries the faster ones and falls back to the processor, anything else is used
   * or fails.
   * @param model a graph of ours, or the path of an ONNX file; the runtime finds the data that lie beside it
   * @throws RefineError model_failed when the runtime refuses the graph, or the device is not to be had: then it says
   *   what was tried and what is missing.
   */
  static async create(
    model: OnnxModel | string,
    { threads, device }: SessionOptions,
  ): Promise<Session> {
    if (device !== 'auto') return Session.#on(device, model, threads, 'as configured')
    const passed: string[] = []
    for (const candidate of AUTO_DEVICES) {
      const obstacle = obstacleOf(candidate)
      if (obstacle === undefined) {
        try {
          return await Session.#on(candidate, model, threads, 'the first that works')
        } catch (thrown) {
          passed.push((thrown as Error).message)
        }
      } else passed.push(`${candidate}: ${obstacle}`)
    }
    return Session.#on('cpu', model, threads, `no faster device: ${passed.join('; ')}`)
  }

  static async #on(
    device: RealDevice,
    model: OnnxModel | string,
    threads: number,
    reason: string,
  ): Promise<Session> {
    const obstacle = obstacleOf(device)
    if (obstacle !== undefined) throw noDevice(device, obstacle)
    try {
      const options: InferenceSession.SessionOptions = {
        executionProviders: [PROVIDERS[device]],
        intraOpNumThreads: threads,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        logSeverityLevel: 4, // failures are thrown, and told by whoever catches them
        extra: SPIN_BRIEFLY,
      }
      const chosen = { device, reason }
      if (typeof model === 'string')
        return new Session(
          await InferenceSession.create(model, options),
          statSync(model).size,
          chosen,
        )
      const { bytes, externalData } = model
      return new Session(
        await InferenceSession.create(bytes, { ...options, externalData }),
        externalData.reduce((sum, { data }) => sum + data.byteLength, 0),
        chosen,
      )
    } catch (cause) {
      if (device !== 'cpu') throw noDevice(device, String(cause), cause)
      throw new RefineError('model_failed', `ONNX Runtime refused the model: ${String(cause)}`, {
        cause,
      })
    }
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

const noDevice = (device: RealDevice, why: string, cause?: unknown): RefineError =>
  new RefineError(
    'model_failed',
    `device ${device} cannot be used: ${why}. It needs: ${ADVICE[device]}. "whetstone doctor" shows every device; device: cpu always works.`,
    cause === undefined ? {} : { cause },
  )
