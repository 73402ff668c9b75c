/** Names of what is made here. */
import { randomBytes } from 'node:crypto'
import type { FeedbackRecord } from '../core/run-store.ts'
import type { Strategy } from '../core/strategy.ts'
import type { FeedbackInput, StrategyDescription } from './run-service.ts'

/** `run_` and a name that sorts by time of creation. */
export const createRunId = (): string =>
  `run_${Date.now().toString(36).padStart(9, '0')}${randomBytes(9).toString('hex')}`

export const feedbackRecord = (runId: string, feedback: FeedbackInput): FeedbackRecord => ({
  id: `feedback_${randomBytes(12).toString('hex')}`,
  run_id: runId,
  at: new Date().toISOString(),
  ...feedback,
})

/** Entry of `GET /v1/strategies`. */
export const describeStrategy = ({
  name,
  description,
  feedback,
  requires,
  source,
  options,
}: Strategy): StrategyDescription => ({ name, description, feedback, requires, source, options })
