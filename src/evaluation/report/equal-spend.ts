/** What a majority vote would have said for the same tokens, from the drafts that the evaluation has anyway. */
import { groupBy, mean } from '../grouping.ts'
import { tokensOf, type RunMeasure } from '../measure.ts'

/** Wire data, hence snake_case. */
export interface VoteAtSameSpend {
  /** Drafts that vote: as many as the arm's tokens buy, or as there are. */
  readonly k: number
  readonly accuracy: number
  /** Drafts that the arm's tokens would buy. */
  readonly affordable: number
}

/** Nothing but drafts was made, so that tokens and drafts can be held against each other. */
const isPlain = ({ drafts, candidates, usage }: RunMeasure): boolean =>
  drafts.total > 0 &&
  drafts.total === candidates.total &&
  Object.keys(usage.by_role).every((role) => role === 'generator')

/** The arm with the most drafts among those that make nothing else; undefined where none makes several. */
const referenceOf = (measures: readonly RunMeasure[]): readonly RunMeasure[] | undefined => {
  const arms = [...groupBy(measures, ({ arm }) => arm).values()].filter((runs) =>
    runs.every(isPlain),
  )
  const draftsOf = (runs: readonly RunMeasure[]): number =>
    mean(runs.map(({ drafts }) => drafts.total))
  const [first] = arms.toSorted((left, right) => draftsOf(right) - draftsOf(left))
  return first === undefined || draftsOf(first) <= 1 ? undefined : first
}

/** For runs of one arm; null where no arm of the evaluation can tell. */
export const voteAtSameSpend = (
  measures: readonly RunMeasure[],
): ((runs: readonly RunMeasure[]) => VoteAtSameSpend | null) => {
  const reference = referenceOf(measures)
  if (reference === undefined) return () => null
  const perDraft = mean(reference.map(tokensOf)) / mean(reference.map(({ drafts }) => drafts.total))
  const sizes = [...new Set(reference.flatMap(({ majority }) => majority.map(({ k }) => k)))]
  return (runs) => {
    const affordable = mean(runs.map(tokensOf)) / perDraft
    const k = Math.max(1, ...sizes.filter((size) => size <= affordable * (1 + 1e-9)))
    const right = reference.map(({ majority }) => majority.findLast((vote) => vote.k <= k)?.right)
    return { k, accuracy: mean(right.map(Number)), affordable }
  }
}
