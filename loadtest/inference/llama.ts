/**
 * llama.cpp through node-llama-cpp. The prompt is computed once; its state goes to every other sequence by a file,
 * because sequences do not share: that is not counted as decoding.
 */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  samePrompt,
  type Contestant,
  type Job,
  type OpenRequest,
  type Timing,
} from './contestant.ts'

interface Sequence {
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>
  evaluate(tokens: readonly number[], options: object): AsyncGenerator<number, unknown>
  saveStateToFile(file: string): Promise<unknown>
  loadStateFromFile(file: string, risk: { readonly acceptRisk: true }): Promise<unknown>
}
interface Context {
  getSequence(): Sequence
  dispose(): Promise<void>
}
interface Model {
  createContext(options: object): Promise<Context>
}
interface Package {
  readonly getLlama: (options: object) => Promise<{
    loadModel(options: object): Promise<Model>
    dispose(): Promise<void>
  }>
}

interface Kept {
  readonly prompt: readonly number[]
  readonly samples: number
  readonly seconds: number
}

const PACKAGE = 'node-llama-cpp'
/** Tokens of the longest prompt it takes in one go, as its server's default. */
const BATCH = 512

const decode = async (sequence: Sequence, last: number, steps: number): Promise<void> => {
  let left = steps
  const tokens = sequence.evaluate([last], { temperature: 1, yieldEogToken: true })
  for await (const token of tokens) if (token >= 0 && --left === 0) break
}

export const openLlama = async ({ files, threads }: OpenRequest): Promise<Contestant> => {
  const home = files.packages[PACKAGE]!
  const entry = path.join(home, 'node_modules', PACKAGE, 'dist', 'index.js')
  const { getLlama: start } = (await import(pathToFileURL(entry).href)) as Package
  const llama = await start({
    gpu: false,
    build: 'never',
    skipDownload: true,
    maxThreads: threads,
    logLevel: 'error',
  })
  const model = await llama.loadModel({ modelPath: files.gguf, defaultContextFlashAttention: true })
  const state = `${files.gguf}.${process.pid}.state`
  /** A context takes only states of one with as many sequences. */
  let kept: Kept | undefined
  /** Leaves the state after the prompt in the file. */
  const fill = async (sequence: Sequence, { prompt, samples }: Job): Promise<number> => {
    const start = performance.now()
    await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(0, -1))
    const seconds = (performance.now() - start) / 1000
    await sequence.saveStateToFile(state)
    kept = { prompt, samples, seconds }
    return seconds
  }
  const run = async (job: Job): Promise<Timing> => {
    const { prompt, samples, steps } = job
    const context = await model.createContext({
      sequences: samples,
      contextSize: prompt.length + steps + 8,
      batchSize: Math.max(BATCH, samples),
      threads: { ideal: threads, min: threads },
    })
    const sequences = Array.from({ length: samples }, () => context.getSequence())
    const isKept = kept?.samples === samples && samePrompt(kept.prompt, prompt)
    const prefillSeconds = isKept ? kept!.seconds : await fill(sequences[0]!, job)
    for (const sequence of isKept ? sequences : sequences.slice(1))
      await sequence.loadStateFromFile(state, { acceptRisk: true })
    const copied = performance.now()
    await Promise.all(sequences.map((sequence) => decode(sequence, prompt.at(-1)!, steps)))
    const decodeSeconds = (performance.now() - copied) / 1000
    await context.dispose()
    return { prefillSeconds, decodeSeconds, tokens: samples * steps }
  }
  const precision = files.weights === 'int8' ? 'Q8_0' : 'F16'
  const close = async (): Promise<void> => {
    await rm(state, { force: true })
    await llama.dispose()
  }
  return { precision, run, close }
}
