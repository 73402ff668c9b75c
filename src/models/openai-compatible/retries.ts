/** When to try a failed call again, and how long to wait before. */
import type { IncomingHttpHeaders } from 'node:http'

export interface RetryPolicy {
  /** Further attempts after the first, at least 0. */
  readonly limit: number
  /** Pause before the first further attempt, in milliseconds; doubles with each. */
  readonly baseMs: number
  /** Longest pause of our own, in milliseconds. */
  readonly maxMs: number
}

export const DEFAULT_RETRIES: RetryPolicy = { limit: 2, baseMs: 500, maxMs: 8000 }

/** A longer pause than this is the caller's business: the call fails and says when to come again. */
const LONGEST_HINT_MS = 60_000
const JITTER = 0.25

const first = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value

const milliseconds = (value: string | undefined, unit: number): number | undefined => {
  if (value === undefined || value.trim() === '') return undefined
  const number = Number(value)
  return Number.isFinite(number) && number >= 0 ? number * unit : undefined
}

const untilDate = (value: string | undefined): number | undefined => {
  const at = value === undefined ? NaN : Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}

/** What the headers of a refusal say about trying again: `retry-after-ms`, `retry-after`, `x-should-retry`. */
export const retryHints = (
  headers: IncomingHttpHeaders,
): { retryAfterMs: number | undefined; shouldRetry: boolean | undefined } => {
  const after = headers['retry-after']
  const said = first(headers['x-should-retry'])
  return {
    retryAfterMs:
      milliseconds(first(headers['retry-after-ms']), 1) ??
      milliseconds(after, 1000) ??
      untilDate(after),
    shouldRetry: said === 'true' ? true : said === 'false' ? false : undefined,
  }
}

/**
 * Milliseconds to wait before attempt `attempt` (counted from 0), or undefined to give up. Exponential, less up to a
 * quarter at random, so that callers who failed together do not come back together.
 */
export const pauseBefore = (
  attempt: number,
  policy: RetryPolicy,
  retryAfterMs: number | undefined,
  random: () => number,
): number | undefined => {
  if (attempt > policy.limit) return undefined
  if (retryAfterMs !== undefined) return retryAfterMs <= LONGEST_HINT_MS ? retryAfterMs : undefined
  const pause = Math.min(policy.maxMs, policy.baseMs * 2 ** (attempt - 1))
  return pause * (1 - JITTER * random())
}
