/** How a run ends: what stopped it, and the terminal event that tells it. */
import { BudgetSpent } from '../core/budget.ts'
import { describeError, RefineError, toRefineError } from '../core/errors.ts'
import type { Answer, RunnerEvent, StopReason, Usage } from '../core/event.ts'
import { Stop } from './stop.ts'

export type Ending =
  | {
      readonly kind: 'completed'
      readonly stopReason: StopReason
      /** Made only where it is needed: every run that ends well would pay for its stack. */
      readonly otherwise?: () => RefineError
    }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly error: RefineError }

/**
 * What a thrown value means for the run; `otherwise` is the error when there is no answer at all. A deadline is never
 * one: the answer so far may be none.
 */
export const endingOf = (thrown: unknown): Ending => {
  if (thrown instanceof Stop && thrown.reason === 'cancelled') return { kind: 'cancelled' }
  if (thrown instanceof Stop && thrown.reason === 'accepted') {
    const otherwise = () => new RefineError('internal', 'There was no answer to accept.')
    return { kind: 'completed', stopReason: 'finished', otherwise }
  }
  if (thrown instanceof Stop || (thrown instanceof BudgetSpent && thrown.unit === 'seconds')) {
    return { kind: 'completed', stopReason: 'deadline' }
  }
  if (thrown instanceof BudgetSpent) {
    const { unit } = thrown
    const message = `The budget of ${unit} does not allow a single answer.`
    const fields = [{ pointer: `/budget/${unit}`, message }]
    const otherwise = () => new RefineError('budget_too_small', message, { fields })
    return { kind: 'completed', stopReason: 'budget', otherwise }
  }
  return { kind: 'failed', error: toRefineError(thrown) }
}

export const terminalEvent = (ending: Ending, answer: Answer | null, usage: Usage): RunnerEvent => {
  if (ending.kind === 'cancelled') {
    return { type: 'run.cancelled', answer, usage, stop_reason: 'cancelled' }
  }
  if (ending.kind === 'completed' && (answer !== null || ending.otherwise === undefined)) {
    return { type: 'run.completed', answer, usage, stop_reason: ending.stopReason }
  }
  const error = ending.kind === 'completed' ? ending.otherwise!() : ending.error
  return { type: 'run.failed', answer, usage, error: describeError(error) }
}
