/** The only file that touches ONNX Runtime. Its run blocks the thread, so sessions live in a worker. */
import { statSync } from 'node:fs'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { RefineError } from '../../core/errors.ts'
import type { OnnxModel } from '../graphs/graph-builder.ts'

export type TensorData = Float32Array | BigInt64Array

export interface InputTensor {
  readonly data: TensorData
  readonly dimensions: readonly number[]
}

/** Results by output name, in memory of their own. */
export type Outputs = Readonly<Record<string, Float32Array | Int32Array>>

/** Wraps `data` without a copy: later changes of the array are seen by the next run. */
export const makeTensor = (data: TensorData, dimensions: readonly number[]): Tensor =>
  data instanceof Float32Array
    ? new Tensor('float32', data, dimensions)
    : new Tensor('int64', data, dimensions)

export type { Tensor }

/**
 * Threads that wait for their share of an operator spin for 20 microseconds, which bridges the gap to the next one, and
 * sleep then. By default they spin for so long that they take the cores from the event loop and from other programs.
 */
const SPIN_BRIEFLY = { session: { intra_op: { spin_duration_us: '20' } } } as const

export class Session {
  /** Bytes of the weights. */
  readonly weightBytes: number
  /** Element types of what a run takes, by name. */
  readonly inputTypes: ReadonlyMap<string, string>
  readonly #session: InferenceSession

  private constructor(session: InferenceSession, weightBytes: number) {
    this.#session = session
    this.weightBytes = weightBytes
    this.inputTypes = new Map(
      session.inputMetadata.map((input) => [input.name, input.isTensor ? input.type : 'other']),
    )
  }

  /**
   * @param model a graph of ours, or the path of an ONNX file; the runtime finds the data that lie beside it
   * @throws RefineError model_failed when the runtime refuses the graph.
   */
  static async create(model: OnnxModel | string, threads: number): Promise<Session> {
    try {
      const options: InferenceSession.SessionOptions = {
        intraOpNumThreads: threads,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        logSeverityLevel: 4, // failures are thrown, and told by whoever catches them
        extra: SPIN_BRIEFLY,
      }
      if (typeof model === 'string')
        return new Session(await InferenceSession.create(model, options), statSync(model).size)
      const { bytes, externalData } = model
      return new Session(
        await InferenceSession.create(bytes, { ...options, externalData }),
        externalData.reduce((sum, { data }) => sum + data.byteLength, 0),
      )
    } catch (cause) {
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
