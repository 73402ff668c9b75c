/** Tables with several rows an arm, the same in Markdown and on the page. */
import type { Finding } from './expectations.ts'
import { amount, percent, points, ratio } from './format.ts'
import type { ArmResult, Results } from './results.ts'

export interface Details {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Columns of words, before those of numbers. */
  readonly words: number
  /** '' for none. */
  readonly note: string
}

const against = ({ value, low, high }: Finding['difference']): string =>
  `${points(value)} [${points(low)}, ${points(high)}]`

const expected = ({ expectations }: Results): Details => ({
  title: 'What was expected',
  words: 3,
  head: ['claim', 'arm', 'against', 'difference', 'better / worse', 'tokens ×', 'verdict'],
  rows: expectations.map(({ claim, arm, against: other, difference, tokens_ratio, verdict }) => [
    claim,
    arm,
    other,
    against(difference),
    `${difference.better} / ${difference.worse}`,
    ratio(tokens_ratio),
    verdict,
  ]),
  note: 'Percentage points on the same items and seeds. A verdict is given where the 95 % interval, not corrected for their number, lies on one side; “kept” means less is lost than the margin.',
})

const byRole = (arms: readonly ArmResult[]): Details => ({
  title: 'Spending by role',
  words: 2,
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
  words: 1,
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
  words: 2,
  head: ['arm', 'reason'],
  rows: arms.map(({ arm, reason }) => [arm, reason]),
  note: '',
})

/** Those that have anything to tell. */
export const detailsOf = (results: Results): readonly Details[] =>
  [expected(results), byDrafts(results.arms), byRole(results.arms), leftOut(results)].filter(
    ({ rows }) => rows.length > 0,
  )
