/** How fast a device reads memory and multiplies, through the runtime itself: the limits that a model can come near. */
import type { Device } from '../../core/device.ts'
import { GraphBuilder, type OnnxModel } from '../graphs/graph-builder.ts'
import { onDevice, type ChosenDevice } from './choose-device.ts'
import { DeviceSession, isMemoryDevice, type MemoryDevice } from './native/device-session.ts'
import { NativeLibrary } from './native/library.ts'
import { makeTensor, Session, type Tensor } from './session.ts'

export interface Speed {
  /** Billions of bytes per second: a sum over numbers that no cache holds, or on a device their copy, scaled. */
  readonly gigabytesPerSecond: number
  /** Billions of float32 multiplications and additions per second: products of square matrices. */
  readonly gigaflops: number
}

export interface Probe extends Speed {
  readonly chosen: ChosenDevice
}

const SIDE = 1024
const ROWS = 512
const COLUMNS = 1 << 17
const FLOAT_BYTES = 4
const TRIES = 4
/** A device that is a program is not tried as often. */
const PATIENCE_MS = 1000
/** A device that is done sooner is asked for more: else the way to it would be measured. */
const LEAST_SECONDS = 0.002
const LARGER_SIDE = 4 * SIDE
/** A buffer of WebGPU is smaller than the memory. */
const LARGER: Readonly<Record<MemoryDevice, number>> = {
  cuda: 8 * ROWS * COLUMNS,
  webgpu: ROWS * COLUMNS,
}

const productGraph = (side: number) => {
  const builder = new GraphBuilder()
  const left = builder.input('left', 'float32', [side, side])
  const weight = new Float32Array(side * side).fill(0.5)
  const right = builder.weight('right', weight, [side, side])
  const product = builder.node('MatMul', [left, right])
  const sum = builder.node('ReduceSum', [product, builder.integers([0, 1])])
  builder.output('sum', sum, 'float32', [1, 1])
  return builder.build()
}

/** The numbers are a weight, so that they lie in place before the clock runs. */
const readingGraph = () => {
  const builder = new GraphBuilder()
  const scale = builder.input('scale', 'float32', [1])
  const numbers = new Float32Array(ROWS * COLUMNS).fill(0.5)
  const data = builder.weight('data', numbers, [ROWS, COLUMNS])
  // Without an input in it the runtime would compute the sum once and for all.
  const axes = builder.cast(scale, 'int64')
  builder.output('sums', builder.node('ReduceSum', [data, axes]), 'float32', [ROWS, 1])
  return builder.build()
}

const copyGraph = () => {
  const builder = new GraphBuilder()
  const data = builder.input('data', 'float32', ['N'])
  const scale = builder.input('scale', 'float32', [1])
  const scaled = builder.node('Mul', [data, scale])
  builder.output('scaled', scaled, 'float32', ['N'])
  // A run that brings nothing back may return before it is done.
  builder.output('first', builder.node('Gather', [scaled, builder.integers([0])]), 'float32', [1])
  return builder.build()
}

/** Seconds of the fastest of a few runs: what disturbs a run only ever makes it slower. */
const fastest = async (run: () => unknown): Promise<number> => {
  let best = Infinity
  const end = performance.now() + PATIENCE_MS
  for (let index = 0; index <= TRIES && (index < 2 || performance.now() < end); index++) {
    const start = performance.now()
    await run()
    // The first run also sets things up.
    if (index > 0) best = Math.min(best, performance.now() - start)
  }
  return best / 1000
}

const square = (side: number): Tensor =>
  makeTensor(new Float32Array(side * side).fill(0.5), [side, side])

const probeSession = async (chosen: ChosenDevice, threads: number): Promise<Speed> => {
  const product = await Session.open(productGraph(SIDE), chosen, threads)
  const left = square(SIDE)
  const productSeconds = await fastest(() => product.run({ left }, ['sum']))
  await product.close()
  const reading = await Session.open(readingGraph(), chosen, threads)
  const scale = makeTensor(Float32Array.of(1), [1])
  const readingSeconds = await fastest(() => reading.run({ scale }, ['sums']))
  await reading.close()
  return {
    gigaflops: (2 * SIDE ** 3) / productSeconds / 1e9,
    gigabytesPerSecond: (ROWS * COLUMNS * FLOAT_BYTES) / readingSeconds / 1e9,
  }
}

const multiplyOn = async (open: OpenSession, side: number): Promise<number> => {
  const session = open(productGraph(side))
  const left = session.allocate([side, side])
  const sum = { name: 'sum', type: 'float32', dimensions: [1, 1] } as const
  const seconds = await fastest(() =>
    session.run({ feeds: {}, inputs: [['left', left]], results: [], outputs: [sum] }),
  )
  session.release(left)
  session.close()
  return seconds
}

const copyOn = async (open: OpenSession, numbers: number): Promise<number> => {
  const session = open(copyGraph())
  const [data, scaled] = [session.allocate([numbers]), session.allocate([numbers])]
  const feeds = { scale: makeTensor(Float32Array.of(1), [1]) }
  const first = { name: 'first', type: 'float32', dimensions: [1] } as const
  const seconds = await fastest(() =>
    session.run({
      feeds,
      inputs: [['data', data]],
      results: [['scaled', scaled]],
      outputs: [first],
    }),
  )
  for (const tensor of [data, scaled]) session.release(tensor)
  session.close()
  return seconds
}

type OpenSession = (model: OnnxModel) => DeviceSession

const probeMemoryDevice = async (device: MemoryDevice, threads: number): Promise<Speed> => {
  const library = await NativeLibrary.load()
  const open: OpenSession = (model) => new DeviceSession(library, model, device, threads)
  const rate = async (measure: typeof multiplyOn, small: number, large: number) => {
    const seconds = await measure(open, small)
    return seconds < LEAST_SECONDS
      ? { size: large, seconds: await measure(open, large) }
      : { size: small, seconds }
  }
  const product = await rate(multiplyOn, SIDE, LARGER_SIDE)
  const copied = await rate(copyOn, (ROWS * COLUMNS) / 2, LARGER[device])
  return {
    gigaflops: (2 * product.size ** 3) / product.seconds / 1e9,
    gigabytesPerSecond: (2 * copied.size * FLOAT_BYTES) / copied.seconds / 1e9,
  }
}

/** @throws RefineError as `onDevice`. Blocks the thread for about a second on a processor. */
export const probeSpeed = (device: Device, threads: number): Promise<Probe> =>
  onDevice(device, async (chosen) => {
    const speed = isMemoryDevice(chosen.device)
      ? await probeMemoryDevice(chosen.device, threads)
      : await probeSession(chosen, threads)
    return { chosen, ...speed }
  })
