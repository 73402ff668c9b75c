/** What of a task every call for a candidate takes over, and what it tells beside the text. */
import type { TokenLogprob } from '../../core/event.ts'
import type { GenerationRequest, TokenLogProbability } from '../../core/language-model.ts'
import { constraintOf } from '../../core/response-format.ts'
import type { Task } from '../../core/task.ts'

/** What the candidates may call and what form they must have: that of the task, whoever writes them. */
export const formFields = ({
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

/** As the wire has it. */
export const logprobOf = ({
  text,
  logProbability,
  alternatives,
}: TokenLogProbability): TokenLogprob => ({
  token: text,
  logprob: logProbability,
  top_logprobs: alternatives.map((other) => ({
    token: other.text,
    logprob: other.logProbability,
  })),
})
