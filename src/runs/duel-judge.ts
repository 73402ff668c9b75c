/** Compares two answers to one prompt, blind and in both orders, within a budget of money. */
import { BudgetLedger } from '../core/budget.ts'
import type { Comparison } from '../core/scorer.ts'
import type { Task } from '../core/task.ts'
import { verdictOf, type Preference, type Verdict } from '../experiments/duel.ts'
import { meterModel } from './metered-model.ts'
import { byRole, type Parts } from './plan.ts'
import { UsageAccount } from './usage-account.ts'

/** What was shown first won, or what was shown second. A judge who was not asked prefers none. */
const preferenceOf = (order: Comparison['orders'][number] | undefined): Preference =>
  order === undefined || order.winner === 'tie'
    ? 'tie'
    : order.winner === order.first
      ? 'first'
      : 'second'

export interface Judged {
  /** `undefined` when the judge was not to be had; `cause` says why. */
  readonly verdict: Verdict | undefined
  readonly cause?: unknown
  readonly cost: number
}

/** Whatever happens, what it cost is told. Spends at most `left`. */
export const judgeDuel = async (
  parts: Parts,
  judge: string,
  task: Task,
  answers: { readonly a: string; readonly b: string },
  left: number,
  signal: AbortSignal,
): Promise<Judged> => {
  const account = new UsageAccount()
  const ledger = new BudgetLedger(
    left === Infinity ? {} : { cost: left },
    () => performance.now() / 1000,
  )
  const costOf = (): number => account.total(0).cost
  try {
    const model = parts.models.get(judge)
    await model.ready()
    const metered = meterModel(model, 'judge', ledger, account)
    const models = byRole(() => metered)
    const own = parts.prompts(model.prompts)
    const prompts = byRole(() => own)
    const comparator = parts.scorers(models, prompts).comparator()
    const { orders } = await comparator.compare(
      task,
      { text: answers.a },
      { text: answers.b },
      { signal },
    )
    const [aFirst, bFirst] = (['left', 'right'] as const).map((side) =>
      preferenceOf(orders.find(({ first }) => first === side)),
    )
    return { verdict: verdictOf(aFirst!, bFirst!), cost: costOf() }
  } catch (cause) {
    return { verdict: undefined, cause, cost: costOf() }
  }
}
