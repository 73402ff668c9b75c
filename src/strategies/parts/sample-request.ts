/** What a call for candidates asks of its model: what the task says of their form, and what scorers need to know. */
import type { CandidateRole } from '../../core/event.ts'
import type { GenerationRequest, LanguageModel } from '../../core/language-model.ts'
import type { Prompt } from '../../core/prompts.ts'
import { constraintOf } from '../../core/response-format.ts'
import type { Message, Sampling, Task } from '../../core/task.ts'
import { PEAKEDNESS_ALTERNATIVES } from '../../core/peakedness.ts'
import type { Refinement } from '../compose.ts'
import type { Watch } from './watch.ts'

export interface SampleCall {
  readonly model: LanguageModel
  readonly messages: readonly Message[]
  readonly samples: number
  readonly sampling: Sampling
  readonly role: CandidateRole
  readonly round: number
  readonly parents: readonly number[]
  /** Drawn when the call starts, where absent; calls that run side by side draw theirs beforehand. */
  readonly seed?: number
  /** The beginning of every sample, which the model goes on from. */
  readonly continueFrom?: string
  /** Asks for the log-probability of each sample even though no scorer does, where the model can tell it. */
  readonly likelihood?: boolean
  /** Asks for the alternatives to each token as well. */
  readonly peakedness?: boolean
  /** Looks at what is written, in calls for one sample, and may end it. */
  readonly watch?: Watch
  /** Called for each sample once its end was delivered: with its candidate, or undefined when it failed or never came. */
  readonly ended?: (sample: number, candidate: number | undefined) => void
}

/** What the candidates may call and what form they must have: that of the task, whoever writes them. */
const formFields = ({
  tools,
  toolChoice,
  parallelToolCalls,
  responseFormat,
}: Task): Pick<GenerationRequest, 'tools' | 'toolChoice' | 'parallelToolCalls' | 'constraint'> => {
  const constraint = constraintOf(responseFormat)
  return {
    ...(tools !== undefined && { tools }),
    ...(toolChoice !== undefined && { toolChoice }),
    ...(parallelToolCalls !== undefined && { parallelToolCalls }),
    ...(constraint !== undefined && { constraint }),
  }
}

/**
 * What the scorers of the run ask of the tokens. A likelihood is that of an answer to the task, so only drafts carry
 * theirs; how peaked the tokens were can be told of every text.
 */
const alternativesFor = (
  { context: { models, scorers } }: Refinement,
  { model, likelihood = false, peakedness = false, role, continueFrom }: SampleCall,
): number | undefined => {
  if (model.capabilities.log_probabilities === 'none') return undefined
  if (peakedness) return PEAKEDNESS_ALTERNATIVES
  const wanted = scorers.alternatives
  if (wanted !== undefined && wanted > 0) return wanted
  const isWhole = role === 'draft' && continueFrom === undefined && model.id === models.generator.id
  return isWhole && (likelihood || wanted !== undefined) ? 0 : undefined
}

/** Alternatives to ask for per token where the run's caller wishes to see them, or its scorers to use them. */
export const shownOrUsed = (
  { task }: Refinement,
  { capabilities }: LanguageModel,
  used: number | undefined,
): number | undefined => {
  const shown = capabilities.log_probabilities === 'none' ? undefined : task.topLogProbabilities
  return shown === undefined ? used : Math.max(shown, used ?? 0)
}

/** What the prompt gives of the answer. None for an answer in a form of its own, or one that may call tools: it would begin otherwise. */
export const beginningOf = (
  { continueFrom }: Prompt,
  { capabilities }: LanguageModel,
  { responseFormat, tools }: Task,
): Pick<SampleCall, 'continueFrom'> =>
  continueFrom === undefined ||
  capabilities.assistant_continuation !== 'native' ||
  (responseFormat ?? tools) !== undefined
    ? {}
    : { continueFrom }

export const requestOf = (refinement: Refinement, call: SampleCall): GenerationRequest => {
  const { task, context } = refinement
  const { model, messages, samples, sampling, continueFrom } = call
  const alternatives = shownOrUsed(refinement, model, alternativesFor(refinement, call))
  return {
    messages,
    samples,
    sampling,
    seed: call.seed ?? context.random.seed(),
    ...formFields(task),
    ...(alternatives !== undefined && { topLogProbabilities: alternatives }),
    ...(continueFrom !== undefined && { continueFrom }),
  }
}
