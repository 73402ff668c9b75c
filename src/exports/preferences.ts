/** Pairs of a better and a worse text that one run shows, for training on preferences. */
import type { Candidate } from '../core/run-state.ts'
import type { BodyOf, Comparison } from './export-schema.ts'
import type { ExportedRun } from './exported-run.ts'

type Preference = BodyOf<'preferences'>

const said = (content: string): Preference['chosen'] => [{ role: 'assistant', content }]

interface Pair {
  readonly kind: Preference['kind']
  readonly better: Candidate
  readonly worse: Candidate
  readonly scorer?: string
  readonly margin: number | null
}

const isComplete = ({ finish_reason: reason, text }: Candidate): boolean =>
  reason !== null && reason !== 'failed' && reason !== 'dropped' && text.trim() !== ''

/** The latest score of the scorer. */
const scoreBy = ({ scores }: Candidate, scorer: string): number | undefined =>
  scores.findLast((each) => each.scorer === scorer)?.score ?? undefined

/** The first scorer that knows both. */
const sharedScorer = (left: Candidate, right: Candidate): string | undefined =>
  left.scores
    .map(({ scorer }) => scorer)
    .find((name) => scoreBy(left, name) !== undefined && scoreBy(right, name) !== undefined)

/** The last answer against the first; none when the scorer says the first was better. */
const fromRevisions = ({ state: { revisions, candidates } }: ExportedRun): Pair[] => {
  const [first, last] = [revisions[0], revisions.at(-1)]
  const worse = candidates[first?.candidate ?? -1]
  const better = candidates[last?.candidate ?? -1]
  if (worse === undefined || better === undefined || worse === better) return []
  const scorer = sharedScorer(worse, better)
  if (scorer === undefined) return [{ kind: 'revision', better, worse, margin: null }]
  const margin = scoreBy(better, scorer)! - scoreBy(worse, scorer)!
  return margin < 0 ? [] : [{ kind: 'revision', better, worse, scorer, margin }]
}

/** Of the orders asked in, the share for the winner less the share for the other. */
const agreement = ({ orders, winner }: Comparison): number | null => {
  if (orders.length === 0) return null
  const votes = orders.reduce(
    (sum, order) => sum + (order.winner === winner ? 1 : order.winner === null ? 0 : -1),
    0,
  )
  return Math.max(0, votes / orders.length)
}

const fromComparisons = ({ state: { candidates }, comparisons }: ExportedRun): Pair[] =>
  comparisons.flatMap((comparison): Pair[] => {
    const { winner, candidates: both } = comparison
    if (winner === null) return []
    const better = candidates[winner]
    const worse = candidates[both.find((number) => number !== winner) ?? -1]
    if (better === undefined || worse === undefined) return []
    return [{ kind: 'comparison', better, worse, margin: agreement(comparison) }]
  })

const scorersOf = (family: readonly Candidate[]): string[] => [
  ...new Set(family.flatMap(({ scores }) => scores.map(({ scorer }) => scorer))),
]

/** Best against worst among candidates of the same parents, once for each scorer that tells them apart. */
const ofFamily = (family: readonly Candidate[]): Pair[] =>
  scorersOf(family).flatMap((scorer): Pair[] => {
    const ranked = family
      .filter((candidate) => scoreBy(candidate, scorer) !== undefined)
      .toSorted((left, right) => scoreBy(right, scorer)! - scoreBy(left, scorer)!)
    const [better, worse] = [ranked[0], ranked.at(-1)]
    if (better === undefined || worse === undefined) return []
    const margin = scoreBy(better, scorer)! - scoreBy(worse, scorer)!
    const kind = better.role === 'step' ? 'sibling_step' : 'sibling'
    return margin > 0 ? [{ kind, better, worse, scorer, margin }] : []
  })

const fromSiblings = ({ state: { candidates } }: ExportedRun): Pair[] => {
  const families = new Map<string, Candidate[]>()
  for (const candidate of candidates.filter(isComplete)) {
    const name = JSON.stringify([candidate.parents, candidate.role === 'step'])
    families.set(name, [...(families.get(name) ?? []), candidate])
  }
  return [...families.values()].flatMap(ofFamily)
}

/**
 * All pairs of the run, in an order that stays: revisions, comparisons, siblings. Pairs of equal texts teach nothing and
 * are left out, as are those narrower than `minimumMargin` where one is asked for.
 */
export const preferencesOf = (run: ExportedRun, minimumMargin?: number): Preference[] =>
  [...fromRevisions(run), ...fromComparisons(run), ...fromSiblings(run)]
    .filter(({ better, worse }) => isComplete(better) && isComplete(worse))
    .filter(({ better, worse }) => better.text.trim() !== worse.text.trim())
    .filter(
      ({ margin }) => minimumMargin === undefined || (margin !== null && margin >= minimumMargin),
    )
    .map(({ kind, better, worse, scorer = null, margin }) => ({
      format: 'preferences',
      kind,
      chosen: said(better.text),
      rejected: said(worse.text),
      chosen_candidate: better.candidate,
      rejected_candidate: worse.candidate,
      scorer,
      margin,
    }))
