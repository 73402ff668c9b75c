/** The only file that touches ONNX Runtime. Its run blocks the thread, so sessions live in a worker. */
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

export class Session {
  readonly #session: InferenceSession

  private constructor(session: InferenceSession) {
    this.#session = session
  }

  /** @throws RefineError model_failed when the runtime refuses the graph. */
  static async create({ bytes, externalData }: OnnxModel, threads: number): Promise<Session> {
    try {
      const session = await InferenceSession.create(bytes, {
        externalData,
        intraOpNumThreads: threads,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
      })
      return new Session(session)
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
