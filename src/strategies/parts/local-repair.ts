/** Local refinement: keep a solution up to its first bad step, and write the rest anew. */
import type { Events, Refinement } from '../compose.ts'
import { draftSampling } from './draft.ts'
import { sampleOne } from './sample-one.ts'

/** Index of the first step whose score is below the threshold. */
export const firstBadStep = (steps: readonly number[], threshold: number): number | undefined => {
  const at = steps.findIndex((step) => step < threshold)
  return at < 0 ? undefined : at
}

/** What a prompt set puts in front of a step is not part of the text. */
const bare = (step: string): string => step.replace(/^[-*•]\s+/, '')

/** The text in front of a step, counted from 0: up to the line in which the step begins. Empty for the first one. */
export const prefixBefore = (text: string, steps: readonly string[], step: number): string => {
  let from = 0
  for (const each of steps.slice(0, step)) {
    const at = text.indexOf(bare(each), from)
    if (at >= 0) from = at + bare(each).length
  }
  const target = text.indexOf(bare(steps[step] ?? ''), from)
  return step === 0 || target < 0 ? '' : text.slice(0, text.lastIndexOf('\n', target) + 1)
}

/** Returns the new candidate, or undefined when it failed. Without anything to keep it is a fresh draft. */
export async function* regrow(
  refinement: Refinement,
  {
    parent,
    step,
    round,
    seed,
  }: {
    readonly parent: number
    readonly step: number
    readonly round: number
    readonly seed: number
  },
): Events<number | undefined> {
  const { task, context, pool } = refinement
  const text = pool.text(parent)
  const steps = context.prompts.process_reward.splitSteps(text)
  const prefix = prefixBefore(text, steps, step)
  return yield* sampleOne(refinement, {
    model: context.models.generator,
    messages: context.prompts.generator.solve(task),
    sampling: draftSampling(task, 2),
    role: 'revision',
    round,
    parents: [parent],
    seed,
    ...(prefix.trim() === '' ? {} : { continueFrom: prefix }),
  })
}
