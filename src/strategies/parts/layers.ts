/** Layers of answers, each of which sees those of the layer before: parallel thinking and mixtures of agents. */
import type { StopReason } from '../../core/event.ts'
import { merge } from '../../core/merge.ts'
import type { NamedModel } from '../../core/strategy.ts'
import type { Events, Refinement } from '../compose.ts'
import { affordablePieces, affordableSamples } from './allowance.ts'
import { sample, draftSampling } from './draft.ts'
import { synthesise } from './synthesis.ts'

/** Who writes the places of a layer, in turn; undefined stands for the run's own generator. */
export type Authors = readonly (NamedModel | undefined)[]

/**
 * The first layer where several models write: one call for each place, all side by side; for fewer places where the budget
 * does not reach, with `kept` calls left.
 */
export async function* proposeByAll(refinement: Refinement, authors: Authors, kept = 0): Events {
  const { task, context } = refinement
  const asked = context.prompts.generator.solve(task)
  const most = affordableSamples(context, asked, task.sampling, authors.length, 1, kept)
  const calls = authors.slice(0, most).map((author) => {
    const { model, prompts } = author ?? {
      model: context.models.generator,
      prompts: context.prompts.generator,
    }
    return sample(refinement, {
      model,
      messages: prompts.solve(task),
      samples: 1,
      sampling: draftSampling(task, authors.length),
      role: 'draft',
      round: 0,
      parents: [],
      seed: context.random.seed(),
    })
  })
  yield* merge(calls)
}

/**
 * A layer of answers that see those of `parents`, in an order of its own for each place, or the workspace distilled from
 * them. Returns the completed ones; where all fail, the parents.
 */
export async function* nextLayer(
  refinement: Refinement,
  parents: readonly number[],
  authors: Authors,
  round: number,
  workspace?: string,
): Events<readonly number[]> {
  const { random } = refinement.context
  const made = yield* merge(
    affordablePieces(refinement.context, authors, 1).map((author) =>
      synthesise(refinement, {
        form: 'synthesise',
        parents: random.shuffle(parents),
        round,
        seed: random.seed(),
        isOneOfMany: authors.length > 1,
        ...(workspace === undefined ? {} : { workspace }),
        ...(author === undefined ? {} : { author }),
      }),
    ),
  )
  const completed = made.filter((candidate) => candidate !== undefined)
  return completed.length === 0 ? parents : completed
}

/** The one answer that the method exists to make. */
export async function* concludeFrom(
  refinement: Refinement,
  parents: readonly number[],
  round: number,
  workspace?: string,
): Events<StopReason | undefined> {
  const seed = refinement.context.random.seed()
  const last = yield* synthesise(refinement, {
    form: 'synthesise',
    parents,
    round,
    seed,
    isOneOfMany: false,
    ...(workspace === undefined ? {} : { workspace }),
  })
  if (last === undefined) return 'no_improvement'
  yield refinement.pool.promote(last, 'synthesis', null)
  return undefined
}
