/** Names of what is made here. */
import { hash, randomBytes } from 'node:crypto'
import type { FeedbackRecord } from '../core/run-store.ts'
import type { Strategy } from '../core/strategy.ts'
import type { FeedbackKey, FeedbackRow, StrategyDescription } from './run-service.ts'

const TIME_DIGITS = 9

/** What ids of runs begin with that are made at the time, in milliseconds since 1970. */
export const runIdAt = (time: number): string =>
  `run_${Math.max(0, Math.floor(time)).toString(36).padStart(TIME_DIGITS, '0')}`

/** `run_`, then the time, so that names sort by time of creation. */
export const createRunId = (): string => `${runIdAt(Date.now())}${randomBytes(9).toString('hex')}`

const createFeedbackId = (): string => `feedback_${randomBytes(12).toString('hex')}`

export const feedbackRecord = (row: FeedbackRow, id = createFeedbackId()): FeedbackRecord => ({
  id,
  at: new Date().toISOString(),
  ...row,
})

/** Ids of the rows of a request with a key: the same for the same request, so that it is found when it comes again. */
export const keyedFeedbackIds = (
  owner: string,
  { route, key }: FeedbackKey,
  rows: number,
): string[] =>
  Array.from({ length: rows }, (_, row) => {
    const name = JSON.stringify([owner, route, key, row])
    return `feedback_${hash('sha256', name).slice(0, 24)}`
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
