/** What the caller should know about how a request is answered. */
import type {
  CapabilityRecord,
  GenerationChunk,
  GenerationRequest,
} from '../../core/language-model.ts'

export function* degradations(
  id: string,
  { parallel_samples, assistant_continuation, stop_kept }: CapabilityRecord,
  request: GenerationRequest,
): Generator<GenerationChunk, void, void> {
  const warn = (code: string, message: string): GenerationChunk => ({
    type: 'warning',
    code,
    message: `Model "${id}": ${message}`,
  })
  if (request.samples > 1 && parallel_samples === 'emulated')
    yield warn('emulated_samples', 'each sample is a call of its own.')
  if (request.continueFrom && assistant_continuation === 'emulated')
    yield warn('degraded_continuation', 'the answer is continued in a new turn.')
  if (request.keepStop && request.sampling.stop && stop_kept === 'emulated')
    yield warn('emulated_stop_kept', 'the stop string is put back.')
}
