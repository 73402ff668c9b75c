/** The embedded model as tests use it, and the values that an independent implementation computed for it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type {
  GenerationChunk,
  GenerationRequest,
  LanguageModel,
} from '../../src/core/language-model.ts'
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
