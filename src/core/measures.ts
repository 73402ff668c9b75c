/** What a run tells about itself, from its candidates alone: no model is asked, and no label is known. */
import { answerOf } from './answer.ts'
import { countBehaviours } from './behaviours.ts'
import type { Answer, Measures, Usage } from './event.ts'
import type { Candidate, RunState } from './run-state.ts'
import { isNearCopy, wordsOf } from './similarity.ts'
import type { Task } from './task.ts'
import { asksForForm, canonicalProposal, faultOf, proposalOf } from './validity.ts'
import { countVotes, effectiveAnswers, type AnswerWeight } from './vote.ts'

/** As adapters guess where nobody tells. */
const BYTES_PER_TOKEN = 3

/** What is voted on: calls and JSON as a whole, of prose the final answer. */
const answerIn = (task: Task, said: Pick<Answer, 'text' | 'tool_calls'>): string | undefined =>
  canonicalProposal(task, proposalOf(said)) ?? answerOf(said.text)

const votesOf = (task: Task, candidates: readonly Candidate[]): AnswerWeight[] =>
  countVotes(
    candidates.map((each) => ({
      candidate: each.candidate,
      answer: answerIn(task, each),
      weight: 1,
    })),
  )

const schemaValid = (task: Task, answer: Answer | null): boolean | null =>
  answer === null || !asksForForm(task) ? null : faultOf(task, proposalOf(answer)) === undefined

const tokensOf = (spent: Pick<Usage, 'input_tokens' | 'output_tokens'>): number =>
  spent.input_tokens + spent.output_tokens

/** Drafts for all the tokens of the run; its own calls where the generator took none. */
const draftsFor = (usage: Usage): number => {
  const { generator } = usage.by_role
  if (generator === undefined || tokensOf(generator) === 0) return generator?.calls ?? 0
  return Math.floor((tokensOf(usage) * generator.calls) / tokensOf(generator))
}

const majorityOf = (
  task: Task,
  drafts: readonly Candidate[],
  said: string | undefined,
  usage: Usage,
): Measures['majority'] => {
  const leader = votesOf(task, drafts)[0]
  if (leader === undefined) return null
  const { answer, candidates, weight } = leader
  return {
    answer,
    candidate: candidates[0]!,
    votes: weight,
    samples: drafts.length,
    agrees: said === answer,
    equal_spend_samples: draftsFor(usage),
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

/**
 * Undefined when no candidate was completed. The majority is that of the drafts, which are independent samples; `usage` is
 * what the whole run took.
 */
export const measureRun = (
  { candidates, answer }: RunState,
  task: Task,
  usage: Usage,
): Measures | undefined => {
  const completed = candidates.filter(
    ({ finish_reason: reason }) => reason !== null && reason !== 'failed' && reason !== 'dropped',
  )
  if (completed.length === 0) return undefined
  const votes = votesOf(task, completed)
  const revisions = completed.filter(
    ({ role, parents }) => role === 'revision' && parents.length > 0,
  )
  const copies = revisions.filter(({ text, parents }) =>
    isNearCopy(candidates[parents[0]!]!.text, text),
  )
  return {
    effective_answers: votes.length === 0 ? null : effectiveAnswers(votes),
    majority: majorityOf(
      task,
      completed.filter(({ role }) => role === 'draft'),
      answer === null ? undefined : answerIn(task, answer),
      usage,
    ),
    collapse: revisions.length === 0 ? null : copies.length / revisions.length,
    oscillation: revisions.some((revision) => goesBack(revision, candidates)),
    schema_valid: schemaValid(task, answer),
    wasted_tokens: candidates
      .filter(({ finish_reason: reason }) => reason === 'failed' || reason === 'dropped')
      .reduce((sum, { text }) => sum + Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN), 0),
    behaviours: countBehaviours(completed.map(({ text }) => text)),
  }
}
