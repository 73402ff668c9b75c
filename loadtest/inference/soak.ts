/** Whether memory grows over many short answers, and whose it is. */
import type { Engine } from '../../src/inference/engine.ts'
import { median, randomPrompt } from './rounds.ts'
import { patience, workOf } from './serving.ts'

const BATCH = 100
const SAMPLES = 4
const TENTHS = 10

/** Bytes of JavaScript objects, and of arrays and the like that lie outside of their heap. */
interface ThreadMemory {
  readonly heap: number
  readonly arrays: number
}

export interface SoakPoint {
  readonly sequences: number
  /** Resident bytes of the process, the median over the tenth that ends here: what is about to be collected comes and goes. */
  readonly resident: number
  readonly caller: ThreadMemory
  /** The engine's thread. */
  readonly engine: ThreadMemory
}

export interface Soak {
  readonly points: readonly SoakPoint[]
  /** Resident bytes at the end beyond those at three quarters of the way; pools have long had their size by then. */
  readonly growth: number
}

interface Report {
  readonly workers: readonly {
    readonly javascriptHeap: { readonly usedMemory: number; readonly externalMemory: number }
  }[]
}

/** By Node's own report, which needs nothing of the other thread; without the machine's addresses, whose names it looks up. */
const workerMemory = (): ThreadMemory => {
  Object.assign(process.report, { excludeNetwork: true })
  const { workers } = process.report.getReport() as unknown as Report
  const sum = (field: 'usedMemory' | 'externalMemory'): number =>
    workers.reduce((total, { javascriptHeap }) => total + javascriptHeap[field], 0)
  return { heap: sum('usedMemory'), arrays: sum('externalMemory') }
}

const pointAt = (sequences: number, residents: readonly number[]): SoakPoint => {
  const { heapUsed, external } = process.memoryUsage()
  return {
    sequences,
    resident: median(residents),
    caller: { heap: heapUsed, arrays: external },
    engine: workerMemory(),
  }
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)

const lineOf = ({ sequences, resident, caller, engine }: SoakPoint): string => {
  const thread = ({ heap, arrays }: ThreadMemory): string =>
    `heap ${mebibytes(heap)}, arrays ${mebibytes(arrays)}`
  return `${sequences} sequences: ${mebibytes(resident)} MiB resident; engine: ${thread(engine)}; caller: ${thread(caller)}`
}

const runBatch = async (engine: Engine, vocabulary: number, first: number): Promise<void> => {
  const works = Array.from({ length: BATCH / SAMPLES }, (_, index) =>
    workOf(randomPrompt(8 + ((first + index) % 48), vocabulary, first + index + 1), SAMPLES, 8),
  )
  await Promise.all(
    works.map(async (work) => {
      for await (const chunk of engine.generate(work, patience())) void chunk
    }),
  )
}

/**
 * Generates short answers to ever new prompts.
 * @param sequences rounded up to a thousand
 * @param tell is told the memory ten times
 */
export const soak = async (
  engine: Engine,
  vocabulary: number,
  sequences: number,
  tell: (line: string) => void,
): Promise<Soak> => {
  const tenth = Math.ceil(sequences / (TENTHS * BATCH)) * BATCH
  const points: SoakPoint[] = []
  for (let done = 0; done < TENTHS * tenth;) {
    const residents: number[] = []
    for (const end = done + tenth; done < end; done += BATCH) {
      await runBatch(engine, vocabulary, done)
      residents.push(process.memoryUsage.rss())
    }
    const point = pointAt(done, residents)
    points.push(point)
    tell(lineOf(point))
  }
  const [earlier, last] = [points.slice(5, 8), points.slice(8)].map((some) =>
    median(some.map(({ resident }) => resident)),
  )
  return { points, growth: last! - earlier! }
}
