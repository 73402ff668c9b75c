/** Refuses requests that a model cannot serve, before any work is done. */
import { RefineError } from '../core/errors.ts'
import type { CapabilityRecord, GenerationRequest } from '../core/language-model.ts'

const unsupported = (id: string, what: string): RefineError =>
  new RefineError('unsupported_capability', `Model "${id}" cannot ${what}.`, { param: 'model' })

/** @throws RefineError unsupported_capability when the request needs what the model lacks even emulated. */
export const requireCapabilities = (
  id: string,
  capabilities: CapabilityRecord,
  request: GenerationRequest,
): void => {
  if (request.samples > 1 && capabilities.parallel_samples === 'none')
    throw unsupported(id, 'give several samples of one prompt')
  if (request.continueFrom !== undefined && capabilities.assistant_continuation === 'none')
    throw unsupported(id, 'go on with a partly written answer')
  if (request.keepStop === true && capabilities.stop_kept === 'none')
    throw unsupported(id, 'keep the stop string in the text')
  if (request.topLogProbabilities !== undefined && capabilities.log_probabilities === 'none')
    throw unsupported(id, 'report log-probabilities')
  if (request.tools !== undefined && capabilities.tools === 'none')
    throw unsupported(id, 'call tools')
  if (request.constraint !== undefined && capabilities.constrained_output === 'none')
    throw unsupported(id, 'keep to a form')
}
