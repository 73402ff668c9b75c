/** Runs a decoder on the processor: its graph, and where it pays one that is only for single tokens. */
import { cacheShape } from '../cache/cache-shape.ts'
import { ProcessBlock, ProcessMemory } from '../cache/process-memory.ts'
import type { TensorSource } from '../checkpoint/tensor-source.ts'
import { writeDecoderGraph, type DecoderPlan } from '../graphs/decoder-graph.ts'
import type { OnnxModel } from '../graphs/graph-builder.ts'
import { PreparedWeights } from '../graphs/prepared-weights.ts'
import type { GraphResults, GraphRun, GraphRuntime } from './graph-runtime.ts'
import type { ChosenDevice } from './choose-device.ts'
import { Session, type Tensor } from './session.ts'

/**
 * The runtime holds weights once per session. Up to this many bytes of them, a step of a single sample waits for its
 * operators more than for its weights, and a quarter fewer of them are worth a second copy. SmolLM2-135M with 134 MiB
 * gains 1 to 5 % by it, which is not worth its 220 MiB of memory.
 */
const WORTH_A_COPY = 32 * 1024 * 1024

const weightBytes = ({ externalData }: OnnxModel): number =>
  externalData.reduce((sum, { data }) => sum + data.byteLength, 0)

export class ProcessRuntime implements GraphRuntime {
  readonly memory: ProcessMemory
  readonly emptyTokens: 0 | 1
  readonly pastRank = 5
  readonly inputNames: ReadonlySet<string>
  readonly #any: Session
  /** For runs of one new token of one row without a prefix. */
  readonly #single: Session | undefined

  private constructor(memory: ProcessMemory, any: Session, single?: Session) {
    this.memory = memory
    this.#any = any
    this.#single = single
    this.emptyTokens = any.chosen.device === 'cpu' ? 0 : 1
    this.inputNames = new Set(any.inputTypes.keys())
  }

  /** @throws RefineError model_failed as `writeDecoderGraph`; Error as `Session.open`. */
  static async open(
    plan: DecoderPlan,
    weights: TensorSource,
    chosen: ChosenDevice,
    threads: number,
  ): Promise<ProcessRuntime> {
    const memory = new ProcessMemory(cacheShape(plan.shape))
    const shared = { ...plan, prepared: new PreparedWeights() }
    const graph = writeDecoderGraph(shared, weights)
    const any = await Session.open(graph, chosen, threads)
    const decodes = plan.head === undefined || plan.head.type === 'tokens'
    if (!decodes || chosen.device !== 'cpu' || weightBytes(graph) > WORTH_A_COPY)
      return new ProcessRuntime(memory, any)
    const writtenForOne = writeDecoderGraph(shared, weights, 'single')
    const single = await Session.open(writtenForOne, chosen, threads)
    return new ProcessRuntime(memory, any, single)
  }

  /** The same sessions, without what is only for single tokens. */
  withoutSingle(): ProcessRuntime {
    return new ProcessRuntime(this.memory, this.#any)
  }

  get chosen(): ChosenDevice {
    return this.#any.chosen
  }

  get weightBytes(): number {
    return this.#any.weightBytes
  }

  get hasSingle(): boolean {
    return this.#single !== undefined
  }

  async run(form: 'any' | 'single', run: GraphRun): Promise<GraphResults> {
    const { feeds, caches, present } = run
    const all: Record<string, Tensor> = { ...feeds }
    for (const { names, block, dimensions } of caches) {
      const tensors = (block as ProcessBlock).tensors(dimensions)
      for (const [part, name] of names.entries()) all[name] = tensors[part]!
    }
    const session = form === 'single' ? this.#single! : this.#any
    const wanted = run.outputs.map(({ name }) => name)
    const outputs = await session.run(all, [...present.names, ...wanted])
    const parts = present.names.map((name) => outputs[name] as Float32Array)
    return {
      present: new ProcessBlock(this.memory.shape, present.rows, present.length, parts),
      outputs,
    }
  }

  async close(): Promise<void> {
    await this.#any.close()
    await this.#single?.close()
  }
}
