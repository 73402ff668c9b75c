/** Turns a generation request into the body of `POST /chat/completions`. */
import type { CapabilityRecord, GenerationRequest } from '../../core/language-model.ts'
import type { Message } from '../../core/task.ts'
import { constraintFields } from './constraint.ts'
import {
  continuationFields,
  extensionField,
  keptStopFields,
  topKField,
  type Flavour,
} from './flavour.ts'

export interface Warning {
  readonly type: 'warning'
  readonly code: string
  readonly message: string
}

export interface Upstream {
  /** Id of the model on our side, for messages. */
  readonly id: string
  readonly upstreamModel: string
  readonly flavour: Flavour
  readonly capabilities: CapabilityRecord
  /** Name of the length limit; newer hosted models take `max_completion_tokens` only. */
  readonly maxTokensField: 'max_tokens' | 'max_completion_tokens'
}

const GO_ON =
  'Your last message was cut off. Go on exactly where it stopped: write only what follows, without repeating ' +
  'anything of it and without any comment.'

const messagesOf = (upstream: Upstream, request: GenerationRequest): readonly Message[] => {
  const { messages, continueFrom } = request
  if (continueFrom === undefined || continueFrom === '') return messages
  const started: Message = { role: 'assistant', content: continueFrom }
  return upstream.capabilities.assistant_continuation === 'native'
    ? [...messages, started]
    : [...messages, started, { role: 'user', content: GO_ON }]
}

const EXTENDED = ['min_p', 'repetition_penalty'] as const

const extensionFields = ({ flavour }: Upstream, { sampling }: GenerationRequest) =>
  Object.fromEntries(
    EXTENDED.flatMap((wish) => {
      const [field, value] = [extensionField(flavour, wish), sampling[wish]]
      return field === undefined || value === undefined ? [] : [[field, value]]
    }),
  )

const samplingFields = (upstream: Upstream, request: GenerationRequest) => {
  const { temperature, top_p, top_k, max_tokens, stop } = request.sampling
  const { presence_penalty, frequency_penalty } = request.sampling
  const topK = top_k === undefined ? undefined : topKField(upstream.flavour, top_k)
  return {
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...(topK !== undefined && { top_k: topK }),
    ...(presence_penalty !== undefined && { presence_penalty }),
    ...(frequency_penalty !== undefined && { frequency_penalty }),
    ...extensionFields(upstream, request),
    ...(max_tokens !== undefined && { [upstream.maxTokensField]: max_tokens }),
    ...(stop !== undefined && stop.length > 0 && { stop }),
  }
}

const toolFields = ({ tools, toolChoice, parallelToolCalls }: GenerationRequest) => ({
  ...(tools !== undefined && { tools }),
  ...(toolChoice !== undefined && { tool_choice: toolChoice }),
  ...(parallelToolCalls !== undefined && { parallel_tool_calls: parallelToolCalls }),
})

/**
 * JSON body of the call; undefined fields are left out, as strict upstreams refuse nulls.
 * @throws RefineError unsupported_capability for a constraint that the upstream has no field for.
 */
export const requestBody = (
  upstream: Upstream,
  request: GenerationRequest,
): Readonly<Record<string, unknown>> => {
  const { id, flavour, capabilities } = upstream
  const alternatives = request.topLogProbabilities
  const continues = request.continueFrom !== undefined && request.continueFrom !== ''
  return {
    model: upstream.upstreamModel,
    messages: messagesOf(upstream, request),
    stream: true,
    stream_options: { include_usage: true },
    seed: request.seed,
    ...(request.samples > 1 && { n: request.samples }),
    ...samplingFields(upstream, request),
    ...toolFields(request),
    ...(request.constraint && constraintFields(id, flavour, request.constraint)),
    ...(alternatives !== undefined && { logprobs: true }),
    ...(alternatives !== undefined && alternatives > 0 && { top_logprobs: alternatives }),
    ...(continues &&
      capabilities.assistant_continuation === 'native' &&
      continuationFields(flavour)),
    ...(request.keepStop === true &&
      capabilities.stop_kept === 'native' &&
      keptStopFields(flavour)),
  }
}

/** What the caller should know about how this request is answered. */
export const degradations = (upstream: Upstream, request: GenerationRequest): Warning[] => {
  const { id, capabilities, flavour } = upstream
  const warnings: Warning[] = []
  const warn = (code: string, message: string): void => {
    warnings.push({ type: 'warning', code, message: `Model "${id}": ${message}` })
  }
  if (request.continueFrom && capabilities.assistant_continuation === 'emulated') {
    warn(
      'degraded_continuation',
      'the answer is continued by asking for its rest in a new turn, which may repeat or skip some of it.',
    )
  }
  if (request.samples > 1 && capabilities.parallel_samples === 'emulated') {
    warn('emulated_samples', 'each sample is a call of its own, so the prompt is paid for each.')
  }
  if (request.keepStop && request.sampling.stop && capabilities.stop_kept === 'emulated') {
    warn(
      'emulated_stop_kept',
      'the stop string is put back without knowing for sure that it was met.',
    )
  }
  if (request.sampling.top_k !== undefined && topKField(flavour, 1) === undefined) {
    warn('ignored_sampling', 'top_k is no part of the OpenAI interface and was left out.')
  }
  for (const wish of EXTENDED)
    if (request.sampling[wish] !== undefined && extensionField(flavour, wish) === undefined)
      warn('ignored_sampling', `${wish} is no part of the OpenAI interface and was left out.`)
  return warnings
}
