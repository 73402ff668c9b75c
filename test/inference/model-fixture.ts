/** The embedded model as tests use it, and the values that an independent implementation computed for it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type {
  GenerationChunk,
  GenerationRequest,
  LanguageModel,
} from '../../src/core/language-model.ts'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { suppressedBy } from '../../src/inference/checkpoint/model-config.ts'
import type { GenerateWork, SamplingParameters } from '../../src/inference/protocol.ts'
import { GraphDecoder, type DecoderRun } from '../../src/inference/runtime/decoder.ts'
import { openRuntime } from '../../src/inference/runtime/open-runtime.ts'
import { readTokenText } from '../../src/inference/text/token-text.ts'
import type { Message } from '../../src/core/task.ts'

export const ROOT = path.resolve(import.meta.dirname, '../../..')
export const FOLDER = path.join(ROOT, 'models/pebble')
export const STEP_MARKS = { step: '<|step|>', good: '<|good|>', bad: '<|bad|>' } as const

export interface ReferenceCase {
  readonly name: string
  readonly messages: readonly Message[]
  readonly text: string
  readonly ids: readonly number[]
  readonly last_logits_top: readonly (readonly [token: number, logit: number])[]
  readonly last_logits_first_8: readonly number[]
  readonly token_log_probabilities: readonly number[]
  readonly greedy_ids: readonly number[]
  readonly greedy_text: string
}

const fixture = path.join(ROOT, 'test/fixtures/pebble/reference.json')
export const REFERENCE = (
  JSON.parse(readFileSync(fixture, 'utf8')) as { cases: readonly ReferenceCase[] }
).cases

export const reference = (name: string): ReferenceCase =>
  REFERENCE.find((item) => item.name === name)!

export const never = new AbortController().signal

export interface Collected {
  readonly texts: string[]
  readonly chunks: GenerationChunk[]
  readonly finishes: Extract<GenerationChunk, { type: 'finish' }>[]
}

/** As many as the reference has at most: enough for a whole solution. */
export const GREEDY_TOKENS = 96

/** Runs a request to its end; greedy with at most `GREEDY_TOKENS` unless told otherwise. */
export const collect = async (
  model: LanguageModel,
  request: Partial<GenerationRequest> & Pick<GenerationRequest, 'messages'>,
  signal: AbortSignal = never,
): Promise<Collected> => {
  const full = {
    samples: 1,
    sampling: { temperature: 0, max_tokens: GREEDY_TOKENS },
    seed: 1,
    ...request,
  }
  const texts = Array.from({ length: full.samples }, () => '')
  const chunks: GenerationChunk[] = []
  for await (const chunk of model.generate(full, { signal })) {
    chunks.push(chunk)
    if (chunk.type === 'delta') texts[chunk.sample] += chunk.text
  }
  return { texts, chunks, finishes: chunks.filter((chunk) => chunk.type === 'finish') }
}

/** Greedy, at most `GREEDY_TOKENS`, nothing cut off and nothing changed, but for what is given. */
export const samplingParameters = (
  wishes: Partial<SamplingParameters> = {},
): SamplingParameters => ({
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  maxTokens: GREEDY_TOKENS,
  stop: [],
  ...wishes,
})

/** One greedy sample, but for what is given. */
export const generateWork = (
  work: Partial<GenerateWork> & Pick<GenerateWork, 'prompt'>,
): GenerateWork => ({
  samples: 1,
  sampling: samplingParameters(),
  keepStop: false,
  seed: 1,
  topLogProbabilities: undefined,
  constraint: undefined,
  priority: 'interactive',
  ...work,
})

/** A decoder that keeps account of what it computes. */
export class CountingDecoder extends GraphDecoder {
  /** Rows and new tokens per row of each run, padding included. */
  readonly runs: { rows: number; length: number }[] = []

  override run(run: DecoderRun): ReturnType<GraphDecoder['run']> {
    this.runs.push({ rows: run.rows, length: run.length })
    return super.run(run)
  }

  /** Tokens of prompts that were computed, padding included. */
  get promptTokens(): number {
    return this.runs
      .filter(({ length }) => length > 1)
      .reduce((sum, { rows, length }) => sum + rows * length, 0)
  }
}

/** The embedded model on this thread, without an engine around it. */
export const loadDecoder = async () => {
  const checkpoint = openCheckpoint(FOLDER)
  const config = checkpoint.config()
  const weights = checkpoint.weights()
  try {
    const plan = { shape: config.decoder, format: 'fp32', head: config.head } as const
    const runtime = await openRuntime(plan, weights, { threads: 1, device: 'cpu' })
    const decoder = new CountingDecoder(runtime, config.decoder)
    const vocabulary = {
      text: readTokenText(checkpoint),
      endTokens: new Set(config.endTokens),
      suppressedTokens: new Set(suppressedBy(config.head)),
      contextLength: config.decoder.contextLength,
    }
    return { decoder, vocabulary }
  } finally {
    weights.close()
  }
}
