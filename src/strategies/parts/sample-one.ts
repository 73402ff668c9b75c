/** One candidate from one call. */
import type { Events, Refinement } from '../compose.ts'
import { sample, type SampleCall } from './draft.ts'

/** Returns the candidate, or undefined when it failed (a failed candidate is told). */
export async function* sampleOne(
  refinement: Refinement,
  call: Omit<SampleCall, 'samples' | 'ended'>,
): Events<number | undefined> {
  let completed: number | undefined
  const ended = (_: number, candidate: number | undefined): void => void (completed = candidate)
  yield* sample(refinement, { ...call, samples: 1, ended })
  return completed
}

/** Does something with a candidate as soon as it is there, such as to score it. */
export type Rate = (candidate: number) => Events

/** Returns its candidate, or undefined where it failed. */
export type Draft = Events<number | undefined>

export async function* rated(draft: Draft, rate: Rate): Draft {
  const candidate = yield* draft
  if (candidate !== undefined) yield* rate(candidate)
  return candidate
}
