/** Candidates that are scored while others are still being written. */
import { merge } from '../../core/merge.ts'
import type { Events, Refinement } from '../compose.ts'
import { sample, type SampleCall } from './draft.ts'

interface Slot {
  readonly candidate: Promise<number | undefined>
  fill(candidate: number | undefined): void
}

const createSlot = (): Slot => {
  let fill: Slot['fill'] = () => undefined
  const candidate = new Promise<number | undefined>((resolve) => (fill = resolve))
  return { candidate, fill }
}

/** Samples, and scores each candidate as soon as it is completed, while the others are still being written. */
export const sampleAndScore = (
  refinement: Refinement,
  call: SampleCall,
  score: (candidate: number) => Events,
): Events<unknown> => {
  const slots = Array.from({ length: call.samples }, createSlot)
  const ended: SampleCall['ended'] = (at, candidate) => slots[at]!.fill(candidate)
  async function* scoring({ candidate }: Slot): Events {
    const completed = await candidate
    if (completed !== undefined) yield* score(completed)
  }
  return merge([sample(refinement, { ...call, ended }), ...slots.map(scoring)])
}
