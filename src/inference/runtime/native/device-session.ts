/** A session of the C API: what a run reads and writes may lie on the device, and stays there. */
import { ELEMENT_TYPE, type OnnxModel } from '../../graphs/graph-builder.ts'
import type { Feeds, WantedOutput } from '../graph-runtime.ts'
import type { Outputs, Tensor } from '../session.ts'
import type { NativeLibrary, Pointer } from './library.ts'

/** Devices whose memory the C API can use. */
export type MemoryDevice = 'cuda' | 'webgpu'

export const isMemoryDevice = (device: string): device is MemoryDevice =>
  device === 'cuda' || device === 'webgpu'

/** The runtime's names for memory of a device. */
const MEMORY_NAMES: Readonly<Record<MemoryDevice, string>> = { cuda: 'Cuda', webgpu: 'WebGPU_Buf' }

/** Factors of products in fp32 are not rounded to 10 bits, as they are by default. */
const CUDA_OPTIONS = { use_tf32: '0' } as const
/** Weights are not taken from memory that doubles as it grows. */
const EXACT_WEIGHTS = 'session.use_device_allocator_for_initializers'

const FATAL = 4
const ALL_OPTIMISATIONS = 99

/** Memory on a device with a shape. */
export interface DeviceTensor {
  readonly pointer: Pointer
}

export interface DeviceRun {
  /** In the memory of the processor. */
  readonly feeds: Feeds
  readonly inputs: Iterable<readonly [name: string, tensor: DeviceTensor]>
  /** Written in place; may be inputs too where the graph allows it. */
  readonly results: Iterable<readonly [name: string, tensor: DeviceTensor]>
  /** Come to the processor. */
  readonly outputs: readonly WantedOutput[]
}

/** What is bound to the names of a graph, kept from run to run. */
interface Binding {
  readonly pointer: Pointer
  readonly bound: Map<string, DeviceTensor>
}

const sizes = (dimensions: readonly number[]): BigInt64Array =>
  BigInt64Array.from(dimensions, BigInt)

const openOptions = (
  library: NativeLibrary,
  { externalData }: OnnxModel,
  device: MemoryDevice,
  threads: number,
): Pointer => {
  const options = library.make('createSessionOptions')
  library.call('setSessionLogSeverityLevel', options, FATAL)
  library.call('setSessionGraphOptimizationLevel', options, ALL_OPTIMISATIONS)
  library.call('setIntraOpNumThreads', options, threads)
  library.call('addSessionConfigEntry', options, EXACT_WEIGHTS, '1')
  if (device === 'cuda') {
    const cuda = library.make('createCudaOptions')
    const [keys, values] = [Object.keys(CUDA_OPTIONS), Object.values(CUDA_OPTIONS)]
    library.call('updateCudaOptions', cuda, keys, values, keys.length)
    library.call('appendCuda', options, cuda)
    library.release('releaseCudaOptions', cuda)
  } else library.call('appendProvider', options, 'WebGPU', [], [], 0)
  if (externalData.length > 0)
    library.call(
      'addExternalInitializers',
      options,
      externalData.map(({ path }) => path),
      externalData.map(({ data }) => data),
      BigUint64Array.from(externalData, ({ data }) => BigInt(data.byteLength)),
      externalData.length,
    )
  return options
}

export class DeviceSession {
  readonly weightBytes: number
  readonly #library: NativeLibrary
  readonly #session: Pointer
  readonly #memory: Pointer
  readonly #allocator: Pointer
  readonly #runOptions: Pointer
  readonly #bindings = new Map<string, Binding>()

