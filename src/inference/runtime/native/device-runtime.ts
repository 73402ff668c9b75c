/** Runs a decoder on a device whose memory holds weights and caches; tokens, masks and results alone cross over. */
import { cacheShape } from '../../cache/cache-shape.ts'
import type { TensorSource } from '../../checkpoint/tensor-source.ts'
import { writeDecoderGraph, type DecoderPlan } from '../../graphs/decoder-graph.ts'
import type { GraphResults, GraphRun, GraphRuntime } from '../graph-runtime.ts'
import type { ChosenDevice } from '../choose-device.ts'
import { DeviceMemory, type DeviceBlock } from './device-memory.ts'
import { DeviceSession, type DeviceTensor, type MemoryDevice } from './device-session.ts'
import { NativeLibrary } from './library.ts'

export class DeviceRuntime implements GraphRuntime {
  readonly memory: DeviceMemory
  readonly chosen: ChosenDevice
  readonly inputNames: ReadonlySet<string>
  readonly hasSingle = false
  readonly emptyTokens = 1
  readonly pastRank = 4
  readonly #session: DeviceSession

  private constructor(
    session: DeviceSession,
    memory: DeviceMemory,
    inputs: ReadonlySet<string>,
    chosen: ChosenDevice,
  ) {
    this.#session = session
    this.memory = memory
    this.inputNames = inputs
    this.chosen = chosen
  }

  /** @throws Error with the runtime's own words when the device cannot be used; RefineError as `writeDecoderGraph`. */
  static async open(
    plan: DecoderPlan,
    weights: TensorSource,
    chosen: ChosenDevice & { readonly device: MemoryDevice },
    threads: number,
  ): Promise<DeviceRuntime> {
    const library = await NativeLibrary.load()
    const graph = writeDecoderGraph(plan, weights, chosen.device)
    const session = new DeviceSession(library, graph, chosen.device, threads)
    const memory = new DeviceMemory(library, cacheShape(plan.shape), chosen.device, threads)
    return new DeviceRuntime(session, memory, new Set(graph.inputs), chosen)
  }

  get weightBytes(): number {
    return this.#session.weightBytes
  }

  async run(_form: 'any' | 'single', run: GraphRun): Promise<GraphResults> {
    const { rows, length, names } = run.present
    const { heads, headSize } = this.memory.shape
    const present = this.memory.allocateUnset(rows, length)
    const outputs = this.#session.run({
      feeds: run.feeds,
      inputs: run.caches.flatMap((cache) =>
        pair(cache.names, (cache.block as DeviceBlock).views(cache.dimensions)),
      ),
      results: pair(names, present.views([rows, heads, length, headSize])),
      outputs: run.outputs,
    })
    return { present, outputs }
  }

  async close(): Promise<void> {
    this.#session.close()
    this.memory.close()
  }
}

const pair = (
  names: readonly string[],
  tensors: readonly DeviceTensor[],
): [string, DeviceTensor][] => names.map((name, index) => [name, tensors[index]!])
