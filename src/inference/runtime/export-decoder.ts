/**
 * Runs an ONNX export in the layout of the Hugging Face hub: the whole cache goes in as `past_key_values.N.key|value` and
 * comes out as `present.N.key|value`, one token longer, at every step. That copies far more than our own graphs do, and
 * a shared prompt is copied for each row; everything above this file is the same.
 *
 * Exports differ in how they treat rows of different length (a mask, or lengths counted from it), so rows run together
 * only where they need no padding between cache and new tokens: rows with a cache of the same length and one new token,
 * or rows without a cache.
 */
import { cacheShape } from '../cache/cache-shape.ts'
import { type ProcessBlock, ProcessMemory } from '../cache/process-memory.ts'
import type { DecoderShape } from '../checkpoint/model-config.ts'
import { badModelFile } from '../checkpoint/tensor-source.ts'
import { writeHeadGraph } from '../graphs/head-graph.ts'
import { partNames, type Decoder, type DecoderResults, type DecoderRun } from './decoder.ts'
import type { ChosenDevice } from './choose-device.ts'
import { headFeeds } from './head-inputs.ts'
import { makeTensor, Session, type Outputs, type SessionOptions, type Tensor } from './session.ts'

/** Rows that run together, and the tokens in the cache of each. */
interface Group {
  readonly rows: readonly number[]
  readonly cached: number
}

const cachedTokens = ({ prefix, past }: DecoderRun, row: number): number =>
  (prefix?.length ?? 0) + (past?.lengths[row] ?? 0)

