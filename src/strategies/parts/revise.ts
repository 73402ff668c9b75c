/** Lets the refiner rewrite a candidate. */
import type { Attempt } from '../../core/prompts.ts'
import type { Events, Refinement } from '../compose.ts'
import { sampleOne } from './sample-one.ts'
import { beginningOf } from './sample-request.ts'

/** Self-Refine's; above 0, so that a second try on the same critique can come out differently. */
const REVISION_TEMPERATURE = 0.7

export interface Revision {
  readonly parent: number
  readonly critique: string | undefined
  readonly round: number
  readonly seed?: number
  /** Oldest first. */
  readonly earlier?: readonly Attempt[]
}

/** What the reviewer said, and behind it what those who watch advise. */
const advice = (critique: string | undefined, hints: readonly string[]): string | undefined =>
  hints.length === 0
    ? critique
    : [...(critique === undefined ? [] : [critique]), ...hints.map((hint) => `Hint: ${hint}`)].join(
        '\n',
      )

/** A revision may be as long as a draft. Returns its candidate, or undefined when it failed (a failed candidate is told). */
export async function* revise(
  refinement: Refinement,
  { parent, critique, round, seed, earlier = [] }: Revision,
): Events<number | undefined> {
  const { task, context, pool } = refinement
  const told = advice(critique, context.steering.hints())
  const model = context.models.refiner
  const prompt = context.prompts.refiner.refine(task, pool.text(parent), told, earlier)
  return yield* sampleOne(refinement, {
    model,
    messages: prompt.messages,
    ...beginningOf(prompt, model, task),
    sampling: { temperature: REVISION_TEMPERATURE, ...task.sampling },
    role: 'revision',
    round,
    parents: [parent],
    ...(seed === undefined ? {} : { seed }),
  })
}
