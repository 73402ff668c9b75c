/** Rounds in which every engine gets the same job in turn, so that a busy machine disturbs all alike. */
import { chooseFormat } from '../../src/inference/graphs/linear.ts'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import {
  CONTESTANTS,
  Remote,
  type ContestantName,
  type Job,
  type ModelFiles,
  type Timing,
} from './contestant.ts'

export interface Plan {
  readonly contexts: readonly number[]
  readonly samples: readonly number[]
  readonly rounds: number
  /** Tokens per sample; more where a job would have fewer than `LEAST_TOKENS` in all. */
  readonly steps: number
  /** All jobs of a context have one prompt, so that an engine that can keep it computes it once, without the clock. */
  readonly onePrompt?: boolean
}

/** What a job costs once, such as memory that is touched for the first time, must not decide its rate. */
const LEAST_TOKENS = 32

export interface Cell {
  readonly engine: ContestantName
  readonly precision: string
  /** Tokens of the prompt, all engines alike. */
  readonly context: number
  readonly samples: number
  /** Medians of the rounds. */
  readonly decode_tokens_per_second: number
  readonly prefill_tokens_per_second: number
  /** Resident bytes of its process. */
  readonly memory: number
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** A small generator of equal prompts for all; no engine's cache knows one of an earlier round. */
export const randomPrompt = (length: number, vocabulary: number, seed: number): number[] => {
  let state = seed * 2_654_435_761
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return 100 + (state % Math.min(vocabulary - 200, 5000))
  })
}

/** Sizes of the jobs of a plan. Those of one context have one length, whatever the number of samples: they are compared. */
export const sizesOf = (
  { contexts, samples, steps }: Plan,
  contextLength: number,
): { readonly length: number; readonly samples: number; readonly steps: number }[] => {
  const room = contextLength - Math.max(steps, LEAST_TOKENS) - 1
  return contexts.flatMap((context) =>
    samples.map((count) => ({
      length: Math.min(context, room),
      samples: count,
      steps: Math.max(steps, Math.ceil(LEAST_TOKENS / count)),
    })),
  )
}

const isAble = (name: ContestantName, files: ModelFiles): boolean => {
  if (name === 'whetstone') return true
  if (name === 'stock-loop') return files.onnx !== undefined
  if (name === 'transformers.js')
    return files.onnx !== undefined && '@huggingface/transformers' in files.packages
  if (files.gguf === undefined) return false
  if (name === 'llama-server') return files.llamaServer !== undefined
  return 'node-llama-cpp' in files.packages
}

/** Opens all that can take part; the others are told. */
export const openAll = async (
  files: ModelFiles,
  threads: number,
  tell: (line: string) => void,
): Promise<Remote[]> => {
  const able = CONTESTANTS.filter((candidate) => isAble(candidate, files))
  const opened = await Promise.allSettled(able.map((name) => Remote.open({ name, files, threads })))
  const remotes = opened.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
  for (const [index, result] of opened.entries()) {
    if (result.status === 'fulfilled') continue
    if (able[index] === 'whetstone') {
      await Promise.all(remotes.map((remote) => remote.close()))
      throw result.reason
    }
    tell(`${able[index]} takes no part: ${(result.reason as Error).message}`)
  }
  return remotes
}

const cellOf = (remote: Remote, job: Job, timings: readonly Timing[]): Cell => ({
  engine: remote.name,
  precision: remote.precision,
  context: job.prompt.length,
  samples: job.samples,
  decode_tokens_per_second: median(timings.map((t) => t.tokens / t.decodeSeconds)),
  prefill_tokens_per_second: median(timings.map((t) => job.prompt.length / t.prefillSeconds)),
  memory: remote.memory,
})

const runCell = async (
  remotes: readonly Remote[],
  jobs: readonly Job[],
  tell: (line: string) => void,
): Promise<Cell[]> => {
  const timings = new Map<Remote, Timing[]>(remotes.map((remote) => [remote, []]))
  for (const job of jobs)
    for (const [remote, list] of timings) {
      try {
        list.push(await remote.run(job))
      } catch (thrown) {
        tell(
          `${remote.name}, ${job.samples} samples of ${job.prompt.length}: ${(thrown as Error).message}`,
        )
        timings.delete(remote)
      }
    }
  return [...timings].map(([remote, list]) => cellOf(remote, jobs[0]!, list))
}

export const runRounds = async (
  remotes: readonly Remote[],
  location: string,
  plan: Plan,
  tell: (line: string) => void,
): Promise<Cell[]> => {
  const { vocabulary, contextLength } = openCheckpoint(location).config().decoder
  const cells: Cell[] = []
  let seed = 1
  const promptOf = (length: number): number[] =>
    randomPrompt(length, vocabulary, plan.onePrompt ? seed : seed++)
  const sizes = sizesOf(plan, contextLength)
  // Once without the clock, as long as it gets; who fails here takes no part.
  const longest = Math.max(...sizes.map(({ length }) => length))
  const fit = await runCell(
    remotes,
    [{ prompt: promptOf(longest), samples: 1, steps: plan.steps }],
    tell,
  )
  const taking = remotes.filter(({ name }) => fit.some(({ engine }) => engine === name))
  for (const { length, samples, steps } of sizes) {
    const jobs = Array.from({ length: plan.rounds }, () => ({
      prompt: promptOf(length),
      samples,
      steps,
    }))
    const found = await runCell(taking, jobs, tell)
    cells.push(...found)
    for (const cell of found) tell(cellLine(cell))
  }
  return cells
}

const cellLine = (cell: Cell): string =>
  `${cell.engine.padEnd(16)} ${cell.precision.padEnd(5)} context ${String(cell.context).padStart(5)}  samples ${String(cell.samples).padStart(2)}  ` +
  `prefill ${cell.prefill_tokens_per_second.toFixed(0).padStart(6)} tok/s  decode ${cell.decode_tokens_per_second.toFixed(1).padStart(7)} tok/s  ${(cell.memory / 2 ** 20).toFixed(0).padStart(6)} MiB`

/** The format that Whetstone itself would take, as far as every engine has one like it. */
export const usualWeights = (location: string): 'fp32' | 'int8' =>
  chooseFormat('auto', openCheckpoint(location).config().decoder) === 'int8' ? 'int8' : 'fp32'
