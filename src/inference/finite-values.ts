/** Guards what the model computed: past a value that is no number everything is one, also for other rows of the cache. */
import { RefineError } from '../core/errors.ts'

/** @throws RefineError model_failed unless all values are finite. */
export const checkFinite = (values: Float32Array): void => {
  if (values.every(Number.isFinite)) return
  throw new RefineError(
    'model_failed',
    'The model computed something that is no number: its weights are damaged, or too large for the format they are held in.',
  )
}