  /** @throws Error with the runtime's own words. Blocks the thread. */
  constructor(library: NativeLibrary, model: OnnxModel, device: MemoryDevice, threads: number) {
    this.#library = library
    this.weightBytes = model.externalData.reduce((sum, { data }) => sum + data.byteLength, 0)
    const options = openOptions(library, model, device, threads)
    const { bytes } = model
    try {
      this.#session = library.make(
        'createSessionFromArray',
        library.environment,
        bytes,
        bytes.byteLength,
        options,
      )
    } finally {
      library.release('releaseSessionOptions', options)
    }
    this.#memory = library.make('createMemoryInfo', MEMORY_NAMES[device], 0, 0, 0)
    this.#allocator = library.make('createAllocator', this.#session, this.#memory)
    this.#runOptions = library.make('createRunOptions')
  }

  /** Memory for numbers, with whatever is in it. */
  allocate(dimensions: readonly number[]): DeviceTensor {
    const shape = sizes(dimensions)
    const type = ELEMENT_TYPE.float32
    return {
      pointer: this.#library.make(
        'createTensorAsOrtValue',
        this.#allocator,
        shape,
        shape.length,
        type,
      ),
    }
  }

  /** The same memory, or its beginning, with another shape; it must be released too, and not outlive the memory. */
  view(tensor: DeviceTensor, dimensions: readonly number[]): DeviceTensor {
    const data = this.#library.make('getTensorMutableData', tensor.pointer)
    const bytes = dimensions.reduce((size, dimension) => size * dimension, 4)
    return { pointer: this.#wrap(this.#memory, data, bytes, dimensions, ELEMENT_TYPE.float32) }
  }

  release({ pointer }: DeviceTensor): void {
    this.#library.release('releaseValue', pointer)
  }

  /** Blocks the thread; without outputs perhaps not until everything is written, but what follows is in order. */
  run({ feeds, inputs, results, outputs }: DeviceRun): Outputs {
    const { pointer, bound } = this.#bindingFor(outputs)
    const temporary: Pointer[] = []
    try {
      for (const [name, tensor] of Object.entries(feeds)) {
        const value = this.#feed(tensor)
        temporary.push(value)
        this.#library.call('bindInput', pointer, name, value)
      }
      for (const [name, tensor] of inputs) this.#bind('bindInput', pointer, bound, name, tensor)
      for (const [name, tensor] of results) this.#bind('bindOutput', pointer, bound, name, tensor)
      const found = outputs.map((output) => this.#bindResult(pointer, output, temporary))
      this.#library.call('runWithBinding', this.#session, this.#runOptions, pointer)
      return Object.fromEntries(found)
    } finally {
      for (const value of temporary) this.#library.release('releaseValue', value)
    }
  }

  close(): void {
    for (const { pointer } of this.#bindings.values())
      this.#library.release('releaseIoBinding', pointer)
    this.#library.release('releaseRunOptions', this.#runOptions)
    this.#library.release('releaseAllocator', this.#allocator)
    this.#library.release('releaseMemoryInfo', this.#memory)
    this.#library.release('releaseSession', this.#session)
  }

  /** A binding computes what was ever bound to it: so there is one for each choice of outputs. */
  #bindingFor(outputs: readonly WantedOutput[]): Binding {
    const key = outputs.map(({ name }) => name).join()
    const known = this.#bindings.get(key)
    if (known !== undefined) return known
    const made = {
      pointer: this.#library.make('createIoBinding', this.#session),
      bound: new Map<string, DeviceTensor>(),
    }
    this.#bindings.set(key, made)
    return made
  }

  #bind(
    side: 'bindInput' | 'bindOutput',
    binding: Pointer,
    bound: Map<string, DeviceTensor>,
    name: string,
    tensor: DeviceTensor,
  ): void {
    if (bound.get(name) === tensor) return
    this.#library.call(side, binding, name, tensor.pointer)
    bound.set(name, tensor)
  }

  #bindResult(
    binding: Pointer,
    { name, type, dimensions }: WantedOutput,
    temporary: Pointer[],
  ): [string, Float32Array | Int32Array] {
    const length = dimensions.reduce((product, dimension) => product * dimension, 1)
    const data = type === 'float32' ? new Float32Array(length) : new Int32Array(length)
    const value = this.#wrap(
      this.#library.processorMemory,
      data,
      data.byteLength,
      dimensions,
      ELEMENT_TYPE[type],
    )
    temporary.push(value)
    this.#library.call('bindOutput', binding, name, value)
    return [name, data]
  }

  #feed({ data, dims, type }: Tensor): Pointer {
    const bytes = data as Float32Array | BigInt64Array | Uint8Array
    const element = ELEMENT_TYPE[type as keyof typeof ELEMENT_TYPE]
    return this.#wrap(this.#library.processorMemory, bytes, bytes.byteLength, dims, element)
  }

  /** The memory must live as long as the tensor. */
  #wrap(
    memory: Pointer,
    data: Pointer | ArrayBufferView,
    bytes: number,
    dimensions: readonly number[],
    element: number,
  ): Pointer {
    const shape = sizes(dimensions)
    return this.#library.make(
      'createTensorWithDataAsOrtValue',
      memory,
      data,
      bytes,
      shape,
      shape.length,
      element,
    )
  }
}
