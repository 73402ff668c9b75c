/** Names of what is made here. */
import { randomBytes } from 'node:crypto'
import type { FeedbackRecord } from '../core/run-store.ts'
import type { Strategy } from '../core/strategy.ts'
import type { FeedbackRow, StrategyDescription } from './run-service.ts'

const TIME_DIGITS = 9

/** What ids of runs begin with that are made at the time, in milliseconds since 1970. */
export const runIdAt = (time: number): string =>
  `run_${Math.max(0, Math.floor(time)).toString(36).padStart(TIME_DIGITS, '0')}`

/** `run_`, then the time, so that names sort by time of creation. */
export const createRunId = (): string => `${runIdAt(Date.now())}${randomBytes(9).toString('hex')}`

export const feedbackRecord = (row: FeedbackRow): FeedbackRecord => ({
  id: `feedback_${randomBytes(12).toString('hex')}`,
  at: new Date().toISOString(),
  ...row,
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
