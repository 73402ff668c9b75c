/** `Prefer` (RFC 7240): what a caller would like, as far as we know of it. */
import type { IncomingHttpHeaders } from 'node:http'

/** Longest that a request waits on behalf of `wait`, in seconds: intermediaries give up soon after. */
const MAX_WAIT = 60

export interface Preferences {
  /** Seconds to wait for the run, at most 60. */
  readonly wait: number | undefined
  readonly respondAsync: boolean
}

/** What is unknown or malformed counts as not asked for, as the RFC has it. */
export const preferencesOf = ({ prefer }: IncomingHttpHeaders): Preferences => {
  const wishes = [prefer ?? []].flat().flatMap((line) => line.split(','))
  const names = wishes.map((wish) => wish.split(';', 1)[0]!.trim().toLowerCase())
  const seconds = names
    .map((name) => /^wait\s*=\s*"?(\d{1,6})"?$/.exec(name)?.[1])
    .find((text) => text !== undefined)
  return {
    wait: seconds === undefined ? undefined : Math.min(MAX_WAIT, Number(seconds)),
    respondAsync: names.includes('respond-async'),
  }
}
