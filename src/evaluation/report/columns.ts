/** The columns of the tables, the same in Markdown and on the page. */
import { amount, percent, points, ratio } from './format.ts'
import type { ArmResult } from './results.ts'

export interface Column {
  readonly title: string
  /** What it means, for those who do not know the abbreviation. */
  readonly meaning: string
  readonly cell: (arm: ArmResult) => string
}

export interface Table {
  readonly title: string
  readonly columns: readonly Column[]
}

const column = (title: string, meaning: string, cell: Column['cell']): Column => ({
  title,
  meaning,
  cell,
})

const differenceCell = ({ difference }: ArmResult): string =>
  difference === null
    ? '–'
    : `${points(difference.value)} [${points(difference.low)}, ${points(difference.high)}]`

const pCell = ({ difference }: ArmResult): string => {
  const p = difference?.p
  if (p === undefined || p === null) return '–'
  return p < 0.001 ? '<0.001' : p.toFixed(3)
}

const judgeCell =
  (field: 'auc' | 'auc_within_run') =>
  ({ judges }: ArmResult): string =>
    judges.map((judge) => `${judge.scorer} ${ratio(judge[field])}`).join(', ') || '–'

const NAME = column('arm', 'What was compared.', ({ name }) => name)

const MAIN: Table = {
  title: 'Accuracy and spending',
  columns: [
    NAME,
    column(
      'accuracy %',
      'Share of runs whose final answer is right, with Wilson 95 % interval.',
      ({ accuracy }) =>
        `${percent(accuracy.value)} [${percent(accuracy.low)}, ${percent(accuracy.high)}]`,
    ),
    column(
      'difference',
      'Percentage points against the baseline on the same items and seeds, with 95 % interval.',
      differenceCell,
    ),
    column('p', 'Exact McNemar test, two-sided, not corrected for many comparisons.', pCell),
    column('tokens', 'Mean of input and output tokens a run.', ({ usage }) => amount(usage.tokens)),
    column('calls', 'Mean model calls a run.', ({ usage }) => amount(usage.calls)),
    column(
      'seconds',
      'Mean wall-clock seconds a run, under the concurrency of the evaluation.',
      ({ usage }) => amount(usage.seconds.mean),
    ),
    column('cost', 'Mean cost a run, by the prices of the models.', ({ usage }) =>
      amount(usage.cost),
    ),
    column('runs', 'Finished runs.', ({ runs }) => amount(runs)),
    column(
      'failed',
      'Runs that ended with an error; they count as wrong unless they left a right answer.',
      ({ failed }) => amount(failed),
    ),
  ],
}

const CORRECTION: Table = {
  title: 'From the first to the last answer',
  columns: [
    NAME,
    column('Acc@first %', 'Accuracy of the first answer shown.', (arm) =>
      percent(arm.self_correction.accuracy_first),
    ),
    column('Acc@last %', 'Accuracy of the final answer.', (arm) =>
      percent(arm.self_correction.accuracy_last),
    ),
    column('Δ i→c', 'Percentage points of all runs that went from wrong to right.', (arm) =>
      points(arm.self_correction.wrong_to_right),
    ),
    column('Δ c→i', 'Percentage points of all runs that went from right to wrong.', (arm) =>
      points(-arm.self_correction.right_to_wrong),
    ),
    column('CL', 'Share of right first answers that are kept.', (arm) =>
      ratio(arm.self_correction.confidence_level),
    ),
    column('CS', 'Share of wrong first answers that are repaired.', (arm) =>
      ratio(arm.self_correction.critique_score),
    ),
    column('RSS', 'Relative self-correction score: 0.5 is no net change.', (arm) =>
      ratio(arm.self_correction.relative_score),
    ),
    column(
      'collapse %',
      'Share of revisions that change less than 2 % of the text.',
      ({ collapse }) => percent(collapse),
    ),
    column(
      'anytime',
      'Mean accuracy when stopped after a random number of tokens below the horizon.',
      ({ anytime }) => ratio(anytime.area_tokens),
    ),
  ],
}

const SELECTION: Table = {
  title: 'Drafts and selection',
  columns: [
    NAME,
    column('draft %', 'Expected accuracy of one draft.', (arm) =>
      percent(arm.selection.draft_accuracy),
    ),
    column('majority %', 'What a majority vote over the same drafts would have said.', (arm) =>
      percent(arm.selection.majority),
    ),
    column(
      'vote for the same tokens %',
      'Accuracy of a majority vote of as many drafts as the tokens of the arm buy, or as there are; in brackets, how many.',
      ({ vote_at_same_spend: vote }) =>
        vote === null ? '–' : `${percent(vote.accuracy)} (${vote.k})`,
    ),
    column('oracle %', 'Share of runs with any right candidate: pass@N.', (arm) =>
      percent(arm.selection.oracle),
    ),
    column('oracle gap', 'Percentage points from the accuracy to the oracle.', (arm) =>
      points(arm.selection.oracle_gap),
    ),
    column(
      'efficiency',
      'Share of the way from one draft to the oracle that the selection went.',
      (arm) => ratio(arm.selection.efficiency),
    ),
    column('answers', 'Effective number of different answers, exp(entropy).', (arm) =>
      ratio(arm.effective_answers),
    ),
    column('balance', 'B-STaR: min(right/8, 1) · right/candidates.', (arm) =>
      ratio(arm.balance_score),
    ),
  ],
}

const RELIABILITY: Table = {
  title: 'Judges and reviews',
  columns: [
    NAME,
    column(
      'judge AUC',
      'Probability that a right candidate has the higher score, over all candidates.',
      judgeCell('auc'),
    ),
    column(
      'within a run',
      'The same over pairs of one run, which is what selection needs.',
      judgeCell('auc_within_run'),
    ),
    column(
      'order consistency %',
      'Share of comparisons in which both orders name the same winner.',
      ({ comparisons }) => percent(comparisons.consistency),
    ),
    column(
      'comparison accuracy %',
      'Share of pairs of a right and a wrong candidate that the right one won.',
      ({ comparisons }) => percent(comparisons.accuracy),
    ),
    column(
      'review J',
      'Youden: share of wrong candidates found − share of right ones called wrong.',
      ({ reviews }) => ratio(reviews.youden),
    ),
  ],
}

export const TABLES: readonly Table[] = [MAIN, CORRECTION, SELECTION, RELIABILITY]
