/** What the servers that speak the OpenAI dialect can do beyond it, and how each is asked. */
import { RefineError } from '../../core/errors.ts'
import type { Capability, CapabilityRecord, Support } from '../../core/language-model.ts'

export const FLAVOURS = ['openai', 'vllm', 'sglang', 'llama.cpp'] as const
export type Flavour = (typeof FLAVOURS)[number]

/** What this adapter has no way to do, whoever the upstream is. */
const OUT_OF_REACH = {
  text_scoring: 'none',
  step_scores: 'none',
  outcome_scores: 'none',
  embeddings: 'none',
} as const

/** What an upstream takes depends on its model; one that refuses images or tools says so itself. */
const SELF_HOSTED: CapabilityRecord = {
  ...OUT_OF_REACH,
  parallel_samples: 'native',
  assistant_continuation: 'native',
  stop_kept: 'native',
  log_probabilities: 'native',
  constrained_output: 'native',
  seed: 'native',
  images: 'native',
  tools: 'native',
}

/** A hosted API passes a seed on without promising anything, hence `none` there. */
const CAPABILITIES_OF: Readonly<Record<Flavour, CapabilityRecord>> = {
  openai: {
    ...SELF_HOSTED,
    assistant_continuation: 'emulated',
    stop_kept: 'emulated',
    seed: 'none',
  },
  vllm: SELF_HOSTED,
  sglang: SELF_HOSTED,
  'llama.cpp': { ...SELF_HOSTED, parallel_samples: 'emulated', stop_kept: 'emulated' },
}

const check = (id: string, capability: Capability, support: Support): void => {
  const reachable = !(capability in OUT_OF_REACH)
  if (reachable || support === 'none') return
  throw new RefineError(
    'invalid_request',
    `Model "${id}": capabilities.${capability} must be "none": the openai-compatible adapter does not offer it.`,
    { param: `capabilities.${capability}` },
  )
}

/**
 * The capabilities of a flavour with the operator's corrections.
 * @throws RefineError invalid_request when a correction claims what the adapter cannot do.
 */
export const capabilitiesOf = (
  id: string,
  flavour: Flavour,
  overrides: Partial<CapabilityRecord>,
): CapabilityRecord => {
  for (const [capability, support] of Object.entries(overrides)) {
    check(id, capability as Capability, support)
  }
  return { ...CAPABILITIES_OF[flavour], ...overrides }
}

/** Fields that make the upstream go on with the assistant message that ends the conversation. */
export const continuationFields = (flavour: Flavour): Readonly<Record<string, unknown>> => {
  switch (flavour) {
    case 'vllm':
      return { continue_final_message: true, add_generation_prompt: false }
    case 'sglang':
      return { continue_final_message: true }
    case 'llama.cpp': // goes on by itself
    case 'openai':
      return {}
  }
}

/** Fields that make the upstream leave the matched stop string in the text. */
export const keptStopFields = (flavour: Flavour): Readonly<Record<string, unknown>> => {
  switch (flavour) {
    case 'vllm':
      return { include_stop_str_in_output: true }
    case 'sglang':
      return { no_stop_trim: true }
    case 'llama.cpp':
    case 'openai':
      return {}
  }
}

/** `top_k` is no part of the OpenAI dialect; what says "every token" differs. Undefined where it cannot be sent. */
export const topKField = (flavour: Flavour, topK: number): number | undefined => {
  if (flavour === 'openai') return undefined
  return topK === 0 && flavour !== 'llama.cpp' ? -1 : topK
}

/** Sampling beyond the OpenAI dialect, by the names that the flavour gives it; `openai` takes none of it. */
const EXTENSIONS: Readonly<Record<Flavour, Readonly<Record<string, string>>>> = {
  openai: {},
  vllm: { min_p: 'min_p', repetition_penalty: 'repetition_penalty' },
  sglang: { min_p: 'min_p', repetition_penalty: 'repetition_penalty' },
  'llama.cpp': { min_p: 'min_p', repetition_penalty: 'repeat_penalty' },
}

/** The upstream's field for `min_p` or `repetition_penalty`; undefined where it has none. */
export const extensionField = (flavour: Flavour, wish: string): string | undefined =>
  EXTENSIONS[flavour][wish]