const groupRows = (run: DecoderRun): Group[] => {
  const groups = new Map<string, number[]>()
  for (let row = 0; row < run.rows; row++) {
    const cached = cachedTokens(run, row)
    const key = run.length === 1 || cached === 0 ? `${cached}` : `${cached} ${row}`
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  return [...groups.values()].map((rows) => ({ rows, cached: cachedTokens(run, rows[0]!) }))
}

const OPTIONAL_INPUTS = ['position_ids', 'num_logits_to_keep']

export class ExportDecoder implements Decoder {
  readonly shape: DecoderShape
  readonly memory: ProcessMemory
  readonly #model: Session
  readonly #head: Session
  readonly #past: readonly string[]
  readonly #present: readonly string[]

  private constructor(model: Session, head: Session, shape: DecoderShape) {
    this.#model = model
    this.#head = head
    this.shape = shape
    this.memory = new ProcessMemory(cacheShape(shape))
    this.#past = partNames('past_key_values', shape.layers)
    this.#present = partNames('present', shape.layers)
  }

  /** @throws RefineError model_failed naming the file and the input that is not as it should be. */
  static async open(
    file: string,
    shape: DecoderShape,
    suppressed: readonly number[],
    options: SessionOptions,
  ): Promise<ExportDecoder> {
    const model = await Session.create(file, options)
    const head = await Session.create(writeHeadGraph(shape.vocabulary, suppressed), options)
    const decoder = new ExportDecoder(model, head, shape)
    decoder.#check(file)
    return decoder
  }

  get chosen(): ChosenDevice {
    return this.#model.chosen
  }

  get weightBytes(): number {
    return this.#model.weightBytes
  }

  async run(run: DecoderRun): Promise<DecoderResults> {
    const present = this.memory.allocate(run.rows, run.length)
    const { vocabulary } = this.shape
    const wanted = run.head.outputs.length === 0 ? [] : [...run.head.rows].map(Number)
    const logits = new Float32Array(wanted.length * vocabulary)
    for (const group of groupRows(run)) {
      const outputs = await this.#runGroup(run, group, wanted.length > 0)
      this.#takeNew(outputs, group, run.length, present.parts)
      for (const [index, position] of wanted.entries()) {
        const row = group.rows.indexOf(Math.floor(position / run.length))
        if (row < 0) continue
        const at = (row * run.length + (position % run.length)) * vocabulary
        const line = (outputs['logits'] as Float32Array).subarray(at, at + vocabulary)
        logits.set(line, index * vocabulary)
      }
    }
    if (wanted.length === 0) return { present, head: {} }
    const given = makeTensor(logits, [wanted.length, vocabulary])
    const { rows: _, ...feeds } = headFeeds(run.head)
    const head = await this.#head.run({ ...feeds, given_logits: given }, run.head.outputs)
    return { present, head }
  }

  async close(): Promise<void> {
    await this.#model.close()
    await this.#head.close()
  }

  #check(file: string): void {
    const types = this.#model.inputTypes
    const needed = ['input_ids', 'attention_mask', ...this.#past]
    for (const name of needed) {
      const expected = this.#past.includes(name) ? 'float32' : 'int64'
      const found = types.get(name)
      if (found !== expected)
        throw badModelFile(
          file,
          `expected an input ${name} of ${expected}, found ${found ?? 'none'}: export it with its cache, in float32`,
        )
    }
    const unknown = [...types.keys()].find(
      (name) => !needed.includes(name) && !OPTIONAL_INPUTS.includes(name),
    )
    if (unknown !== undefined)
      throw badModelFile(file, `has an input ${unknown} that is not known here`)
  }

  #runGroup(run: DecoderRun, group: Group, withLogits: boolean): Promise<Outputs> {
    const [count, { length }] = [group.rows.length, run]
    const pick = (values: BigInt64Array): Tensor => {
      const picked = new BigInt64Array(count * length)
      for (const [index, row] of group.rows.entries())
        picked.set(values.subarray(row * length, (row + 1) * length), index * length)
      return makeTensor(picked, [count, length])
    }
    const total = group.cached + length
    const mask = new BigInt64Array(count * total).fill(1n)
    const feeds: Record<string, Tensor> = {
      input_ids: pick(run.tokens),
      attention_mask: makeTensor(mask, [count, total]),
      position_ids: pick(run.positions),
      num_logits_to_keep: makeTensor(BigInt64Array.of(0n), []),
    }
    for (const name of OPTIONAL_INPUTS) if (!this.#model.inputTypes.has(name)) delete feeds[name]
    for (const [part, name] of this.#past.entries()) feeds[name] = this.#pastOf(run, group, part)
    return this.#model.run(feeds, withLogits ? ['logits', ...this.#present] : this.#present)
  }

  /** The cache of the group's rows, each with its copy of the prefix: [B, K, cached, H]. */
  #pastOf({ prefix, past }: DecoderRun, { rows, cached }: Group, part: number): Tensor {
    const { heads, headSize } = this.memory.shape
    const values = new Float32Array(rows.length * heads * cached * headSize)
    const shared = (prefix?.length ?? 0) * headSize
    const own = cached * headSize - shared
    for (const [index, row] of rows.entries())
      for (let head = 0; head < heads; head++) {
        const to = (index * heads + head) * cached * headSize
        if (prefix !== undefined) {
          const from = head * prefix.cache.capacity * headSize
          const source = (prefix.cache.block as ProcessBlock).parts[part]!
          values.set(source.subarray(from, from + shared), to)
        }
        if (past !== undefined) {
          const { parts, stride } = past.block as ProcessBlock
          const from = (row * heads + head) * stride * headSize
          values.set(parts[part]!.subarray(from, from + own), to + shared)
        }
      }
    return makeTensor(values, [rows.length, heads, cached, headSize])
  }

  /** Copies the keys and values of the new tokens out of those of all tokens. */
  #takeNew(
    outputs: Outputs,
    { rows, cached }: Group,
    length: number,
    present: readonly Float32Array[],
  ): void {
    const { heads, headSize } = this.memory.shape
    const [all, fresh] = [(cached + length) * headSize, length * headSize]
    for (const [part, target] of present.entries()) {
      const source = outputs[this.#present[part]!] as Float32Array
      for (const [index, row] of rows.entries())
        for (let head = 0; head < heads; head++) {
          const from = (index * heads + head + 1) * all - fresh
          target.set(source.subarray(from, from + fresh), (row * heads + head) * fresh)
        }
    }
  }
}
