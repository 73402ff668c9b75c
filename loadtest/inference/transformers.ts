/**
 * transformers.js on the usual export. A batch is filled prompt by prompt, as its users do it; the clock of decoding
 * starts when the first token of all is there.
 */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Contestant, Job, OpenRequest, Timing } from './contestant.ts'

interface Model {
  generate(options: object): Promise<unknown>
  dispose(): Promise<unknown>
}
interface Package {
  readonly env: Record<string, unknown>
  readonly AutoModelForCausalLM: { from_pretrained(name: string, options: object): Promise<Model> }
  readonly Tensor: new (type: string, data: BigInt64Array, dimensions: readonly number[]) => object
  readonly StoppingCriteria: new () => object
}

const PACKAGE = '@huggingface/transformers'
/** Prompt tokens of a whole batch beyond which it is not asked: its prefill alone would take minutes. */
const MOST_PROMPT_TOKENS = 8192

export const openTransformers = async ({ files, threads }: OpenRequest): Promise<Contestant> => {
  const home = files.packages[PACKAGE]!
  const entry = path.join(home, 'node_modules', PACKAGE, 'dist', 'transformers.node.mjs')
  const { env, AutoModelForCausalLM, Tensor, StoppingCriteria } = (await import(
    pathToFileURL(entry).href
  )) as Package
  Object.assign(env, { allowRemoteModels: false, localModelPath: path.dirname(files.onnx!) })
  const model = await AutoModelForCausalLM.from_pretrained(path.basename(files.onnx!), {
    dtype: 'fp32', // names the file; what it holds is written in it
    device: 'cpu',
    local_files_only: true,
    session_options: { intraOpNumThreads: threads },
  })
  /** Is called after every step of all samples. */
  class Clock extends StoppingCriteria {
    readonly times: number[] = []
    _call(rows: readonly unknown[]): boolean[] {
      this.times.push(performance.now())
      return rows.map(() => false)
    }
  }
  const run = async ({ prompt, samples, steps }: Job): Promise<Timing> => {
    if (prompt.length * samples > MOST_PROMPT_TOKENS)
      throw new Error(`it would fill ${samples} prompts of ${prompt.length} tokens one by one`)
    const dimensions = [samples, prompt.length]
    const rows = Array.from({ length: samples }, () => prompt).flat()
    const clock = new Clock()
    const start = performance.now()
    await model.generate({
      inputs: new Tensor('int64', BigInt64Array.from(rows, BigInt), dimensions),
      attention_mask: new Tensor('int64', new BigInt64Array(rows.length).fill(1n), dimensions),
      max_new_tokens: steps + 1,
      do_sample: false,
      stopping_criteria: clock,
    })
    const [first = start, last = start] = [clock.times[0], clock.times.at(-1)]
    return {
      prefillSeconds: (first - start) / 1000,
      decodeSeconds: (last - first) / 1000,
      tokens: samples * (clock.times.length - 1),
    }
  }
  return { precision: files.weights, run, close: async () => void (await model.dispose()) }
}
