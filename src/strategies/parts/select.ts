/** A model reads all candidates and names one: universal self-consistency's selector. */
import { merge } from '../../core/merge.ts'
import { withoutThinking } from '../../core/thinking.ts'
import type { Events, Refinement } from '../compose.ts'
import { formOf } from './forms.ts'
import { question } from './question.ts'

async function* nameOne(
  refinement: Refinement,
  candidates: readonly number[],
): Events<number | undefined> {
  const { task, context, pool } = refinement
  const texts = candidates.map((candidate) => withoutThinking(pool.text(candidate)))
  const prompt = formOf(context, 'judge', 'select')(task, texts)
  const reply = yield* question(refinement, 'judge', prompt)
  const index =
    reply === undefined ? undefined : context.prompts.judge.readSelection(reply, candidates.length)
  return index === undefined ? undefined : candidates[index]
}

/** Whether two candidates are the same, or say the same. */
const agree = ({ pool }: Refinement, one: number, other: number): boolean =>
  one === other || (pool.answer(one) !== undefined && pool.answer(one) === pool.answer(other))

/** Promotes the candidate that is named, in one order or in both; tells the choice, or that there is none. */
export async function* select(
  refinement: Refinement,
  candidates: readonly number[],
  orders: number,
): Events {
  if (candidates.length < 2) return
  const shown = [candidates, candidates.toReversed()].slice(0, orders)
  const named = yield* merge(shown.map((order) => nameOne(refinement, order)))
  const [first] = named
  const isAgreed =
    first !== undefined &&
    named.every((each) => each !== undefined && agree(refinement, first, each))
  const chosen = isAgreed ? first : undefined
  yield {
    type: 'gate.decided',
    gate: 'selection',
    outcome: chosen === undefined ? 'none' : 'chosen',
    values: { candidate: chosen ?? null },
  }
  if (chosen === undefined || chosen === refinement.pool.incumbent) return
  yield refinement.pool.promote(chosen, 'selected', null)
}
