/** Tables with several rows an arm, the same in Markdown and on the page. */
import { amount, percent } from './format.ts'
import type { ArmResult, Results } from './results.ts'

export interface Details {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** '' for none. */
  readonly note: string
}

const byRole = (arms: readonly ArmResult[]): Details => ({
  title: 'Spending by role',
  head: ['arm', 'role', 'calls', 'input tokens', 'output tokens'],
  rows: arms.flatMap(({ name, usage }) =>
    Object.entries(usage.by_role).map(([role, { calls, input_tokens, output_tokens }]) => [
      name,
      role,
      amount(calls),
      amount(input_tokens),
      amount(output_tokens),
    ]),
  ),
  note: 'Means of a run.',
})

const byDrafts = (arms: readonly ArmResult[]): Details => ({
  title: 'pass@k and majority@k',
  head: ['arm', 'k', 'pass@k %', 'majority@k %', 'runs'],
  rows: arms
    .filter(({ drafts }) => drafts.length > 1)
    .flatMap(({ name, drafts }) =>
      drafts.map(({ k, runs, pass, majority }) => [
        name,
        String(k),
        percent(pass),
        percent(majority),
        String(runs),
      ]),
    ),
  note: 'Only runs with at least k drafts can tell; where a strategy stops early these are its hard questions.',
})

const leftOut = ({ left_out: arms }: Results): Details => ({
  title: 'Left out',
  head: ['arm', 'reason'],
  rows: arms.map(({ arm, reason }) => [arm, reason]),
  note: '',
})

/** Those that have anything to tell. */
export const detailsOf = (results: Results): readonly Details[] =>
  [byDrafts(results.arms), byRole(results.arms), leftOut(results)].filter(
    ({ rows }) => rows.length > 0,
  )
