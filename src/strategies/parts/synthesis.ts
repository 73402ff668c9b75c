/** One answer out of several candidates. */
import type { NamedModel, RoleCost, TaskSize } from '../../core/strategy.ts'
import { withoutThinking } from '../../core/thinking.ts'
import type { Events, Refinement } from '../compose.ts'
import { roleInput } from './cost.ts'
import { draftSampling } from './draft.ts'
import { formIn } from './forms.ts'
import { sampleOne } from './sample-one.ts'
import { beginningOf } from './sample-request.ts'

export interface Synthesis {
  readonly form: 'aggregate' | 'synthesise'
  /** In the order in which they are shown. */
  readonly parents: readonly number[]
  readonly round: number
  readonly seed: number
  /** Written side by side with others, which it should differ from. */
  readonly isOneOfMany: boolean
  /** What is shown instead of the parents themselves. */
  readonly workspace?: string
  /** Who writes; default: the refiner. */
  readonly author?: NamedModel
}

/** Returns the new candidate, or undefined when it failed (a failed candidate is told). */
export async function* synthesise(
  refinement: Refinement,
  { form, parents, round, seed, isOneOfMany, workspace, author }: Synthesis,
): Events<number | undefined> {
  const { task, context, pool } = refinement
  const { model, prompts } = author ?? {
    model: context.models.refiner,
    prompts: context.prompts.refiner,
  }
  // A model that thinks aloud hands on what stands behind its thinking (PaCoRe's compaction).
  const texts = parents.map((parent) => withoutThinking(pool.text(parent)))
  const asked =
    workspace === undefined
      ? formIn(prompts, form)(task, texts)
      : formIn(prompts, 'solveFrom')(task, workspace)
  return yield* sampleOne(refinement, {
    model,
    messages: asked.messages,
    ...beginningOf(asked, model, task),
    sampling: draftSampling(task, isOneOfMany ? 2 : 1),
    role: 'aggregate',
    round,
    parents,
    seed,
  })
}

/** Number and tags of a candidate. */
export const FRAME_TOKENS = 16

/** `calls` syntheses of at most `drafts` candidates each, by the refiner; the prompt may give the beginning of the answer. */
export const synthesisCost = (size: TaskSize, calls: number, drafts: number): RoleCost => ({
  role: 'refiner',
  calls,
  inputTokens: calls * (roleInput(size, drafts) + drafts * FRAME_TOKENS + size.maxTokens),
  outputTokens: calls * size.maxTokens,
})
