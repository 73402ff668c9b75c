/**
 * ONNX Runtime's C API in the library that onnxruntime-node brings, called through koffi. The binding of onnxruntime-node
 * copies every output to the processor, or with WebGPU keeps it where nothing can read it; here a tensor lies where it is
 * put, and is written in place.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { libraryFolder } from '../devices.ts'

export type Pointer = bigint

const STATUS = 'void *'
const OBJECT = 'void *'
const RESULT = '_Out_ void **'
const TEXT = 'const char *'

/**
 * Position in the table of the API, which only ever grows at its end (onnxruntime_c_api.h, struct OrtApi), result and
 * parameters.
 */
const FUNCTIONS = {
  getErrorMessage: [2, TEXT, [OBJECT]],
  createEnv: [3, STATUS, ['int', TEXT, RESULT]],
  createSessionFromArray: [8, STATUS, [OBJECT, OBJECT, 'size_t', OBJECT, RESULT]],
  createSessionOptions: [10, STATUS, [RESULT]],
  setSessionLogSeverityLevel: [22, STATUS, [OBJECT, 'int']],
  setSessionGraphOptimizationLevel: [23, STATUS, [OBJECT, 'int']],
  setIntraOpNumThreads: [24, STATUS, [OBJECT, 'int']],
  createRunOptions: [39, STATUS, [RESULT]],
  createTensorAsOrtValue: [48, STATUS, [OBJECT, 'int64_t *', 'size_t', 'int', RESULT]],
  createTensorWithDataAsOrtValue: [
    49,
    STATUS,
    [OBJECT, OBJECT, 'size_t', 'int64_t *', 'size_t', 'int', RESULT],
  ],
  getTensorMutableData: [51, STATUS, [OBJECT, RESULT]],
  createMemoryInfo: [68, STATUS, [TEXT, 'int', 'int', 'int', RESULT]],
  createCpuMemoryInfo: [69, STATUS, ['int', 'int', RESULT]],
  releaseStatus: [93, 'void', [OBJECT]],
  releaseMemoryInfo: [94, 'void', [OBJECT]],
  releaseSession: [95, 'void', [OBJECT]],
  releaseValue: [96, 'void', [OBJECT]],
  releaseRunOptions: [97, 'void', [OBJECT]],
  releaseSessionOptions: [100, 'void', [OBJECT]],
  addSessionConfigEntry: [130, STATUS, [OBJECT, TEXT, TEXT]],
  createAllocator: [131, STATUS, [OBJECT, OBJECT, RESULT]],
  releaseAllocator: [132, 'void', [OBJECT]],
  runWithBinding: [133, STATUS, [OBJECT, OBJECT, OBJECT]],
  createIoBinding: [134, STATUS, [OBJECT, RESULT]],
  releaseIoBinding: [135, 'void', [OBJECT]],
  bindInput: [136, STATUS, [OBJECT, TEXT, OBJECT]],
  bindOutput: [137, STATUS, [OBJECT, TEXT, OBJECT]],
  appendCuda: [204, STATUS, [OBJECT, OBJECT]],
  createCudaOptions: [205, STATUS, [RESULT]],
  updateCudaOptions: [206, STATUS, [OBJECT, 'const char **', 'const char **', 'size_t']],
  releaseCudaOptions: [208, 'void', [OBJECT]],
  appendProvider: [216, STATUS, [OBJECT, TEXT, 'const char **', 'const char **', 'size_t']],
  addExternalInitializers: [
    279,
    STATUS,
    [OBJECT, 'const char **', 'void **', 'size_t *', 'size_t'],
  ],
} as const satisfies Record<string, readonly [number, string, readonly string[]]>

type FunctionName = keyof typeof FUNCTIONS
type Argument = Pointer | number | string | null | ArrayBufferView | readonly unknown[]
type NativeFunction = (...values: readonly Argument[]) => unknown

/** Knows every function above: the API of ONNX Runtime 1.23. */
const API_VERSION = 23
/** Compilers of shaders need more stack than koffi gives. */
const STACK_BYTES = 8 * 1024 * 1024
const POINTER_BYTES = 8

const LIBRARY_NAMES: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  linux: 'libonnxruntime.so.1',
  darwin: 'libonnxruntime.1.dylib',
  win32: 'onnxruntime.dll',
}

const libraryFile = (): string => {
  const name = LIBRARY_NAMES[process.platform]
  const file = path.join(libraryFolder() ?? '', name ?? '')
  if (name === undefined || !existsSync(file))
    throw new Error(`the library of onnxruntime-node was not found at ${file}`)
  return file
}

let loaded: Promise<NativeLibrary> | undefined

export class NativeLibrary {
  readonly #functions: Readonly<Record<FunctionName, NativeFunction>>
  readonly environment: Pointer
  readonly processorMemory: Pointer

  private constructor(functions: Readonly<Record<FunctionName, NativeFunction>>) {
    this.#functions = functions
    // The one environment of the process, which onnxruntime-node has made already.
    this.environment = this.make('createEnv', 3, 'whetstone')
    this.processorMemory = this.make('createCpuMemoryInfo', 1, 0)
  }

  /** The one of this thread. @throws Error where koffi or the library is not to be had. */
  static load(): Promise<NativeLibrary> {
    loaded ??= NativeLibrary.#open()
    return loaded
  }

  static async #open(): Promise<NativeLibrary> {
    const { default: koffi } = await import('koffi')
    const config = koffi.config()
    // Once a library has been loaded by any thread of the process, this cannot be changed.
    if (config.sync_stack_size !== STACK_BYTES)
      koffi.config({ ...config, sync_stack_size: STACK_BYTES })
    const base: Pointer = koffi.load(libraryFile()).func('void *OrtGetApiBase()')()
    const getApi = koffi.decode(koffi.decode(base, 'void *'), koffi.proto('void *', ['uint32_t']))
    const api: Pointer | null = getApi(API_VERSION)
    if (api === null) throw new Error(`ONNX Runtime has no API of version ${API_VERSION}`)
    const at = ([position, result, parameters]: (typeof FUNCTIONS)[FunctionName]): NativeFunction =>
      koffi.decode(
        koffi.decode(api, position * POINTER_BYTES, 'void *'),
        koffi.proto(result, [...parameters]),
      )
    const functions = Object.fromEntries(
      Object.entries(FUNCTIONS).map(([name, signature]) => [name, at(signature)]),
    ) as Record<FunctionName, NativeFunction>
    return new NativeLibrary(functions)
  }

  /** @throws Error with the runtime's own words. */
  call(name: FunctionName, ...values: readonly Argument[]): void {
    const status = this.#functions[name](...values) as Pointer | null
    if (status === null) return
    const message = this.#functions.getErrorMessage(status) as string
    this.#functions.releaseStatus(status)
    throw new Error(message)
  }

  /** Calls a function whose last parameter takes what it made. */
  make(name: FunctionName, ...values: readonly Argument[]): Pointer {
    const result: [Pointer | null] = [null]
    this.call(name, ...values, result)
    return result[0]!
  }

  release(name: Extract<FunctionName, `release${string}`>, object: Pointer): void {
    this.#functions[name](object)
  }
}
