/** What a run tells about itself, from its candidates alone: no model is asked, and no label is known. */
import { answerOf } from './answer.ts'
import { countBehaviours } from './behaviours.ts'
import type { Measures } from './event.ts'
import type { Candidate, RunState } from './run-state.ts'
import { isNearCopy, wordsOf } from './similarity.ts'
import { countVotes, effectiveAnswers, type AnswerWeight } from './vote.ts'

/** As adapters guess where nobody tells. */
const BYTES_PER_TOKEN = 3

const votesOf = (candidates: readonly Candidate[]): AnswerWeight[] =>
  countVotes(
    candidates.map(({ candidate, text }) => ({ candidate, answer: answerOf(text), weight: 1 })),
  )

const majorityOf = (
  drafts: readonly Candidate[],
  said: string | undefined,
): Measures['majority'] => {
  const leader = votesOf(drafts)[0]
  if (leader === undefined) return null
  const { answer, candidates, weight } = leader
  return {
    answer,
    candidate: candidates[0]!,
    votes: weight,
    samples: drafts.length,
    agrees: said === answer,
  }
}

const sameWords = (left: string, right: string): boolean =>
  wordsOf(left).join(' ') === wordsOf(right).join(' ')

/** Whether the text of a revision is that of an ancestor further back than its parent. */
const goesBack = (revision: Candidate, all: readonly Candidate[]): boolean => {
  const parent = all[revision.parents[0]!]
  if (parent === undefined || sameWords(parent.text, revision.text)) return false
  const seen = new Set<number>()
  const open = [...parent.parents]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    if (sameWords(all[next]!.text, revision.text)) return true
    open.push(...all[next]!.parents)
  }
  return false
}

/** Undefined when no candidate was completed. The majority is that of the drafts, which are independent samples. */
export const measureRun = ({ candidates, answer }: RunState): Measures | undefined => {
  const completed = candidates.filter(
    ({ finish_reason: reason }) => reason !== null && reason !== 'failed' && reason !== 'dropped',
  )
  if (completed.length === 0) return undefined
  const votes = votesOf(completed)
  const revisions = completed.filter(
    ({ role, parents }) => role === 'revision' && parents.length > 0,
  )
  const copies = revisions.filter(({ text, parents }) =>
    isNearCopy(candidates[parents[0]!]!.text, text),
  )
  return {
    effective_answers: votes.length === 0 ? null : effectiveAnswers(votes),
    majority: majorityOf(
      completed.filter(({ role }) => role === 'draft'),
      answer === null ? undefined : answerOf(answer.text),
    ),
    collapse: revisions.length === 0 ? null : copies.length / revisions.length,
    oscillation: revisions.some((revision) => goesBack(revision, candidates)),
    wasted_tokens: candidates
      .filter(({ finish_reason: reason }) => reason === 'failed' || reason === 'dropped')
      .reduce((sum, { text }) => sum + Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN), 0),
    behaviours: countBehaviours(completed.map(({ text }) => text)),
  }
}
