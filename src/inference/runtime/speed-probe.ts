/** How fast a device reads memory and multiplies, through the runtime itself: the limits that a model can come near. */
import type { Device } from '../../core/device.ts'
import { GraphBuilder } from '../graphs/graph-builder.ts'
import { makeTensor, Session, type ChosenDevice } from './session.ts'

export interface Speed {
  /** Billions of bytes read per second: a sum over numbers that no cache holds. */
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

const productGraph = () => {
  const builder = new GraphBuilder()
  const left = builder.input('left', 'float32', [SIDE, SIDE])
  const weight = new Float32Array(SIDE * SIDE).fill(0.5)
  const right = builder.weight('right', weight, [SIDE, SIDE])
  const product = builder.node('MatMul', [left, right])
  const sum = builder.node('ReduceSum', [product, builder.integers([0, 1])])
  builder.output('sum', sum, 'float32', [1, 1])
  return builder.build()
}

/** The numbers are a weight, so that they lie on the device before the clock runs. */
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

/** Seconds of the fastest of a few runs: what disturbs a run only ever makes it slower. */
const fastest = async (run: () => Promise<unknown>): Promise<number> => {
  let best = Infinity
  for (let index = 0; index <= TRIES; index++) {
    const start = performance.now()
    await run()
    // The first run also sets things up.
    if (index > 0) best = Math.min(best, performance.now() - start)
  }
  return best / 1000
}

/** @throws RefineError as `Session.create`. Blocks the thread for about a second on a processor. */
export const probeSpeed = async (device: Device, threads: number): Promise<Probe> => {
  const product = await Session.create(productGraph(), { device, threads })
  const left = makeTensor(new Float32Array(SIDE * SIDE).fill(0.5), [SIDE, SIDE])
  const productSeconds = await fastest(() => product.run({ left }, ['sum']))
  const { chosen } = product
  await product.close()
  const reading = await Session.create(readingGraph(), { device, threads })
  const scale = makeTensor(Float32Array.of(1), [1])
  const readingSeconds = await fastest(() => reading.run({ scale }, ['sums']))
  await reading.close()
  return {
    chosen,
    gigaflops: (2 * SIDE ** 3) / productSeconds / 1e9,
    gigabytesPerSecond: (ROWS * COLUMNS * FLOAT_BYTES) / readingSeconds / 1e9,
  }
}
