/** Steers one run: checks what is asked against the run as it is, tells it as an event, and lets it take effect. */
import type { Budget, BudgetLedger } from '../core/budget.ts'
import { assertNever, invalidField, RefineError } from '../core/errors.ts'
import type { RunState } from '../core/run-state.ts'
import { STEERING, type Steering, type SteeringView } from '../core/steering.ts'
import { validate } from '../core/validation.ts'

/** Reads a request to steer. @throws RefineError invalid_request, naming the fields at fault below `pointer`. */
export const readSteering = (value: unknown, pointer = ''): Steering => {
  const action = (value as { action?: unknown } | null | undefined)?.action
  if (typeof action !== 'string' || !Object.hasOwn(STEERING, action)) {
    const known = Object.keys(STEERING).join(', ')
    throw invalidField(`${pointer}/action`, `must be one of ${known}`)
  }
  return validate(STEERING[action as keyof typeof STEERING], value, pointer)
}

const checkCandidate = ({ candidates, answer }: RunState, steering: Steering): void => {
  if (!('candidate' in steering)) return
  const { action, candidate } = steering
  if (candidates[candidate] === undefined) {
    throw invalidField('/candidate', `the run has no candidate ${candidate}`)
  }
  if (action === 'drop' && answer?.candidate === candidate) {
    throw new RefineError('conflict', `Candidate ${candidate} is the answer: it cannot be dropped.`)
  }
}

/** Each is an event, and hints go into every prompt to come. */
const MOST_STEERINGS = 64

/**
 * @throws RefineError rate_limited when the run was steered 64 times before; conflict when the run has ended, or has nothing yet that could be accepted; invalid_request for a
 * candidate that does not exist.
 */
export const checkSteering = (state: RunState, steering: Steering): void => {
  if (state.ended_at !== null) throw new RefineError('conflict', 'The run has ended.')
  if (state.steering.length >= MOST_STEERINGS && steering.action !== 'accept') {
    throw new RefineError('rate_limited', `A run may be steered ${MOST_STEERINGS} times.`)
  }
  if (steering.action === 'accept' && state.answer === null) {
    throw new RefineError('conflict', 'There is no answer yet that could be accepted.')
  }
  if (steering.action === 'budget' && Object.keys(steering.budget).length === 0) {
    throw invalidField('/budget', 'must name at least one of calls, tokens, seconds and cost')
  }
  checkCandidate(state, steering)
}

/** What a run was asked for so far, as its strategy sees it, and its limits as they are now. */
export class RunSteering implements SteeringView {
  readonly #hints: string[] = []
  readonly #dropped = new Set<number>()
  readonly #marks = new Map<number, number>()
  #limits: Budget
  #ledger: BudgetLedger | undefined
  #onLimits: () => void = () => undefined

  constructor(limits: Budget) {
    this.#limits = limits
  }

  /** Limits of a run that may still wait for its start. */
  get limits(): Budget {
    return this.#limits
  }

  hints(): readonly string[] {
    return this.#hints
  }

  isDropped(candidate: number): boolean {
    return this.#dropped.has(candidate)
  }

  markedStep(candidate: number): number | undefined {
    return this.#marks.get(candidate)
  }

  /** From now on new limits go to the ledger, and `onLimits` is told. */
  govern(ledger: BudgetLedger, onLimits: () => void): void {
    this.#ledger = ledger
    this.#onLimits = onLimits
  }

  /** Takes up what was asked; that a run is accepted is its owner's to act on. */
  apply(steering: Steering): void {
    switch (steering.action) {
      case 'accept':
        return
      case 'budget':
        this.#limits = { ...this.#limits, ...steering.budget }
        this.#ledger?.change(steering.budget)
        return this.#onLimits()
      case 'hint':
        this.#hints.push(steering.text)
        return
      case 'drop':
        this.#dropped.add(steering.candidate)
        return
      case 'mark':
        this.#marks.set(steering.candidate, steering.step)
        return
      default:
        assertNever(steering)
    }
  }
}
